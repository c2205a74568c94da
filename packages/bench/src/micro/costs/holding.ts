import {
  LINE,
  mutexLock,
  mutexUnlock,
  refcountIncNotZero,
  refcountInit,
  refcountPut,
  type Words,
} from '@faultline/core';
import { OPERATIONS, SELF, type Subject, wordsFor } from './subject.ts';

function getAndPut(words: Words, at: number): void {
  for (let i = 0; i < OPERATIONS; i++) if (refcountIncNotZero(words, at)) refcountPut(words, at);
}
function lockAndUnlock(words: Words, at: number): void {
  for (let i = 0; i < OPERATIONS; i++) {
    mutexLock(words, at, SELF);
    mutexUnlock(words, at, SELF);
  }
}

/** Holding on to an object, and keeping others out. */
export const holding: Subject = {
  name: 'refcount, mutex',
  costs() {
    const { words, base } = wordsFor(2 * LINE);
    refcountInit(words, base, 1);
    return [
      { name: 'refcount inc-not-zero and put', operations: OPERATIONS, run: () => getAndPut(words, base) },
      { name: 'mutex lock and unlock', operations: OPERATIONS, run: () => lockAndUnlock(words, base + LINE) },
    ];
  },
};
