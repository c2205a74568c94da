import { expect, test, vi } from 'vitest';
import {
  initRwlock,
  LINE,
  RWLOCK_LAYOUT,
  readLock,
  readUnlock,
  rwlockReaders,
  rwlockWords,
  rwlockWriter,
  tryReadLock,
  tryWriteLock,
  writeLock,
  writeUnlock,
} from './index.ts';
import { thread, wordsFor } from './testing.test-help.ts';

function makeLock() {
  const words = wordsFor(rwlockWords());
  initRwlock(words, LINE);
  return words;
}

test('readers share, a writer does not', () => {
  const words = makeLock();
  readLock(words, LINE, thread(1));
  expect(tryReadLock(words, LINE)).toBe(true);
  expect(rwlockReaders(words, LINE)).toBe(2);
  expect(tryWriteLock(words, LINE, thread(3))).toBe(false);
  expect(rwlockWriter(words, LINE)).toBe(0);
  readUnlock(words, LINE);
  readUnlock(words, LINE);
  writeLock(words, LINE, thread(3));
  expect(rwlockWriter(words, LINE)).toBe(3);
  expect(tryReadLock(words, LINE)).toBe(false);
  expect(tryWriteLock(words, LINE, thread(4))).toBe(false);
  writeUnlock(words, LINE, thread(3));
  expect(tryWriteLock(words, LINE, thread(4))).toBe(true);
  expect(rwlockReaders(words, LINE)).toBe(0);
});

test('misuse is refused', () => {
  const words = makeLock();
  expect(() => readUnlock(words, LINE)).toThrow(/readUnlock: readers = 0.*EINVAL/);
  expect(() => writeUnlock(words, LINE, thread(1))).toThrow(/owner is nobody/);
  writeLock(words, LINE, thread(2));
  expect(() => writeUnlock(words, LINE, thread(1))).toThrow(/owner is 2/);
  expect(() => writeLock(words, LINE, thread(2))).toThrow(/EBUSY/);
  expect(() => readUnlock(words, LINE)).toThrow(/nobody has the lock for reading/);
  expect(() => initRwlock(words, 5)).toThrow(/base = 5/);
  expect(RWLOCK_LAYOUT.words).toBeLessThanOrEqual(rwlockWords());
});

test('a reader that a writer came before backs out', () => {
  const words = makeLock();
  const original = Atomics.add;
  vi.spyOn(Atomics, 'add').mockImplementationOnce(((array: Int32Array, at: number, n: number) => {
    expect(tryWriteLock(words, LINE, thread(2))).toBe(true); // between the reader's look and its step
    return original(array, at, n);
  }) as typeof Atomics.add);
  expect(tryReadLock(words, LINE)).toBe(false);
  vi.restoreAllMocks();
  expect(rwlockReaders(words, LINE)).toBe(0);
  writeUnlock(words, LINE, thread(2));
  expect(tryReadLock(words, LINE)).toBe(true);
});
