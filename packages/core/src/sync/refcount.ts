// References in one word. At its limit a count sticks: the object is leaked rather than freed in use. At zero it is dead,
// and stays dead.
//
// Ordering. What the references hold in place is plain.
//   [P] put: last use, then the word     pairs with  [C] the put that returns true: the word, then free
// refcountIncNotZero is for a look-up that holds no reference yet: the caller holds what keeps the word in place, a grace
// period or a slab. In a slab the object may have been reused since the look-up: compare its generation afterwards.
import { checkInteger, IommuError } from '../errors/index.ts';
import type { Words } from './thread-self.ts';

/** Where a count sticks. */
export const REFCOUNT_SATURATED = 0x3fffffff;

/** Starts an object out with `n` references, before it is shared. @throws IommuError EINVAL */
export function refcountInit(words: Words, at: number, n: number): void {
  Atomics.store(words, at, checkInteger('refcountInit', 'n', n, 1, REFCOUNT_SATURATED));
}

/** Takes a reference, unless the last one is gone. @returns false when it is: the object is dying, look it up again. */
export function refcountIncNotZero(words: Words, at: number): boolean {
  // Read plainly, as a guess: only the compare-exchange decides, and a guess of zero is looked at again.
  for (let seen = words[at] || Atomics.load(words, at); seen > 0; ) {
    if (seen >= REFCOUNT_SATURATED) return true;
    const found = Atomics.compareExchange(words, at, seen, seen + 1);
    if (found === seen) return true;
    seen = found;
  }
  return false;
}

/** Takes one more reference: the caller has one. @throws IommuError EINVAL when nobody has any. */
export function refcountGet(words: Words, at: number): void {
  const found = Atomics.add(words, at, 1);
  if (found >= REFCOUNT_SATURATED) Atomics.store(words, at, REFCOUNT_SATURATED);
  else if (found <= 0) refuse('refcountGet', words, at, -1, found);
}

/** Gives a reference up. @returns true when it was the last: the caller frees the object. @throws IommuError EINVAL underflow. */
export function refcountPut(words: Words, at: number): boolean {
  const found = Atomics.sub(words, at, 1); // [P] [C]
  if (found === 1) return true;
  if (found >= REFCOUNT_SATURATED) Atomics.store(words, at, REFCOUNT_SATURATED);
  else if (found <= 0) refuse('refcountPut', words, at, 1, found);
  return false;
}

/** How many references there are. A reading: it may be out of date at once. */
export function refcountRead(words: Words, at: number): number {
  return Atomics.load(words, at);
}

/** Puts the count back to dead and says so. */
function refuse(call: string, words: Words, at: number, undo: number, found: number): never {
  Atomics.add(words, at, undo);
  throw new IommuError('EINVAL', call, 'count', found, `word ${at}: the last reference is gone already`);
}
