// A thread's trace: records of fixed width in a ring of its own, written with plain stores and handed over with one. A full ring drops
// and counts; whoever records never waits.
//
//   name    offset  unit
//   LOST    0       records dropped since the start; the recording thread's
//   (ring)  LINE    an SPSC ring of TRACE_WORDS a slot (ring/spsc.ts has the orderings)
//
// A record is four words: when, what, of which object, for which fault. What kinds and objects mean is up to who records.
//
// Ordering. Records go by the ring's. LOST pairs with nothing: a count that is looked at now and then, and no record hangs on it.
import { initSpsc, SpscConsumer, SpscProducer, spscWords } from '../ring/index.ts';
import { LINE, type Words } from '../sync/thread-self.ts';

export const TRACE_TICK = 0;
export const TRACE_KIND = 1;
export const TRACE_OBJECT = 2;
export const TRACE_FAULT = 3;
export const TRACE_WORDS = 4;

/** Words that a ring of `records` needs, whole lines. @throws IommuError EINVAL unless `records` is a power of two. */
export function traceRingWords(records: number): number {
  return LINE + spscWords(records, TRACE_WORDS);
}

/** Makes an empty ring at `base`. @throws IommuError EINVAL on a bad size or place. */
export function initTraceRing(words: Words, base: number, records: number): void {
  initSpsc(words, base + LINE, records, TRACE_WORDS);
  Atomics.store(words, base, 0);
}

/** Records. Make one, in the thread whose ring it is. */
export class TraceWriter {
  readonly #words: Words;
  readonly #base: number;
  readonly #ring: SpscProducer;
  #lost: number; // LOST, which no one else writes

  /** @throws IommuError EINVAL where no ring was made. */
  constructor(words: Words, base: number) {
    this.#words = words;
    this.#base = base;
    this.#ring = new SpscProducer(words, base + LINE);
    this.#lost = Atomics.load(words, base);
  }

  /** Fills the next record, which the drainer sees after {@link publish}. */
  record(tick: number, kind: number, object: number, fault: number): void {
    const words = this.#words;
    const at = this.#ring.claim();
    if (at === 0) {
      this.#lost = (this.#lost + 1) | 0;
      Atomics.store(words, this.#base, this.#lost);
      return;
    }
    words[at + TRACE_TICK] = tick;
    words[at + TRACE_KIND] = kind;
    words[at + TRACE_OBJECT] = object;
    words[at + TRACE_FAULT] = fault;
  }

  /** Hands over what was recorded, with one store. */
  publish(): void {
    this.#ring.publish();
  }
}

/** Empties a ring into private memory, in whole records. One drainer a ring. */
export class TraceReader {
  readonly #words: Words;
  readonly #base: number;
  readonly #ring: SpscConsumer;

  /** @throws IommuError EINVAL where no ring was made. */
  constructor(words: Words, base: number) {
    this.#words = words;
    this.#base = base;
    this.#ring = new SpscConsumer(words, base + LINE);
  }

  /** Moves records to `into`, behind the first `behind` that stand there, as many as there are and as fit. @returns how many. */
  take(into: Int32Array, behind: number = 0): number {
    const end = Math.floor(into.length / TRACE_WORDS);
    let filled = behind;
    while (filled < end) {
      const from = this.#ring.peek();
      if (from === 0) break;
      const run = this.#ring.nextRun(end - filled);
      into.set(this.#words.subarray(from, from + run * TRACE_WORDS), filled * TRACE_WORDS);
      filled += run;
    }
    this.#ring.release();
    return filled - behind;
  }

  /** Records that found the ring full. */
  lost(): number {
    return Atomics.load(this.#words, this.#base) >>> 0;
  }
}
