import type { Mutant } from '../mutant.ts';

const module = 'core/src/ring/spmc.ts';

export const spmcMutants: readonly Mutant[] = [
  {
    name: 'values are shown before they are written',
    module,
    find: '    Atomics.store(this.#words, this.#slots + (at & this.#mask), value);',
    replace:
      '    Atomics.store(this.#words, this.#prodAt, (at + 1) | 0); Atomics.store(this.#words, this.#slots + (at & this.#mask), value);',
    scenario: 'structures/spmc',
  },
  {
    name: 'the producer takes one slot more than the ring has',
    module,
    find: 'this.#limit = (Atomics.load(this.#words, this.#consAt) + this.#capacity) | 0; // [F]',
    replace: 'this.#limit = (Atomics.load(this.#words, this.#consAt) + this.#capacity + 1) | 0;',
    scenario: 'structures/spmc',
  },
  {
    name: 'values are claimed first and read then, when they may be overwritten',
    module,
    find: `      for (let i = 0; i < count; i++) into[i] = Atomics.load(words, this.#slots + ((cons + i) & this.#mask));
      const found = Atomics.compareExchange(words, consAt, cons, (cons + count) | 0); // [T]
      if (found === cons) return count;`,
    replace: `      const found = Atomics.compareExchange(words, consAt, cons, (cons + count) | 0);
      if (found === cons) for (let i = 0; i < count; i++) into[i] = Atomics.load(words, this.#slots + ((cons + i) & this.#mask));
      if (found === cons) return count;`,
    scenario: 'structures/spmc-stale',
  },
  {
    name: 'two consumers may take one value: CONS is read and written in two steps',
    module,
    find: 'const found = Atomics.compareExchange(words, consAt, cons, (cons + count) | 0); // [T]',
    replace:
      'const found = Atomics.load(words, consAt); if (found === cons) Atomics.store(words, consAt, (cons + count) | 0);',
    scenario: 'structures/spmc-stale',
  },
  {
    name: 'a claim that failed is not read again',
    module,
    find: 'if (found === cons) return count;',
    replace: 'return count;',
    scenario: 'structures/spmc-stale',
  },
  {
    name: 'sleepers are counted in two steps',
    module,
    find: 'Atomics.add(words, this.#parkedAt, 1);',
    replace: 'Atomics.store(words, this.#parkedAt, Atomics.load(words, this.#parkedAt) + 1);',
    scenario: 'structures/spmc-park',
  },
  {
    name: 'a consumer looks at PROD before it says that it sleeps',
    module,
    find: `    Atomics.add(words, this.#parkedAt, 1);
    const prod = Atomics.load(words, this.#prodAt);
    if (Atomics.load(words, this.#consAt) === prod) Atomics.wait(words, this.#prodAt, prod, timeoutMs); // [S]`,
    replace: `    const empty = this.size() === 0;
    Atomics.add(words, this.#parkedAt, 1);
    if (empty) Atomics.wait(words, this.#prodAt, Atomics.load(words, this.#prodAt), timeoutMs);`,
    scenario: 'structures/spmc-park',
  },
  {
    name: 'the producer looks for sleepers before it publishes',
    module,
    find: `    Atomics.store(words, this.#prodAt, this.#published); // [P]
    const parked = Atomics.load(words, this.#parkedAt); // [W]`,
    replace: `    const parked = Atomics.load(words, this.#parkedAt);
    Atomics.store(words, this.#prodAt, this.#published);`,
    scenario: 'structures/spmc-park',
  },
  {
    name: 'one sleeper is woken, whatever was published',
    module,
    find: 'Math.min(parked, fresh)',
    replace: '1',
    scenario: 'structures/spmc-park-together',
  },
];
