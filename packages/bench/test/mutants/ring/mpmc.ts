import type { Mutant } from '../mutant.ts';

const module = 'core/src/ring/mpmc.ts';

export const mpmcMutants: readonly Mutant[] = [
  {
    name: 'the turn is passed on before the value is written',
    module,
    find: `          words[slot + 1] = value;
          Atomics.store(words, slot, (prod + 1) | 0); // [P]`,
    replace: `          Atomics.store(words, slot, (prod + 1) | 0);
          words[slot + 1] = value;`,
    scenario: 'structures/mpmc',
  },
  {
    name: 'the slot is released before its value is read',
    module,
    find: `          const value = words[slot + 1];
          Atomics.store(words, slot, (cons + this.#mask + 1) | 0); // [R]`,
    replace: `          Atomics.store(words, slot, (cons + this.#mask + 1) | 0);
          const value = words[slot + 1];`,
    scenario: 'structures/mpmc',
  },
  {
    name: 'two consumers may take one value: CONS is read and written in two steps',
    module,
    find: 'const found = Atomics.compareExchange(words, consAt, cons, (cons + 1) | 0);',
    replace:
      'const found = Atomics.load(words, consAt); if (found === cons) Atomics.store(words, consAt, (cons + 1) | 0);',
    scenario: 'structures/mpmc',
  },
  {
    name: 'a producer does not wait for its turn',
    module,
    find: 'const late = (Atomics.load(words, slot) - prod) | 0; // [F]',
    replace: 'const late = 0;',
    scenario: 'structures/mpmc',
  },
  {
    name: 'a consumer that came too late takes the ring for empty',
    module,
    find: '} else cons = Atomics.load(words, consAt); // another consumer was faster',
    replace: '} else return 0;',
    scenario: 'structures/mpmc',
  },
];
