// A readers-writer lock that prefers writers: from the moment a writer has its turn, new readers wait, so that readers
// cannot starve it. Writers take turns by a mutex, which records the owner. Readers count themselves in STATE.
//
// Ordering. What the lock guards is plain.
//   [P] writeUnlock: guarded words, then STATE      pairs with  [C] readLock: STATE, then guarded words
//   [R] readUnlock: last read, then STATE           pairs with  [X] writeLock: STATE without readers, then guarded words
//   [D] readUnlock: STATE, then DRAINING            pairs with      writeLock: DRAINING, then STATE (compared inside wait)
//   [W] writeUnlock: STATE, then WAITING            pairs with      readLock: WAITING, GATE, then STATE
// [D] and [W] are store-then-load on both sides: who unlocks sees who waits, or who waits sees the unlock.
// The mutex orders writers among each other.
import { IommuError } from '../errors/index.ts';
import { defineLayout, type Layout } from '../memory/layout.ts';
import { checkRegion } from '../memory/region.ts';
import { mutexLock, mutexOwner, mutexTryLock, mutexUnlock } from './mutex.ts';
import { LINE, type ThreadSelf, type Words } from './thread-self.ts';

const STATE = 0; // readers, and WRITER
const WRITING = LINE; // a mutex: whose turn it is to write
const DRAINING = LINE + 1; // 1 while the writer may sleep until the readers are gone
const WAITING = LINE + 2; // readers that may be asleep until the writer is gone
const GATE = LINE + 3; // changed by a writer that leaves while readers wait

const WRITER = 1 << 30;
const READERS = WRITER - 1;

export const RWLOCK_LAYOUT: Layout = defineLayout('rwlock', [
  { name: 'STATE', offset: 0, width: 1, unit: 'readers | WRITER', writer: 'all' },
  { name: 'WRITING', offset: 32, width: 1, unit: 'owner id | CONTENDED', writer: 'who waits' },
  { name: 'DRAINING', offset: 33, width: 1, unit: '1 while it may be asleep', writer: 'who waits' },
  { name: 'WAITING', offset: 34, width: 1, unit: 'readers', writer: 'who waits' },
  { name: 'GATE', offset: 35, width: 1, unit: 'openings', writer: 'who waits' },
]);

export function rwlockWords(): number {
  return 2 * LINE;
}

/** Lays a lock out over zeroed words, free. @throws IommuError EINVAL */
export function initRwlock(words: Words, base: number): void {
  checkRegion('initRwlock', words, base, rwlockWords());
}

/** Takes the lock for reading, together with other readers, after any writer. Context: may block. Not recursive: a second
 * readLock waits for a writer that waits for the first. */
export function readLock(words: Words, base: number, self: ThreadSelf): void {
  while (!tryReadLock(words, base)) waitForGate(words, base, self);
}

/** Takes the lock for reading unless a writer has it or waits for it. Never blocks. */
export function tryReadLock(words: Words, base: number): boolean {
  if (Atomics.add(words, base + STATE, 1) < WRITER) return true; // [C]
  readUnlock(words, base);
  return false;
}

/** @throws IommuError EINVAL when nobody reads. */
export function readUnlock(words: Words, base: number): void {
  // Plainly: who has it for reading is counted in there, whatever else changes.
  if ((words[base + STATE] & READERS) === 0)
    throw new IommuError('EINVAL', 'readUnlock', 'readers', 0, 'nobody has the lock for reading');
  const found = Atomics.sub(words, base + STATE, 1); // [R]
  if (found === (WRITER | 1) && Atomics.load(words, base + DRAINING) === 1) Atomics.notify(words, base + STATE, 1); // [D]
}

/** Takes the lock for writing, alone. Context: may block. @throws IommuError EBUSY when this thread has it for writing. */
export function writeLock(words: Words, base: number, self: ThreadSelf): void {
  mutexLock(words, base + WRITING, self);
  Atomics.or(words, base + STATE, WRITER); // from here on no new reader comes in
  for (let spin = 0; spin < self.spins; spin++) if (Atomics.load(words, base + STATE) === WRITER) return; // [X]
  if (Atomics.load(words, base + STATE) === WRITER) return; // [X]
  Atomics.store(words, base + DRAINING, 1); // [D]
  for (let seen = Atomics.load(words, base + STATE); seen !== WRITER; seen = Atomics.load(words, base + STATE))
    Atomics.wait(words, base + STATE, seen);
  Atomics.store(words, base + DRAINING, 0);
}

/** Takes the lock for writing if nobody has it. Never blocks. */
export function tryWriteLock(words: Words, base: number, self: ThreadSelf): boolean {
  if (!mutexTryLock(words, base + WRITING, self)) return false;
  if (Atomics.compareExchange(words, base + STATE, 0, WRITER) === 0) return true; // [X]
  mutexUnlock(words, base + WRITING, self);
  return false;
}

/** @throws IommuError EINVAL unless this thread has the lock for writing: names who does. */
export function writeUnlock(words: Words, base: number, self: ThreadSelf): void {
  const owner = mutexOwner(words, base + WRITING);
  if (owner !== self.id)
    throw new IommuError('EINVAL', 'writeUnlock', 'self.id', self.id, `owner is ${owner === 0 ? 'nobody' : owner}`);
  Atomics.and(words, base + STATE, READERS); // [P]
  if (Atomics.load(words, base + WAITING) !== 0) {
    Atomics.add(words, base + GATE, 1);
    Atomics.notify(words, base + GATE); // [W]
  }
  mutexUnlock(words, base + WRITING, self);
}

/** The thread that writes, or whose turn to write it is; 0 for none. */
export function rwlockWriter(words: Words, base: number): number {
  return mutexOwner(words, base + WRITING);
}

/** How many threads read: a reading, out of date at once, that may count one that is about to find a writer. */
export function rwlockReaders(words: Words, base: number): number {
  return Atomics.load(words, base + STATE) & READERS;
}

/** Waits until no writer is there, or at least one has left. */
function waitForGate(words: Words, base: number, self: ThreadSelf): void {
  for (let spin = 0; spin < self.spins; spin++) if (Atomics.load(words, base + STATE) < WRITER) return;
  Atomics.add(words, base + WAITING, 1); // [W]
  const seen = Atomics.load(words, base + GATE);
  if (Atomics.load(words, base + STATE) >= WRITER) Atomics.wait(words, base + GATE, seen);
  Atomics.sub(words, base + WAITING, 1);
}
