// Banks of counters: the drain. Once increments have stopped, whoever waits for zero is told of the last sub and of nothing
// before it, with the count in one word (shared) or in one a thread (split).
import { type Context, type Region, type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import {
  type CounterBank,
  type CounterMode,
  complete,
  completionWords,
  counterBankWords,
  initCounterBank,
  openCounterBank,
  waitForCompletion,
} from '@faultline/core/sync';

const OBJECT = 1; // the one that is counted; the bank has 0 as well

const source = (mode: CounterMode): string => `core/src/sync/${mode}-counters.ts, counter-waiting.ts`;

function memory(mode: CounterMode, threads: number): Region[] {
  return [
    { name: 'bank', words: counterBankWords(OBJECT, threads, mode), fields: { COUNT: 64, DRAINING: 65, WAKE: 66 } },
    { name: 'work', words: threads + 1 },
    { name: 'fence', words: completionWords() },
  ];
}

/** Lays the bank out with `count` counted already, by thread 1. */
function layOut({ words, at }: Context, mode: CounterMode, threads: number, count: number): void {
  initCounterBank(words, at('bank'), OBJECT, threads, mode);
  openCounterBank(words, at('bank'), { id: 1, spins: 0 }).add(OBJECT, count);
}

const open = ({ words, at, self }: ThreadContext): CounterBank => openCounterBank(words, at('bank'), self);

/** Does one thing that was counted, and counts it down. */
function finish({ words, at, self }: ThreadContext, bank: CounterBank): void {
  words[at('work') + self.id] = 1;
  bank.sub(OBJECT, 1);
}

/** Waits for zero: then everything that was counted is done. */
function drain({ words, at, self }: ThreadContext, bank: CounterBank, workers: readonly number[]): void {
  if (!bank.waitZero(OBJECT, self, Infinity)) throw new Error('waitZero gave up');
  if (bank.read(OBJECT) !== 0) throw new Error(`the count is ${bank.read(OBJECT)} after waitZero`);
  for (const id of workers) if (words[at('work') + id] !== 1) throw new Error(`waitZero missed thread ${id}'s work`);
}

/** Two threads count down, and one of them then waits. */
function subs(mode: CounterMode): Scenario {
  return scenario(import.meta.url, {
    name: `structures/counters-${mode}`,
    about: 'Two threads count down and one waits for zero: is it told of the last sub, and only of the last?',
    source: source(mode),
    memory: memory(mode, 2),
    setup: (context) => layOut(context, mode, 2, 3),
    threads: {
      drain: {
        open,
        run(context, bank: CounterBank) {
          finish(context, bank);
          drain(context, bank, [1, 2]);
        },
      },
      worker: {
        open,
        run(context, bank: CounterBank) {
          bank.sub(OBJECT, 1);
          finish(context, bank);
        },
      },
    },
  });
}

/** The last sub with two who wait. */
function waiters(mode: CounterMode): Scenario {
  return scenario(import.meta.url, {
    name: `structures/counters-${mode}-waiters`,
    about: 'Two threads wait for zero: are both told of the last sub?',
    source: source(mode),
    memory: memory(mode, 3),
    setup: (context) => layOut(context, mode, 3, 1),
    threads: {
      alice: { open, run: (context, bank: CounterBank) => drain(context, bank, [3]) },
      bob: { open, run: (context, bank: CounterBank) => drain(context, bank, [3]) },
      worker: { open, run: finish },
    },
  });
}

/** Increments that stop before the drain begins, as the source of faults is fenced first. */
function fenced(mode: CounterMode): Scenario {
  return scenario(import.meta.url, {
    name: `structures/drain-${mode}`,
    about: 'The source counts up until it is fenced, then the drain begins: is its sum exact, does it end?',
    source: source(mode),
    memory: memory(mode, 2),
    setup: (context) => layOut(context, mode, 2, 1),
    threads: {
      drain: {
        open,
        run(context, bank: CounterBank) {
          finish(context, bank);
          waitForCompletion(context.words, context.at('fence'), context.self, Infinity);
          drain(context, bank, [1, 2]);
        },
      },
      source: {
        open,
        run(context, bank: CounterBank) {
          bank.add(OBJECT, 1);
          complete(context.words, context.at('fence'));
          finish(context, bank);
        },
      },
    },
  });
}

/** The form for event loops. */
function eventLoop(mode: CounterMode): Scenario {
  return scenario(import.meta.url, {
    name: `structures/counters-${mode}-async`,
    about: 'An event loop waits for zero without blocking: is it told of the last sub?',
    source: 'core/src/sync/counter-waiting.ts, waitZeroAsync',
    memory: memory(mode, 2),
    setup: (context) => layOut(context, mode, 2, 2),
    threads: {
      drain: {
        open,
        async run({ words, at }, bank: CounterBank) {
          await bank.waitZeroAsync(OBJECT);
          if (words[at('work') + 2] !== 1) throw new Error('waitZeroAsync came back before the work was done');
        },
      },
      worker: {
        open,
        run(context, bank: CounterBank) {
          bank.sub(OBJECT, 1);
          finish(context, bank);
        },
      },
    },
  });
}

export const shared: Scenario = subs('shared');
export const split: Scenario = subs('split');
export const sharedWaiters: Scenario = waiters('shared');
export const splitWaiters: Scenario = waiters('split');
export const sharedDrain: Scenario = fenced('shared');
export const splitDrain: Scenario = fenced('split');
export const sharedAsync: Scenario = eventLoop('shared');
export const splitAsync: Scenario = eventLoop('split');
