// Something that happens, and somebody who waits for it: each completion lets one waiter go, none sleeps through it.
import { type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import {
  complete,
  completeAll,
  completionWords,
  tryWaitForCompletion,
  waitForCompletion,
  waitForCompletionAsync,
} from '@faultline/core/sync';

const MEMORY = [
  { name: 'completion', words: completionWords(), fields: { DONE: 0, WAITERS: 1 } },
  { name: 'result', words: 1 },
];
const ALL = 0x7fffffff;

function wait({ words, at, self }: ThreadContext): void {
  if (!waitForCompletion(words, at('completion'), self, Infinity)) throw new Error('the wait gave up');
}

function checkLeft(left: number, expected: number): void {
  if (left !== expected) throw new Error(`${left} completions are left, not ${expected}`);
}

export const once: Scenario = scenario(import.meta.url, {
  name: 'structures/completion',
  about: 'One thread completes twice, another waits twice: is either completion lost, is the result seen?',
  source: 'core/src/sync/completion.ts',
  memory: MEMORY,
  threads: {
    alice: {
      run({ words, at }) {
        words[at('result')] = 1;
        complete(words, at('completion'));
        complete(words, at('completion'));
      },
    },
    bob: {
      run(context) {
        wait(context);
        if (context.words[context.at('result')] !== 1) throw new Error('completed without the result');
        wait(context);
      },
    },
  },
  check: ({ words, at }) => checkLeft(words[at('completion')], 0),
});

export const eachOne: Scenario = scenario(import.meta.url, {
  name: 'structures/completion-two',
  about: 'Two threads wait and one completes twice: does each completion let one of them go?',
  source: 'core/src/sync/completion.ts, complete',
  memory: MEMORY,
  threads: {
    alice: { run: wait },
    bob: { run: wait },
    carol: {
      run({ words, at }) {
        complete(words, at('completion'));
        complete(words, at('completion'));
      },
    },
  },
  check: ({ words, at }) => checkLeft(words[at('completion')], 0),
});

export const all: Scenario = scenario(import.meta.url, {
  name: 'structures/completion-all',
  about: 'Two threads wait and one lets all go: is each woken, and is whoever comes later let through?',
  source: 'core/src/sync/completion.ts, completeAll',
  memory: MEMORY,
  threads: {
    alice: { run: wait },
    bob: { run: wait },
    carol: { run: ({ words, at }) => completeAll(words, at('completion')) },
  },
  check({ words, at }) {
    checkLeft(words[at('completion')], ALL);
    if (!tryWaitForCompletion(words, at('completion'))) throw new Error('whoever comes later waits');
  },
});

export const taken: Scenario = scenario(import.meta.url, {
  name: 'structures/completion-try',
  about: 'Two threads try to take completions while one of them completes: is any taken twice, or lost?',
  source: 'core/src/sync/completion.ts, tryWaitForCompletion',
  memory: MEMORY,
  threads: {
    alice: {
      run({ words, at }) {
        complete(words, at('completion'));
        return tryWaitForCompletion(words, at('completion')) ? 1 : 0;
      },
    },
    bob: {
      run({ words, at }) {
        complete(words, at('completion'));
        return tryWaitForCompletion(words, at('completion')) ? 1 : 0;
      },
    },
  },
  check: ({ words, at, results }) => checkLeft(words[at('completion')], 2 - results.alice - results.bob),
});

export const eventLoop: Scenario = scenario(import.meta.url, {
  name: 'structures/completion-async',
  about: 'An event loop waits twice without blocking, another thread completes twice: is either completion lost?',
  source: 'core/src/sync/completion.ts, waitForCompletionAsync',
  memory: MEMORY,
  threads: {
    alice: {
      run({ words, at }) {
        words[at('result')] = 1;
        complete(words, at('completion'));
        complete(words, at('completion'));
      },
    },
    bob: {
      async run({ words, at }) {
        await waitForCompletionAsync(words, at('completion'));
        if (words[at('result')] !== 1) throw new Error('completed without the result');
        await waitForCompletionAsync(words, at('completion'));
      },
    },
  },
  check: ({ words, at }) => checkLeft(words[at('completion')], 0),
});
