import type { Mutant } from '../mutant.ts';

const waiting = 'core/src/sync/counter-waiting.ts';
const shared = 'core/src/sync/shared-counters.ts';
const split = 'core/src/sync/split-counters.ts';

export const counterWaitingMutants: readonly Mutant[] = [
  {
    name: 'waitZero sleeps unannounced',
    module: waiting,
    find: '    this.#announce(object);\n    let zero = false;\n',
    replace: '    let zero = false;\n',
    scenario: 'structures/counters-shared',
  },
  {
    name: 'waitZero reads WAKE after the sum',
    module: waiting,
    find: '      const seen = Atomics.load(this.words, line + WAKE); // [S]\n      zero = this.read(object) === 0; // [W]\n',
    replace: '      zero = this.read(object) === 0;\n      const seen = Atomics.load(this.words, line + WAKE);\n',
    scenario: 'structures/counters-split',
  },
  {
    name: 'waitZero is woken once and does not look again',
    module: waiting,
    find: '      Atomics.wait(this.words, line + WAKE, seen, leftMs);\n',
    replace: '      Atomics.wait(this.words, line + WAKE, seen, leftMs);\n      zero = true;\n      break;\n',
    scenario: 'structures/counters-shared',
  },
  {
    name: 'a sub wakes one of those who wait',
    module: waiting,
    find: 'Atomics.notify(this.words, line + WAKE);',
    replace: 'Atomics.notify(this.words, line + WAKE, 1);',
    scenario: 'structures/counters-split-waiters',
  },
  {
    name: 'a sub wakes without changing WAKE',
    module: waiting,
    find: '    Atomics.add(this.words, line + WAKE, 1); // [S]\n',
    replace: '',
    scenario: 'structures/counters-shared',
  },
  {
    name: 'a sub wakes, and changes WAKE after it',
    module: waiting,
    find: '    Atomics.add(this.words, line + WAKE, 1); // [S]\n    Atomics.notify(this.words, line + WAKE);\n',
    replace: '    Atomics.notify(this.words, line + WAKE);\n    Atomics.add(this.words, line + WAKE, 1);\n',
    scenario: 'structures/counters-split',
  },
  {
    name: 'waitZeroAsync reads WAKE after the sum',
    module: waiting,
    find: '      const seen = Atomics.load(this.words, line + WAKE); // [S]\n      if (this.read(object) === 0) break; // [W]\n',
    replace: '      if (this.read(object) === 0) break;\n      const seen = Atomics.load(this.words, line + WAKE);\n',
    scenario: 'structures/counters-shared-async',
  },
];

export const sharedCounterMutants: readonly Mutant[] = [
  {
    name: 'sub in two steps',
    module: shared,
    find: 'const found = Atomics.sub(this.words, line + COUNT, n); // [W]',
    replace:
      'const found = Atomics.load(this.words, line + COUNT); Atomics.store(this.words, line + COUNT, found - n);',
    scenario: 'structures/counters-shared',
  },
  {
    name: 'add in two steps',
    module: shared,
    find: '    Atomics.add(this.words, this.lines + object * LINE + COUNT, n);\n',
    replace:
      '    const at = this.lines + object * LINE + COUNT;\n    Atomics.store(this.words, at, Atomics.load(this.words, at) + n);\n',
    scenario: 'structures/drain-shared',
  },
  {
    name: 'sub looks for who waits before it counts down',
    module: shared,
    find: '    const found = Atomics.sub(this.words, line + COUNT, n); // [W]\n',
    replace:
      '    const draining = Atomics.load(this.words, line + DRAINING);\n    const found = Atomics.sub(this.words, line + COUNT, n);\n    if (draining === 0 && found >= n) return;\n',
    scenario: 'structures/counters-shared',
  },
  {
    name: 'sub does not wake who waits',
    module: shared,
    find: '    if (Atomics.load(this.words, line + DRAINING) !== 0) this.wake(line); // [W]\n',
    replace: '',
    scenario: 'structures/counters-shared',
  },
];

export const splitCounterMutants: readonly Mutant[] = [
  {
    name: 'all threads count in one row',
    module: split,
    find: 'this.#row = this.#rows + (self.id - 1) * this.#rowWords;',
    replace: 'this.#row = this.#rows;',
    scenario: 'structures/counters-split',
  },
  {
    name: 'the row is written plainly',
    module: split,
    find: 'Atomics.store(this.words, at, (this.words[at] - n) | 0); // [W] of counter-waiting.ts',
    replace: 'this.words[at] = (this.words[at] - n) | 0;',
    scenario: 'structures/counters-split',
  },
  {
    name: 'sub looks for who waits before it counts down',
    module: split,
    find: '    Atomics.store(this.words, at, (this.words[at] - n) | 0); // [W] of counter-waiting.ts\n    if (Atomics.load(this.words, line + DRAINING) !== 0)',
    replace:
      '    const draining = Atomics.load(this.words, line + DRAINING);\n    Atomics.store(this.words, at, (this.words[at] - n) | 0);\n    if (draining !== 0)',
    scenario: 'structures/counters-split',
  },
  {
    name: 'sub wakes only when its own row is at zero',
    module: split,
    find: 'if (Atomics.load(this.words, line + DRAINING) !== 0) this.wake(line);',
    replace:
      'if (Atomics.load(this.words, at) === 0 && Atomics.load(this.words, line + DRAINING) !== 0) this.wake(line);',
    scenario: 'structures/counters-split',
  },
  {
    name: 'the sum leaves the last row out',
    module: split,
    find: 'thread < this.threads; thread++)',
    replace: 'thread < this.threads - 1; thread++)',
    scenario: 'structures/drain-split',
  },
];
