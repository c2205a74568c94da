// What the checker's speed is measured on.
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import { type Scenario, scenario, type ThreadContext } from '../../explore/scenario.ts';

function counting(name: string, operations: number): Scenario {
  const thread = {
    run({ words, at }: ThreadContext): void {
      const counter = at('counter');
      for (let i = 0; i < operations; i++) Atomics.add(words, counter, 1);
    },
  };
  return scenario(import.meta.url, {
    name,
    about: 'Two threads count on one word: every two operations conflict.',
    source: 'micro/checker/scenarios.ts',
    memory: [{ name: 'counter', words: 1 }],
    threads: { alice: thread, bob: thread },
    check({ words, at }) {
      if (words[at('counter')] !== 2 * operations) throw new Error(`counted ${words[at('counter')]}`);
    },
  });
}

export const tenOperations: Scenario = counting('speed/2 × 10 operations', 10);
export const twoOperations: Scenario = counting('speed/2 × 2 operations', 2);

const locking = {
  run({ words, at, self }: ThreadContext): void {
    mutexLock(words, at('mutex'), self);
    words[at('counter')]++;
    mutexUnlock(words, at('mutex'), self);
  },
};
export const mutex: Scenario = scenario(import.meta.url, {
  name: 'speed/mutex',
  about: 'Two threads count under the mutex.',
  source: 'micro/checker/scenarios.ts',
  memory: [
    { name: 'mutex', words: 1 },
    { name: 'counter', words: 1 },
  ],
  threads: { alice: locking, bob: locking },
});
