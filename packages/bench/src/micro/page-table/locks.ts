// The locks that one would put around a page table which threads cannot share by themselves.
import {
  initRwlock,
  mutexLock,
  mutexUnlock,
  readLock,
  readUnlock,
  rwlockWords,
  type ThreadSelf,
  type Words,
  writeLock,
  writeUnlock,
} from '@faultline/core';

/** A lock at hand: `read` goes round what only looks, `write` round what changes. */
export interface TableLock {
  read(): void;
  endRead(): void;
  write(): void;
  endWrite(): void;
}

/** Words of a lock, of whichever kind. */
export const LOCK_WORDS: number = rwlockWords();

/** One mutex round everything. */
export function mutexOver(words: Words, at: number, self: ThreadSelf): TableLock {
  const lock = (): void => mutexLock(words, at, self);
  const unlock = (): void => mutexUnlock(words, at, self);
  return { read: lock, endRead: unlock, write: lock, endWrite: unlock };
}

/** A readers-writer lock. @param words zeroed at `at`, or another thread's lock. */
export function rwlockOver(words: Words, at: number, self: ThreadSelf): TableLock {
  initRwlock(words, at);
  return {
    read: () => readLock(words, at, self),
    endRead: () => readUnlock(words, at),
    write: () => writeLock(words, at, self),
    endWrite: () => writeUnlock(words, at, self),
  };
}
