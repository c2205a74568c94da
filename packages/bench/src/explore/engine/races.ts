// Data races, by vector clocks. Two accesses to one word race when one of them writes, one of them is plain, and nothing that
// synchronises stands between. An atomic write synchronises with the atomic reads that find its value (JavaScript has no weaker
// order); wait and notify on one word go through the critical section of those asleep there, one after the other (ECMA-262,
// EnterCriticalSection). Fidge-Mattern clocks, with an epoch for the last plain write as in FastTrack (Flanagan, Freund, 2009): plain
// writes that do not race come one after the other, atomic ones need not.

import { MARK_RACY } from './placement.ts';

/** What raced: told to whoever made the detector. `other` made the first access. */
export type OnRace = (loc: number, what: string, other: number, otherWhat: string) => never;

const HEADER = 64; // a clock a thread

// A row a location: who wrote plainly last, clock of the last atomic write, clock of the critical section, then by thread when it
// last read plainly, read atomically, wrote atomically.
export class Races {
  readonly #shadow: Int32Array<SharedArrayBuffer>;
  readonly #threads: number;
  readonly #me: number;
  readonly #own: number;
  readonly #stride: number;
  readonly #marks: Uint8Array;
  readonly #onRace: OnRace;

  constructor(shadow: Int32Array<SharedArrayBuffer>, threads: number, me: number, marks: Uint8Array, onRace: OnRace) {
    this.#shadow = shadow;
    this.#threads = threads;
    this.#me = me;
    this.#own = me * threads;
    this.#stride = rowWords(threads);
    this.#marks = marks;
    this.#onRace = onRace;
  }

  /** A schedule starts: everybody knows all that was before. Context: one thread, before the others. */
  static begin(shadow: Int32Array, threads: number): void {
    let newest = 0;
    for (let i = 0; i < threads * threads; i++) newest = Math.max(newest, shadow[i]);
    if (newest > 2 ** 30) {
      shadow.fill(0);
      newest = 0;
    }
    for (let i = 0; i < threads * threads; i++) shadow[i] = newest + 1;
    for (let t = 0; t < threads; t++) shadow[t * threads + t]++;
  }

  plainRead(loc: number): void {
    if ((this.#marks[loc] & MARK_RACY) !== 0) return;
    const row = this.#row(loc);
    this.#against(loc, row + PLAIN_WRITE, 'plain read', 'plain write');
    this.#againstAll(loc, row, ATOMIC_WRITES, 'plain read', 'atomic write');
    this.#shadow[this.#last(row, PLAIN_READS)] = this.#shadow[this.#own + this.#me];
  }

  plainWrite(loc: number): void {
    if ((this.#marks[loc] & MARK_RACY) !== 0) return;
    const row = this.#row(loc);
    this.#against(loc, row + PLAIN_WRITE, 'plain write', 'plain write');
    this.#againstAll(loc, row, ATOMIC_WRITES, 'plain write', 'atomic write');
    this.#againstAll(loc, row, PLAIN_READS, 'plain write', 'plain read');
    this.#againstAll(loc, row, ATOMIC_READS, 'plain write', 'atomic read');
    this.#shadow[row + PLAIN_WRITE] = this.#me;
    this.#shadow[row + PLAIN_WRITE + 1] = this.#shadow[this.#own + this.#me];
  }

  /** What it finds is known before it is held against what others did: who wrote plainly and then published here does not race. */
  atomicRead(loc: number): void {
    const row = this.#row(loc);
    this.#join(row + CLOCKS);
    if ((this.#marks[loc] & MARK_RACY) !== 0) return;
    this.#against(loc, row + PLAIN_WRITE, 'atomic read', 'plain write');
    this.#shadow[this.#last(row, ATOMIC_READS)] = this.#shadow[this.#own + this.#me];
  }

  /** @param finds whether the operation reads what was there: then it synchronises with who wrote that, too. */
  atomicWrite(loc: number, finds: boolean): void {
    const row = this.#row(loc);
    if (finds) this.#join(row + CLOCKS);
    if ((this.#marks[loc] & MARK_RACY) === 0) {
      this.#against(loc, row + PLAIN_WRITE, 'atomic write', 'plain write');
      this.#againstAll(loc, row, PLAIN_READS, 'atomic write', 'plain read');
      this.#shadow[this.#last(row, ATOMIC_WRITES)] = this.#shadow[this.#own + this.#me];
    }
    this.#publish(row + CLOCKS);
  }

  /** Goes through the critical section of those asleep on a word: a notify, a wait, one that was woken. */
  critical(loc: number): void {
    const at = this.#row(loc) + CLOCKS + this.#threads;
    this.#join(at);
    this.#publish(at);
  }

  #row(loc: number): number {
    return HEADER + loc * this.#stride;
  }

  #last(row: number, which: number): number {
    return row + CLOCKS + which * this.#threads + this.#me;
  }

  #against(loc: number, at: number, what: string, otherWhat: string): void {
    const other = this.#shadow[at];
    if (other !== this.#me && this.#shadow[at + 1] > this.#shadow[this.#own + other])
      this.#onRace(loc, what, other, otherWhat);
  }

  #againstAll(loc: number, row: number, which: number, what: string, otherWhat: string): void {
    const at = row + CLOCKS + which * this.#threads;
    for (let other = 0; other < this.#threads; other++)
      if (other !== this.#me && this.#shadow[at + other] > this.#shadow[this.#own + other])
        this.#onRace(loc, what, other, otherWhat);
  }

  #join(at: number): void {
    const shadow = this.#shadow;
    for (let t = 0; t < this.#threads; t++)
      if (shadow[at + t] > shadow[this.#own + t]) shadow[this.#own + t] = shadow[at + t];
  }

  #publish(at: number): void {
    const shadow = this.#shadow;
    for (let t = 0; t < this.#threads; t++) shadow[at + t] = shadow[this.#own + t];
    shadow[this.#own + this.#me]++;
  }
}

const PLAIN_WRITE = 0; // thread, clock
const CLOCKS = 2;
const PLAIN_READS = 2;
const ATOMIC_READS = 3;
const ATOMIC_WRITES = 4;

function rowWords(threads: number): number {
  return CLOCKS + 5 * threads;
}

export function shadowWords(locations: number, threads: number): number {
  return HEADER + locations * rowWords(threads);
}
