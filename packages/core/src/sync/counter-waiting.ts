// Waiting until a counter is at zero: what both kinds of bank have in common.
//
// Ordering.
//   [W] sub: the count, then DRAINING     pairs with  waitZero: DRAINING, then the count
//   [S] sub: the count, then WAKE         pairs with  waitZero: WAKE (compared inside Atomics.wait), then the count
// [W] is store-then-load on both sides: either the sub sees that somebody waits, or the waiter sees the sub. [S]: a sub after
// the waiter's sum has changed WAKE, so the waiter does not fall asleep over it.
import { IommuError } from '../errors/index.ts';
import { checkRegion } from '../memory/region.ts';
import { DRAINING, OBJECT_LINES, OBJECTS, THREADS, WAKE } from './counters.layout.ts';
import { deadlineAfter, remainingMs } from './deadline.ts';
import { LINE, type ThreadSelf, type Words } from './thread-self.ts';

/** Counters 0..objects of a bank, as one thread sees them. */
export abstract class CounterWaiting {
  /** The highest object. */
  readonly objects: number;
  /** The highest thread that has a row. */
  readonly threads: number;
  protected readonly words: Words;
  /** Word offset of object 0's line. */
  protected readonly lines: number;

  protected constructor(words: Words, base: number) {
    checkRegion('CounterBank', words, base, 1);
    this.words = words;
    this.objects = words[base + OBJECTS];
    this.threads = words[base + THREADS];
    this.lines = base + OBJECT_LINES;
  }

  /** The count. Exact once increments have stopped (the source is fenced, and a grace period has passed); a reading until then. */
  abstract read(object: number): number;

  /** Waits until the count is zero. Increments have stopped. Context: may block; any thread, several at once.
   * @returns false when `timeoutMs` passed first; Infinity waits for ever. */
  waitZero(object: number, self: ThreadSelf, timeoutMs: number): boolean {
    for (let spin = 0; spin < self.spins; spin++) if (this.read(object) === 0) return true;
    const line = this.lines + object * LINE;
    const deadline = deadlineAfter('CounterBank.waitZero', timeoutMs);
    this.#announce(object);
    let zero = false;
    for (;;) {
      const seen = Atomics.load(this.words, line + WAKE); // [S]
      zero = this.read(object) === 0; // [W]
      const leftMs = remainingMs(deadline);
      if (zero || leftMs === 0) break;
      Atomics.wait(this.words, line + WAKE, seen, leftMs);
    }
    Atomics.sub(this.words, line + DRAINING, 1);
    return zero;
  }

  /** As {@link waitZero} without a limit, for event loops. Keeps no process alive by itself. */
  async waitZeroAsync(object: number): Promise<void> {
    const line = this.lines + object * LINE;
    this.#announce(object);
    for (;;) {
      const seen = Atomics.load(this.words, line + WAKE); // [S]
      if (this.read(object) === 0) break; // [W]
      const wait = Atomics.waitAsync(this.words, line + WAKE, seen);
      if (wait.async) await wait.value;
    }
    Atomics.sub(this.words, line + DRAINING, 1);
  }

  #announce(object: number): void {
    if (object >>> 0 > this.objects) this.refuseObject(object);
    Atomics.add(this.words, this.lines + object * LINE + DRAINING, 1);
  }

  /** Tells who waits that a count went down. */
  protected wake(line: number): void {
    Atomics.add(this.words, line + WAKE, 1); // [S]
    Atomics.notify(this.words, line + WAKE);
  }

  protected refuseObject(object: number): never {
    throw new IommuError('EINVAL', 'CounterBank', 'object', object, `must be from 0 to ${this.objects}`);
  }
}
