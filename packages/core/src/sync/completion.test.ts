import { expect, test } from 'vitest';
import {
  complete,
  completeAll,
  completionWords,
  reinitCompletion,
  tryWaitForCompletion,
  waitForCompletion,
  waitForCompletionAsync,
} from './index.ts';
import { thread, wordsFor } from './testing.test-help.ts';

const AT = 8;

test('each completion lets one waiter go', () => {
  const words = wordsFor(completionWords());
  expect(tryWaitForCompletion(words, AT)).toBe(false);
  expect(waitForCompletion(words, AT, thread(1, 5), 2)).toBe(false);
  complete(words, AT);
  complete(words, AT);
  expect(waitForCompletion(words, AT, thread(1), 0)).toBe(true);
  expect(tryWaitForCompletion(words, AT)).toBe(true);
  expect(tryWaitForCompletion(words, AT)).toBe(false);
});

test('completing for all lasts until it is started over', () => {
  const words = wordsFor(completionWords());
  completeAll(words, AT);
  complete(words, AT);
  for (let i = 0; i < 3; i++) expect(waitForCompletion(words, AT, thread(1), 0)).toBe(true);
  reinitCompletion(words, AT);
  expect(tryWaitForCompletion(words, AT)).toBe(false);
});

test('event loops wait as threads do', async () => {
  const words = wordsFor(completionWords());
  const order: string[] = [];
  const waiters = ['a', 'b', 'c'].map((name) => waitForCompletionAsync(words, AT).then(() => order.push(name)));
  complete(words, AT);
  await Promise.race(waiters);
  expect(order).toHaveLength(1);
  completeAll(words, AT);
  await Promise.all(waiters);
  expect(order).toHaveLength(3);
});

test('a time-out that is no time is refused', () => {
  expect(() => waitForCompletion(wordsFor(0), AT, thread(1), Number.NaN)).toThrow(/timeoutMs = NaN.*EINVAL/);
});
