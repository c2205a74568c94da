import type { Mutant } from '../mutant.ts';

const module = 'core/src/sync/mutex.ts';

export const mutexMutants: readonly Mutant[] = [
  {
    name: 'unlock forgets the sleeper',
    module,
    find: '  Atomics.notify(words, at, 1); // [W]\n',
    replace: '',
    scenario: 'structures/mutex',
  },
  {
    name: 'unlock wakes before it lets go',
    module,
    find: '  Atomics.store(words, at, 0); // [P]\n  Atomics.notify(words, at, 1); // [W]\n',
    replace: '  Atomics.notify(words, at, 1);\n  Atomics.store(words, at, 0);\n',
    scenario: 'structures/mutex',
  },
  {
    name: 'unlock in two steps overlooks who announced itself between them',
    module,
    find: 'const found = Atomics.compareExchange(words, at, self.id, 0); // [P]',
    replace: 'const found = Atomics.load(words, at); if (found === self.id) Atomics.store(words, at, 0);',
    scenario: 'structures/mutex',
  },
  {
    name: 'unlock lets go, and once more for the sleeper',
    module,
    find: 'const found = Atomics.compareExchange(words, at, self.id, 0); // [P]',
    replace: 'const found = Atomics.exchange(words, at, 0);',
    scenario: 'structures/mutex',
  },
  {
    name: 'lock goes to sleep unannounced',
    module,
    find: 'const announced = seen | CONTENDED;',
    replace: 'const announced = seen;',
    scenario: 'structures/mutex',
  },
  {
    name: 'lock announces itself without looking whether it was let go meanwhile',
    module,
    find: 'Atomics.compareExchange(words, at, seen, announced) === seen)',
    replace: 'Atomics.or(words, at, CONTENDED) !== 0 || true)',
    scenario: 'structures/mutex',
  },
  {
    name: 'who was asleep takes the mutex without CONTENDED',
    module,
    find: 'if (Atomics.compareExchange(words, at, 0, self.id | CONTENDED) === 0) return; // [C]',
    replace: 'if (Atomics.compareExchange(words, at, 0, self.id) === 0) return;',
    scenario: 'structures/mutex-three',
  },
  {
    name: 'who was asleep takes the mutex in two steps',
    module,
    find: 'if (Atomics.compareExchange(words, at, 0, self.id | CONTENDED) === 0) return; // [C]',
    replace: 'Atomics.store(words, at, self.id | CONTENDED); return;',
    scenario: 'structures/mutex',
  },
  {
    name: 'lock looks and takes in two steps',
    module,
    find: 'const seen = Atomics.compareExchange(words, at, 0, self.id); // [C]',
    replace: 'const seen = Atomics.load(words, at); if (seen === 0) Atomics.store(words, at, self.id);',
    scenario: 'structures/mutex',
  },
  {
    name: 'tryLock looks and takes in two steps',
    module,
    find: 'return Atomics.compareExchange(words, at, 0, self.id) === 0; // [C]',
    replace: 'if (Atomics.load(words, at) !== 0) return false; Atomics.store(words, at, self.id); return true;',
    scenario: 'structures/mutex-try',
  },
];
