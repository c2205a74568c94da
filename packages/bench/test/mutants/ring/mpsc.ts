import type { Mutant } from '../mutant.ts';

const module = 'core/src/ring/mpsc.ts';

export const mpscMutants: readonly Mutant[] = [
  {
    name: 'two producers may take one slot: PROD is read and written in two steps',
    module,
    find: 'const found = Atomics.compareExchange(words, this.#prodAt, prod, next);',
    replace:
      'const found = Atomics.load(words, this.#prodAt); if (found === prod) Atomics.store(words, this.#prodAt, next);',
    scenario: 'structures/mpsc',
  },
  {
    name: 'the consumer gives a slot back when it finds it, before it is read',
    module,
    find: 'return commitAt + 1;',
    replace: 'Atomics.store(this.#words, this.#consAt, (this.#at + 1) | 0); return commitAt + 1;',
    scenario: 'structures/mpsc',
  },
  {
    name: 'a claim reads CONS before PROD, and takes the ring for full',
    module,
    find: `        prod = Atomics.load(words, this.#prodAt);
        this.#consSeen = Atomics.load(words, this.#consAt); // [F]`,
    replace: `        this.#consSeen = Atomics.load(words, this.#consAt);
        prod = Atomics.load(words, this.#prodAt);`,
    scenario: 'structures/mpsc-full',
  },
  {
    name: 'the consumer takes what is claimed for published',
    module,
    find: 'if (Atomics.load(this.#words, commitAt) !== ((this.#at + 1) | 0)) return 0; // [C]',
    replace: 'if (Atomics.load(this.#words, this.#consAt + MPSC_PROD - MPSC_CONS) === this.#at) return 0;',
    scenario: 'structures/mpsc-claims',
  },
  {
    name: 'the consumer sleeps without saying so',
    module,
    find: 'Atomics.store(words, this.#parkedAt, this.#at);',
    replace: '',
    scenario: 'structures/mpsc-park',
  },
  {
    name: 'the consumer sleeps on whatever the commit word has become',
    module,
    find: 'Atomics.wait(words, commitAt, unpublished, timeoutMs);',
    replace: 'Atomics.wait(words, commitAt, Atomics.load(words, commitAt), timeoutMs);',
    scenario: 'structures/mpsc-park',
  },
  {
    name: 'the producer looks for a sleeper before it publishes',
    module,
    find: `    Atomics.store(words, commitAt, commit); // [P]
    if (Atomics.load(words, this.#parkedAt) === ((commit - 1) | 0))`,
    replace: `    const parked = Atomics.load(words, this.#parkedAt); Atomics.store(words, commitAt, commit);
    if (parked === ((commit - 1) | 0))`,
    scenario: 'structures/mpsc-park',
  },
  {
    name: 'the producer looks for a sleeper on the position after its own',
    module,
    find: '=== ((commit - 1) | 0)) Atomics.notify',
    replace: '=== commit) Atomics.notify',
    scenario: 'structures/mpsc-park',
  },
  {
    name: 'the consumer sleeps with slots that it has not given back',
    module,
    find: `    this.release();
    const words`,
    replace: `
    const words`,
    scenario: 'structures/mpsc-park-full',
  },
];
