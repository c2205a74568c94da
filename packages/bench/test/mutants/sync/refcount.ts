import type { Mutant } from '../mutant.ts';

const module = 'core/src/sync/refcount.ts';

export const refcountMutants: readonly Mutant[] = [
  {
    name: 'put in two steps',
    module,
    find: 'const found = Atomics.sub(words, at, 1); // [P] [C]',
    replace: 'const found = Atomics.load(words, at); Atomics.store(words, at, found - 1);',
    scenario: 'structures/refcount',
  },
  {
    name: 'get in two steps',
    module,
    find: 'const found = Atomics.add(words, at, 1);',
    replace: 'const found = Atomics.load(words, at); Atomics.store(words, at, found + 1);',
    scenario: 'structures/refcount',
  },
  {
    name: 'put looks again for the last one',
    module,
    find: 'if (found === 1) return true;',
    replace: 'if (Atomics.load(words, at) === 0) return true;',
    scenario: 'structures/refcount',
  },
  {
    name: 'put frees with one reference left',
    module,
    find: 'if (found === 1) return true;',
    replace: 'if (found === 2) return true;',
    scenario: 'structures/refcount',
  },
  {
    name: 'the look-up stores what it counted',
    module,
    find: 'const found = Atomics.compareExchange(words, at, seen, seen + 1);',
    replace: 'Atomics.store(words, at, seen + 1); const found = seen;',
    scenario: 'structures/refcount-look-up',
  },
  {
    name: 'the look-up counts up whatever it finds',
    module,
    find: 'const found = Atomics.compareExchange(words, at, seen, seen + 1);',
    replace: 'Atomics.add(words, at, 1); const found = seen;',
    scenario: 'structures/refcount-look-up',
  },
  {
    name: 'the look-up revives the dead',
    module,
    find: 'Atomics.load(words, at); seen > 0; )',
    replace: 'Atomics.load(words, at); seen >= 0; )',
    scenario: 'structures/refcount-look-up',
  },
  {
    name: 'the look-up tries again with what it saw first',
    module,
    find: '    seen = found;\n',
    replace: '',
    scenario: 'structures/refcount-look-up',
  },
];
