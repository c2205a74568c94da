import type { Mutant } from '../mutant.ts';

const module = 'core/src/ring/spsc.ts';

export const spscMutants: readonly Mutant[] = [
  {
    name: 'a slot is published when it is claimed, before it is filled',
    module,
    find: `    this.#claimed = (at + 1) | 0;
    return`,
    replace: `    this.#claimed = (at + 1) | 0; Atomics.store(this.#words, this.#prodAt, this.#claimed);
    return`,
    scenario: 'structures/spsc',
  },
  {
    name: 'the consumer gives a slot back when it finds it, before it is read',
    module,
    find: 'if (at === this.#prodSeen) return 0;',
    replace: 'if (at === this.#prodSeen) return 0; Atomics.store(this.#words, this.#consAt, (at + 1) | 0);',
    scenario: 'structures/spsc',
  },
  {
    name: 'the producer takes one slot more than the ring has',
    module,
    find: `    if (at === this.#limit) {
      this.#limit = (Atomics.load(this.#words, this.#consAt) + this.#capacity) | 0; // [F]`,
    replace: `    if (at === this.#limit) {
      this.#limit = (Atomics.load(this.#words, this.#consAt) + this.#capacity + 1) | 0; // [F]`,
    scenario: 'structures/spsc',
  },
  {
    name: 'a run of slots is claimed past the limit',
    module,
    find: 'const count = Math.min(room, straight, max);',
    replace: 'const count = Math.min(straight, max);',
    scenario: 'structures/spsc-runs',
  },
  {
    name: 'a run of slots is stepped over that is not published yet',
    module,
    find: 'const count = Math.min(ready, straight, max);',
    replace: 'const count = Math.min(straight, max);',
    scenario: 'structures/spsc-runs',
  },
  {
    name: 'the consumer sleeps without saying so',
    module,
    find: 'Atomics.store(words, this.#parkedAt, this.#at);',
    replace: '',
    scenario: 'structures/spsc-park',
  },
  {
    name: 'the consumer sleeps on whatever PROD has become',
    module,
    find: 'Atomics.wait(words, this.#prodAt, this.#at, timeoutMs);',
    replace: 'Atomics.wait(words, this.#prodAt, Atomics.load(words, this.#prodAt), timeoutMs);',
    scenario: 'structures/spsc-park',
  },
  {
    name: 'the producer looks for a sleeper before it publishes',
    module,
    find: `    Atomics.store(this.#words, this.#prodAt, this.#published); // [P]
    if (Atomics.load(this.#words, this.#parkedAt) === before)`,
    replace: `    const parked = Atomics.load(this.#words, this.#parkedAt); Atomics.store(this.#words, this.#prodAt, this.#published);
    if (parked === before)`,
    scenario: 'structures/spsc-park',
  },
  {
    name: 'the consumer sleeps with slots that it has not given back',
    module,
    find: `    this.release();
    const words`,
    replace: `
    const words`,
    scenario: 'structures/spsc-park',
  },
];
