// The mutex in one word: one thread inside at a time, what it guards is plain, and nobody sleeps for ever.
import { type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import { mutexLock, mutexTryLock, mutexUnlock } from '@faultline/core/sync';

const MEMORY = [
  { name: 'mutex', words: 1 },
  { name: 'counter', words: 1 },
];

function countOnce({ words, at, self }: ThreadContext): void {
  mutexLock(words, at('mutex'), self);
  words[at('counter')]++;
  mutexUnlock(words, at('mutex'), self);
}

function countTwice(context: ThreadContext): void {
  countOnce(context);
  countOnce(context);
}

function checkCounter(counter: number, expected: number): void {
  if (counter !== expected) throw new Error(`counter is ${counter}, not ${expected}`);
}

export const two: Scenario = scenario(import.meta.url, {
  name: 'structures/mutex',
  about: 'Two threads count under the mutex, twice each: is any increment lost, does anyone sleep for ever?',
  source: 'core/src/sync/mutex.ts',
  memory: MEMORY,
  threads: { alice: { run: countTwice }, bob: { run: countTwice } },
  check: ({ words, at }) => checkCounter(words[at('counter')], 4),
});

export const three: Scenario = scenario(import.meta.url, {
  name: 'structures/mutex-three',
  about: 'Three threads count under the mutex: who was asleep cannot know whether others still sleep. Is each woken?',
  source: 'core/src/sync/mutex.ts, CONTENDED',
  memory: MEMORY,
  threads: { alice: { run: countOnce }, bob: { run: countOnce }, carol: { run: countOnce } },
  check: ({ words, at }) => checkCounter(words[at('counter')], 3),
});

export const tryLock: Scenario = scenario(import.meta.url, {
  name: 'structures/mutex-try',
  about: 'One thread locks, another only tries: is it ever let in beside the owner, or the owner left locked in?',
  source: 'core/src/sync/mutex.ts, mutexTryLock',
  memory: MEMORY,
  threads: {
    alice: { run: countTwice },
    bob: {
      run({ words, at, self }) {
        let counted = 0;
        for (let attempt = 0; attempt < 2; attempt++) {
          if (!mutexTryLock(words, at('mutex'), self)) continue;
          words[at('counter')]++;
          counted++;
          mutexUnlock(words, at('mutex'), self);
        }
        return counted;
      },
    },
  },
  check({ words, at, results }) {
    checkCounter(words[at('counter')], 2 + results.bob);
    return `let in ${results.bob} times`;
  },
  outcomes: { 'let in 0 times': 'acceptable', 'let in 1 times': 'acceptable', 'let in 2 times': 'acceptable' },
});
