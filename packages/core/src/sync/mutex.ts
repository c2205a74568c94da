// A mutex in one word: the owner's thread id, 0 when free, and CONTENDED while somebody may be asleep on it.
//
// Ordering. What the mutex guards is plain.
//   [P] unlock: guarded words, then the word        pairs with  [C] lock: the word, then guarded words
//   [W] unlock: the word, then the CONTENDED found  pairs with      lock: CONTENDED, then the word (compared inside Atomics.wait)
// Who was asleep takes the mutex with CONTENDED set, as it cannot know whether others still sleep: one notify too many at
// the end, never one too few.
import { IommuError } from '../errors/index.ts';
import type { ThreadSelf, Words } from './thread-self.ts';

const CONTENDED = 1 << 30;
const OWNER = CONTENDED - 1;

/** Takes the mutex at word `at`, waiting for it. Context: may block.
 * @throws IommuError EBUSY when this thread has it already. */
export function mutexLock(words: Words, at: number, self: ThreadSelf): void {
  const seen = Atomics.compareExchange(words, at, 0, self.id); // [C]
  if (seen !== 0) lockSlowly(words, at, self, seen);
}

/** Takes the mutex if it is free. @returns false when it is not. Never blocks. */
export function mutexTryLock(words: Words, at: number, self: ThreadSelf): boolean {
  return Atomics.compareExchange(words, at, 0, self.id) === 0; // [C]
}

/** Gives the mutex up. @throws IommuError EINVAL unless this thread has it: names who does. */
export function mutexUnlock(words: Words, at: number, self: ThreadSelf): void {
  const found = Atomics.compareExchange(words, at, self.id, 0); // [P]
  if (found !== self.id) unlockContended(words, at, self, found & OWNER);
}

/** The thread that has the mutex, 0 for none. */
export function mutexOwner(words: Words, at: number): number {
  return Atomics.load(words, at) & OWNER;
}

function unlockContended(words: Words, at: number, self: ThreadSelf, owner: number): void {
  if (owner !== self.id)
    throw new IommuError('EINVAL', 'mutexUnlock', 'self.id', self.id, `owner is ${owner === 0 ? 'nobody' : owner}`);
  Atomics.store(words, at, 0); // [P]
  Atomics.notify(words, at, 1); // [W]
}

function lockSlowly(words: Words, at: number, self: ThreadSelf, found: number): void {
  if ((found & OWNER) === self.id)
    throw new IommuError('EBUSY', 'mutexLock', 'self.id', self.id, 'this thread has the mutex already');
  for (let spin = 0; spin < self.spins; spin++)
    if (Atomics.load(words, at) === 0 && mutexTryLock(words, at, self)) return;
  for (;;) {
    const seen = Atomics.load(words, at);
    if (seen === 0) {
      if (Atomics.compareExchange(words, at, 0, self.id | CONTENDED) === 0) return; // [C]
      continue;
    }
    const announced = seen | CONTENDED;
    if (seen === announced || Atomics.compareExchange(words, at, seen, announced) === seen)
      Atomics.wait(words, at, announced); // [W]
  }
}
