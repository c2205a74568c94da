import type { Clock, Words } from '@faultline/core/sync';
import { TICKS_PER_MS } from '@faultline/core/sync';
import type { LogSpec } from './log-specs.ts';
import { RECORD_WORDS } from './records.ts';

// Software's end of a log. Orderings are named in log-writer.ts.
//
// An entry is copied, zeroed and given back before it is handled, as Linux does: zeroed so that the next one in its place can be seen to
// arrive late (erratum 733: the tail moves before the entry is in memory), given back first so that handling holds no entry.

/** How long an entry that the tail covers is waited for. @see Linux LOOP_TIMEOUT */
export const LATE_LIMIT_MS = 100;

const ENTRY_BYTES = RECORD_WORDS * 4;

export const LOG_TAKEN = 0;
export const LOG_EMPTY = 1;
/** The next entry is not in memory yet: come again. */
export const LOG_LATE = 2;
/** It did not come in time: it was passed over. */
export const LOG_MISSING = 3;

export class LogReader {
  readonly #words: Words;
  readonly #headAt: number;
  readonly #tailAt: number;
  readonly #ring: number;
  readonly #mask: number; // bytes of the log, less one
  readonly #clock: Clock;
  #head: number; // HEAD, which no one else writes
  #tail: number; // TAIL when last read: read again only when it is reached
  #late = false;
  #lateSince = 0;
  /** The entry that {@link take} took. */
  readonly entry: Int32Array = new Int32Array(RECORD_WORDS);

  constructor(words: Words, spec: LogSpec, ring: number, entries: number, clock: Clock) {
    this.#words = words;
    this.#headAt = spec.headAt;
    this.#tailAt = spec.tailAt;
    this.#ring = ring;
    this.#mask = entries * ENTRY_BYTES - 1;
    this.#clock = clock;
    this.#head = Atomics.load(words, spec.headAt);
    this.#tail = this.#head;
  }

  /** Takes the next entry into {@link entry}. @returns LOG_*. Never blocks. */
  take(): number {
    const words = this.#words;
    if (this.#head === this.#tail && !this.hasEntries()) return LOG_EMPTY;
    const at = this.#ring + (this.#head >>> 2);
    const high = Atomics.load(words, at + 1); // pairs with the hardware: the rest, then the type
    if (high >>> 28 === 0) {
      if (!this.#isOverdue()) return LOG_LATE;
      this.#late = false;
      this.#giveBack();
      return LOG_MISSING;
    }
    this.#late = false;
    const { entry } = this;
    entry[0] = words[at];
    entry[1] = high;
    entry[2] = words[at + 2];
    entry[3] = words[at + 3];
    words.fill(0, at, at + RECORD_WORDS);
    this.#giveBack();
    return LOG_TAKEN;
  }

  /** Whether the tail is elsewhere, looking afresh. A tail that is no entry's is taken as the hardware meant it: modulo the log. */
  hasEntries(): boolean {
    this.#tail = Atomics.load(this.#words, this.#tailAt) & this.#mask & -ENTRY_BYTES; // [C]
    return this.#head !== this.#tail;
  }

  #giveBack(): void {
    this.#head = (this.#head + ENTRY_BYTES) & this.#mask;
    Atomics.store(this.#words, this.#headAt, this.#head); // [R]
  }

  #isOverdue(): boolean {
    const now = this.#clock();
    if (!this.#late) {
      this.#late = true;
      this.#lateSince = now;
    }
    return ((now - this.#lateSince) | 0) >= LATE_LIMIT_MS * TICKS_PER_MS;
  }
}
