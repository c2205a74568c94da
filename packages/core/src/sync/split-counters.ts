// A row of counters a thread, on lines of its own: add and sub are a store to a word that nobody else writes, and the count
// is the sum over the rows. What one thread counts up another may count down, so a single row may be negative.
//
// A sum is no snapshot. Once increments have stopped, words only go down: each is read at least as high as it will end, so
// a sum of zero was zero and stays zero. While threads still count up, a sum may come out lower than the count ever was.
// An underflow therefore cannot be told from one row; a sum that stays below zero in waitZero never returns true.
import { checkInteger } from '../errors/index.ts';
import { CounterWaiting } from './counter-waiting.ts';
import { DRAINING, rowsOffset, rowWords } from './counters.layout.ts';
import { LINE, type ThreadSelf, type Words } from './thread-self.ts';

/** A bank of counters, each one word a thread. Owned by the thread that opened it: no other may add or sub through it. */
export class SplitCounters extends CounterWaiting {
  /** Word offset of this thread's row; the only words this object stores to while nobody waits. */
  readonly #row: number;
  readonly #rows: number;
  readonly #rowWords: number;

  constructor(words: Words, base: number, self: ThreadSelf) {
    super(words, base);
    checkInteger('SplitCounters', 'self.id', self.id, 1, this.threads);
    this.#rows = base + rowsOffset(this.objects);
    this.#rowWords = rowWords(this.objects);
    this.#row = this.#rows + (self.id - 1) * this.#rowWords;
  }

  /** Counts `n` up. @throws IommuError EINVAL no such object. */
  add(object: number, n: number): void {
    if (object >>> 0 > this.objects) this.refuseObject(object);
    const at = this.#row + object;
    Atomics.store(this.words, at, (this.words[at] + n) | 0); // read plainly: nobody else writes it
  }

  /** Counts `n` down, and wakes who waits for zero. @throws IommuError EINVAL no such object. */
  sub(object: number, n: number): void {
    if (object >>> 0 > this.objects) this.refuseObject(object);
    const at = this.#row + object;
    const line = this.lines + object * LINE;
    Atomics.store(this.words, at, (this.words[at] - n) | 0); // [W] of counter-waiting.ts
    if (Atomics.load(this.words, line + DRAINING) !== 0) this.wake(line);
  }

  override read(object: number): number {
    if (object >>> 0 > this.objects) this.refuseObject(object);
    let sum = 0;
    for (let thread = 0; thread < this.threads; thread++)
      sum = (sum + Atomics.load(this.words, this.#rows + thread * this.#rowWords + object)) | 0;
    return sum;
  }
}
