import type { Mutant } from '../mutant.ts';

const module = 'core/src/sync/completion.ts';

const COUNT_UP = `  for (let seen = Atomics.load(words, at + DONE); seen !== ALL; ) {
    const found = Atomics.compareExchange(words, at + DONE, seen, seen + 1); // [P]
    if (found === seen) break;
    seen = found;
  }
`;
const WAKE_ONE = '  if (Atomics.load(words, at + WAITERS) !== 0) Atomics.notify(words, at + DONE, 1); // [W]\n';

export const completionMutants: readonly Mutant[] = [
  {
    name: 'complete counts up in two steps',
    module,
    find: 'const found = Atomics.compareExchange(words, at + DONE, seen, seen + 1); // [P]',
    replace: 'const found = seen; Atomics.store(words, at + DONE, seen + 1);',
    scenario: 'structures/completion-try',
  },
  {
    name: 'complete says that something happened, not how often',
    module,
    find: 'const found = Atomics.compareExchange(words, at + DONE, seen, seen + 1); // [P]',
    replace: 'const found = seen; Atomics.store(words, at + DONE, 1);',
    scenario: 'structures/completion',
  },
  {
    name: 'complete looks for who waits before it completes',
    module,
    find: COUNT_UP + WAKE_ONE,
    replace: `  const waiters = Atomics.load(words, at + WAITERS);
${COUNT_UP}  if (waiters !== 0) Atomics.notify(words, at + DONE, 1);\n`,
    scenario: 'structures/completion',
  },
  {
    name: 'complete wakes before it completes',
    module,
    find: COUNT_UP + WAKE_ONE,
    replace: WAKE_ONE + COUNT_UP,
    scenario: 'structures/completion',
  },
  {
    name: 'completeAll wakes one',
    module,
    find: 'Atomics.notify(words, at + DONE); // [W]',
    replace: 'Atomics.notify(words, at + DONE, 1);',
    scenario: 'structures/completion-all',
  },
  {
    name: 'completeAll lets one go',
    module,
    find: 'Atomics.store(words, at + DONE, ALL); // [P]',
    replace: 'Atomics.store(words, at + DONE, 1);',
    scenario: 'structures/completion-all',
  },
  {
    name: 'a completion is taken in two steps',
    module,
    find: 'const found = Atomics.compareExchange(words, at + DONE, seen, seen - 1);',
    replace: 'const found = seen; Atomics.store(words, at + DONE, seen - 1);',
    scenario: 'structures/completion-try',
  },
  {
    name: 'a waiter sleeps unannounced',
    module,
    find: '  Atomics.add(words, at + WAITERS, 1); // [W]\n  let taken',
    replace: '  let taken',
    scenario: 'structures/completion',
  },
  {
    name: 'a waiter that was woken takes it that there is a completion',
    module,
    find: '    Atomics.wait(words, at + DONE, 0, leftMs);\n    taken = tryWaitForCompletion(words, at);\n',
    replace: '    Atomics.wait(words, at + DONE, 0, leftMs);\n    taken = true;\n',
    scenario: 'structures/completion',
  },
  {
    name: 'an event loop sleeps unannounced',
    module,
    find: '  Atomics.add(words, at + WAITERS, 1); // [W]\n  while',
    replace: '  while',
    scenario: 'structures/completion-async',
  },
];
