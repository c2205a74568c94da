// Read-copy-update in its quiescent-state form: readers mark nothing. A thread that is online may hold references to
// anything it found, until it says, between two rounds of its loop, that it holds none. A grace period is over once every
// thread has said so, or was offline, since it was asked for. A thread that sleeps or has finished is offline.
//
// Ordering. What is freed after a grace period is plain.
//   [P] updater: unlink, then ASKED, then READERS       pairs with  [Q] reader: its READERS word, then the next look-up
//   [C] updater: READERS, then free or reuse            pairs with  [R] reader: last use, then its READERS word
//   [W] reader: its READERS word, then WAITERS          pairs with      waiter: WAITERS, then READERS (compared inside wait)
// Without [P]-[Q] a reader could say it holds nothing and then still find what was unlinked; without [C]-[R] its last read
// could see the object reused; without [W] the waiter could sleep through the answer it waits for.
import { checkInteger, IommuError } from '../errors/index.ts';
import { alignLine, checkRegion } from '../memory/region.ts';
import { ASKED, DONE, READERS, THREADS, WAITERS } from './rcu.layout.ts';
import { LINE, type ThreadSelf, type Words } from './thread-self.ts';

const FIRST = 1;
const STEP = 2;

/** Words for readers 1..threads. @throws IommuError EINVAL */
export function rcuWords(threads: number): number {
  checkInteger('rcuWords', 'threads', threads, 1, 65535);
  return alignLine(READERS + LINE + threads * LINE);
}

/** Lays out zeroed words, all threads offline. @throws IommuError EINVAL */
export function initRcu(words: Words, base: number, threads: number): void {
  checkRegion('initRcu', words, base, rcuWords(threads));
  words[base + THREADS] = threads;
  words[base + ASKED] = FIRST;
  words[base + DONE] = FIRST;
}

/** One thread as a reader. Made by that thread, once; it starts offline. */
export class RcuThread {
  readonly #words: Words;
  readonly #asked: number;
  readonly #waiters: number;
  readonly #own: number;
  /** What our word was last set to, 0 while offline. */
  #seen: number;

  constructor(words: Words, base: number, self: ThreadSelf) {
    checkRegion('RcuThread', words, base, 1);
    checkInteger('RcuThread', 'self.id', self.id, 1, words[base + THREADS]);
    this.#words = words;
    this.#asked = base + ASKED;
    this.#waiters = base + WAITERS;
    this.#own = base + READERS + self.id * LINE;
    this.#seen = 0;
  }

  /** From here on this thread may hold references. @throws IommuError EBUSY when it is online already. */
  online(): void {
    if (this.#seen !== 0) throw new IommuError('EBUSY', 'RcuThread.online', 'seen', this.#seen, 'online already');
    this.#seen = Atomics.load(this.#words, this.#asked);
    Atomics.store(this.#words, this.#own, this.#seen); // [Q]
  }

  /** This thread holds no references, and takes none until it is online again. Before sleeping, and when done. */
  offline(): void {
    this.#seen = 0;
    this.#tell(0);
  }

  /** This thread holds no references at this moment: between two rounds of its loop. A load and a compare, mostly. */
  quiescent(): void {
    const asked = Atomics.load(this.#words, this.#asked);
    if (asked !== this.#seen && this.#seen !== 0) {
      this.#seen = asked;
      this.#tell(asked);
    }
  }

  isOnline(): boolean {
    return this.#seen !== 0;
  }

  #tell(seen: number): void {
    Atomics.store(this.#words, this.#own, seen); // [R] [Q]
    if (Atomics.load(this.#words, this.#waiters) !== 0) Atomics.notify(this.#words, this.#own); // [W]
  }
}

/** Grace periods, for whoever unlinks. Any thread may open one. */
export class Rcu {
  readonly threads: number;
  readonly #words: Words;
  readonly #base: number;

  constructor(words: Words, base: number) {
    checkRegion('Rcu', words, base, 1);
    this.threads = words[base + THREADS];
    if (this.threads === 0) throw new IommuError('EINVAL', 'Rcu', 'base', base, 'no readers were laid out here');
    this.#words = words;
    this.#base = base;
  }

  /** Asks for a grace period. What the caller unlinked before may be freed once {@link isDone}. Never blocks. */
  startGracePeriod(): number {
    return (Atomics.add(this.#words, this.#base + ASKED, STEP) + STEP) | 0; // [P]
  }

  /** Whether a grace period is over. Never blocks. */
  isDone(gracePeriod: number): boolean {
    return this.laggard(gracePeriod) === 0;
  }

  /** A thread that a grace period waits for, 0 when it is over. */
  laggard(gracePeriod: number): number {
    const words = this.#words;
    const done = Atomics.load(words, this.#base + DONE); // [C], on behalf of who looked
    if (((done - gracePeriod) | 0) >= 0) return 0;
    for (let thread = 1; thread <= this.threads; thread++)
      if (holdsUp(Atomics.load(words, this.#reader(thread)), gracePeriod)) return thread; // [C]
    // Only saves work: an older value that wins here sends somebody through the loop again, a newer one is right as well.
    Atomics.compareExchange(words, this.#base + DONE, done, gracePeriod);
    return 0;
  }

  /** Waits for a grace period: all who could hold what the caller has unlinked have let go of it.
   * The caller holds no references: if it is a reader, it counts as offline meanwhile. Context: may block. */
  synchronize(self: ThreadSelf): void {
    const words = this.#words;
    const own = self.id >= 1 && self.id <= this.threads ? this.#reader(self.id) : 0;
    const wasOnline = own !== 0 && Atomics.load(words, own) !== 0;
    // Two readers that synchronise at once would otherwise wait for each other.
    if (wasOnline) this.#setReader(own, 0);
    const gracePeriod = this.startGracePeriod();
    for (let thread = 1; thread <= this.threads; thread++) this.#await(this.#reader(thread), gracePeriod, self.spins);
    if (wasOnline) this.#setReader(own, Atomics.load(words, this.#base + ASKED)); // [Q]
  }

  /** As {@link synchronize}, for event loops: a reader on this very thread goes on, and is waited for as any other.
   * Keeps no process alive by itself. */
  async synchronizeAsync(): Promise<void> {
    const words = this.#words;
    const gracePeriod = this.startGracePeriod();
    Atomics.add(words, this.#base + WAITERS, 1); // [W]
    for (let thread = 1; thread <= this.threads; thread++) {
      const reader = this.#reader(thread);
      for (let seen = Atomics.load(words, reader); holdsUp(seen, gracePeriod); seen = Atomics.load(words, reader)) {
        const wait = Atomics.waitAsync(words, reader, seen);
        if (wait.async) await wait.value;
      }
    }
    Atomics.sub(words, this.#base + WAITERS, 1);
  }

  /** Takes a dead thread offline, so that grace periods go on. Only for a thread that has ended.
   * @throws IommuError EINVAL no such thread. */
  forget(thread: number): void {
    checkInteger('Rcu.forget', 'thread', thread, 1, this.threads);
    this.#setReader(this.#reader(thread), 0);
  }

  /** Waits until one thread has let go. */
  #await(reader: number, gracePeriod: number, spins: number): void {
    const words = this.#words;
    for (let spin = 0; spin <= spins; spin++) if (!holdsUp(Atomics.load(words, reader), gracePeriod)) return; // [C]
    Atomics.add(words, this.#base + WAITERS, 1); // [W]
    for (let seen = Atomics.load(words, reader); holdsUp(seen, gracePeriod); seen = Atomics.load(words, reader))
      Atomics.wait(words, reader, seen);
    Atomics.sub(words, this.#base + WAITERS, 1);
  }

  #setReader(reader: number, seen: number): void {
    Atomics.store(this.#words, reader, seen);
    if (Atomics.load(this.#words, this.#base + WAITERS) !== 0) Atomics.notify(this.#words, reader);
  }

  #reader(thread: number): number {
    return this.#base + READERS + thread * LINE;
  }
}

/** Whether a reader's word says that it may still hold what was unlinked before the grace period was asked for. */
function holdsUp(seen: number, gracePeriod: number): boolean {
  return seen !== 0 && ((seen - gracePeriod) | 0) < 0;
}
