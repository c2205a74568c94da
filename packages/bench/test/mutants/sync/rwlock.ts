import type { Mutant } from '../mutant.ts';

const module = 'core/src/sync/rwlock.ts';

export const rwlockMutants: readonly Mutant[] = [
  {
    name: 'the writer that leaves forgets the readers',
    module,
    find: '    Atomics.notify(words, base + GATE); // [W]\n',
    replace: '',
    scenario: 'structures/rwlock',
  },
  {
    name: 'the writer that leaves wakes one reader',
    module,
    find: 'Atomics.notify(words, base + GATE); // [W]',
    replace: 'Atomics.notify(words, base + GATE, 1);',
    scenario: 'structures/rwlock-readers-wait',
  },
  {
    name: 'the writer that leaves does not change GATE',
    module,
    find: '    Atomics.add(words, base + GATE, 1);\n',
    replace: '',
    scenario: 'structures/rwlock',
  },
  {
    name: 'the writer looks for readers that wait before it leaves',
    module,
    find: '  Atomics.and(words, base + STATE, READERS); // [P]\n  if (Atomics.load(words, base + WAITING) !== 0) {\n',
    replace:
      '  const waiting = Atomics.load(words, base + WAITING);\n  Atomics.and(words, base + STATE, READERS);\n  if (waiting !== 0) {\n',
    scenario: 'structures/rwlock',
  },
  {
    name: 'a reader sleeps without looking for the writer again',
    module,
    find: 'if (Atomics.load(words, base + STATE) >= WRITER) Atomics.wait(words, base + GATE, seen);',
    replace: 'Atomics.wait(words, base + GATE, seen);',
    scenario: 'structures/rwlock',
  },
  {
    name: 'a reader reads GATE only when it falls asleep',
    module,
    find: 'Atomics.wait(words, base + GATE, seen);',
    replace: 'Atomics.wait(words, base + GATE, Atomics.load(words, base + GATE));',
    scenario: 'structures/rwlock',
  },
  {
    name: 'a reader looks for the writer before it announces itself',
    module,
    find: '  Atomics.add(words, base + WAITING, 1); // [W]\n  const seen = Atomics.load(words, base + GATE);\n  if (Atomics.load(words, base + STATE) >= WRITER) Atomics.wait',
    replace:
      '  const seen = Atomics.load(words, base + GATE);\n  if (Atomics.load(words, base + STATE) < WRITER) return;\n  Atomics.add(words, base + WAITING, 1);\n  Atomics.wait',
    scenario: 'structures/rwlock',
  },
  {
    name: 'the last reader forgets the writer',
    module,
    find: 'Atomics.load(words, base + DRAINING) === 1) Atomics.notify(words, base + STATE, 1); // [D]',
    replace: 'Atomics.load(words, base + DRAINING) === 1) return;',
    scenario: 'structures/rwlock',
  },
  {
    name: 'the last reader looks for the writer before it leaves',
    module,
    find: '  const found = Atomics.sub(words, base + STATE, 1); // [R]\n  if (found === (WRITER | 1) && Atomics.load(words, base + DRAINING) === 1)',
    replace:
      '  const draining = Atomics.load(words, base + DRAINING);\n  const found = Atomics.sub(words, base + STATE, 1);\n  if (found === (WRITER | 1) && draining === 1)',
    scenario: 'structures/rwlock',
  },
  {
    name: 'a reader leaves in two steps',
    module,
    find: 'const found = Atomics.sub(words, base + STATE, 1); // [R]',
    replace: 'const found = Atomics.load(words, base + STATE); Atomics.store(words, base + STATE, found - 1);',
    scenario: 'structures/rwlock',
  },
  {
    name: 'a reader sent away stays counted',
    module,
    find: '  readUnlock(words, base);\n  return false;',
    replace: '  return false;',
    scenario: 'structures/rwlock',
  },
  {
    name: 'the writer does not wait for the readers inside',
    module,
    find: '  if (Atomics.load(words, base + STATE) === WRITER) return; // [X]\n',
    replace: '  return;\n',
    scenario: 'structures/rwlock',
  },
  {
    name: 'the writer sleeps unannounced',
    module,
    find: '  Atomics.store(words, base + DRAINING, 1); // [D]\n',
    replace: '',
    scenario: 'structures/rwlock',
  },
  {
    name: 'readers come in beside readers, past the writer',
    module,
    find: 'if (Atomics.add(words, base + STATE, 1) < WRITER) return true; // [C]',
    replace: 'const found = Atomics.add(words, base + STATE, 1); if (found < WRITER || found > WRITER) return true;',
    scenario: 'structures/rwlock-preference',
  },
  {
    name: 'readers shut one another out',
    module,
    find: 'if (Atomics.add(words, base + STATE, 1) < WRITER) return true; // [C]',
    replace:
      'if (Atomics.compareExchange(words, base + STATE, 0, 1) === 0) return true; Atomics.add(words, base + STATE, 1);',
    scenario: 'structures/rwlock-readers-together',
  },
  {
    name: 'tryWriteLock overlooks readers',
    module,
    find: 'if (Atomics.compareExchange(words, base + STATE, 0, WRITER) === 0) return true; // [X]',
    replace: 'if (Atomics.or(words, base + STATE, WRITER) < WRITER) return true;',
    scenario: 'structures/rwlock-try',
  },
  {
    name: 'tryWriteLock that fails keeps the turn',
    module,
    find: '  mutexUnlock(words, base + WRITING, self);\n  return false;',
    replace: '  return false;',
    scenario: 'structures/rwlock-try',
  },
];
