import { expect, test, vi } from 'vitest';
import { mutexLock, mutexOwner, mutexTryLock, mutexUnlock } from './index.ts';
import { thread, wordsFor } from './testing.test-help.ts';

const AT = 3;

test('the owner is recorded until it unlocks', () => {
  const words = wordsFor(0);
  mutexLock(words, AT, thread(7));
  expect(mutexOwner(words, AT)).toBe(7);
  expect(mutexTryLock(words, AT, thread(8))).toBe(false);
  mutexUnlock(words, AT, thread(7));
  expect(mutexOwner(words, AT)).toBe(0);
  expect(mutexTryLock(words, AT, thread(8))).toBe(true);
});

test('only the owner unlocks', () => {
  const words = wordsFor(0);
  expect(() => mutexUnlock(words, AT, thread(1))).toThrow(/mutexUnlock: self\.id = 1: owner is nobody \(EINVAL\)/);
  mutexLock(words, AT, thread(2));
  expect(() => mutexUnlock(words, AT, thread(1))).toThrow(/owner is 2/);
  expect(mutexOwner(words, AT)).toBe(2);
});

test('locking twice is refused, not waited for', () => {
  const words = wordsFor(0);
  mutexLock(words, AT, thread(1));
  expect(() => mutexLock(words, AT, thread(1))).toThrow(/mutexLock: self\.id = 1.*EBUSY/);
});

test('who slept takes over the duty to wake others; nobody else notifies', () => {
  const words = wordsFor(0);
  const notify = vi.spyOn(Atomics, 'notify');
  mutexLock(words, AT, thread(1));
  const wait = vi.spyOn(Atomics, 'wait').mockImplementationOnce(() => {
    mutexUnlock(words, AT, thread(1)); // the owner, while we sleep
    return 'ok';
  });
  mutexLock(words, AT, thread(2));
  expect(notify).toHaveBeenCalledTimes(1);
  mutexUnlock(words, AT, thread(2));
  expect(notify).toHaveBeenCalledTimes(2);
  mutexLock(words, AT, thread(3));
  mutexUnlock(words, AT, thread(3));
  expect(notify).toHaveBeenCalledTimes(2);
  wait.mockRestore();
  notify.mockRestore();
});
