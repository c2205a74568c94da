// What a thread looked at since it last changed anything. A loop that only looks is the same however often it goes round: after
// SPIN_LIMIT looks with the same results the thread is held back until one of the words that it looked at changes. That is wrong of a
// loop that gives up, and of what is no loop. So the thread looks on first, on trial, with nobody else running; once it does anything
// else, the search starts again with a higher limit.
import {
  ENABLED,
  K_NOTIFY,
  MAX_SPIN_SET,
  P_ARG_HIGH,
  P_SPIN_SET,
  P_SPINS,
  PENDING,
  PENDING_STRIDE,
  SPIN_LIMIT,
  SPINNING,
} from './control.layout.ts';
import { hasWaiters } from './waiters.ts';
import type { Words64 } from './words64.ts';

/** How often a thread that is about to be held back looks on first, to see whether its loop gives up: so often the first times. */
const MOST_TRIAL_LOOKS = 1_024;
const LONG_TRIALS = 64;
const FEWEST_TRIAL_LOOKS = 32;

/** Held back until any word changes: there are too many to name. */
const ANY_WORD = -1;
const MOST_KEPT = 32;

/** What stands for those asleep on a word among the words that a thread is held back on. */
export function queueOf(loc: number): number {
  return -2 - loc;
}

export class Looks {
  readonly #control: Int32Array;
  readonly #words: Int32Array;
  readonly #wide: Words64;
  readonly #row: number;
  readonly #bit: number;
  #limit = 0;
  // Operations with their results, and how often each.
  readonly #kinds: Int32Array = new Int32Array(MOST_KEPT);
  readonly #locs: Int32Array = new Int32Array(MOST_KEPT);
  readonly #args: Int32Array = new Int32Array(MOST_KEPT);
  readonly #values: Int32Array = new Int32Array(MOST_KEPT);
  readonly #counts: Int32Array = new Int32Array(MOST_KEPT);
  readonly #when: Int32Array = new Int32Array(MOST_KEPT);
  /** Of operations on 64-bit words: what the folded argument and value leave out. */
  readonly #argHighs: Int32Array = new Int32Array(MOST_KEPT);
  readonly #valueHighs: Int32Array = new Int32Array(MOST_KEPT);
  #count = 0;
  /** Counts what this thread did, so that it is known what came before what. */
  #moment = 0;
  /** When the loop that the thread is held back in began its last round. */
  #loopSince = 0;
  /** Looks of a trial that are left; 0 outside a trial. */
  #trialLooks = 0;
  #trials = 0;
  /** Virtual milliseconds that passed on trial. */
  trialTime = 0;
  /** The upper half of the value that the last operation on a 64-bit word found. */
  seenHigh = 0;

  constructor(control: Int32Array, words: Int32Array, wide: Words64, me: number) {
    this.#control = control;
    this.#words = words;
    this.#wide = wide;
    this.#row = PENDING + me * PENDING_STRIDE;
    this.#bit = 1 << me;
  }

  beginSession(): void {
    this.#limit = this.#control[SPIN_LIMIT];
    this.#trials = 0;
  }

  beginBody(): void {
    this.#count = 0;
    this.#trialLooks = 0;
    this.trialTime = 0;
  }

  /** Whether there is anything that could be looked at once more. */
  get any(): boolean {
    return this.#count !== 0;
  }

  /** The thread has changed something, or was meant to look again. */
  forget(): void {
    this.#count = 0;
  }

  /** A thread in a trial makes operations that are no steps: they find what it found before, and nobody else runs. */
  get onTrial(): boolean {
    return this.#trialLooks !== 0;
  }

  endTrial(): void {
    this.#trialLooks = 0;
  }

  /** @returns whether the thread makes its operation as part of a trial. */
  looksOn(): boolean {
    if (this.#trialLooks === 0)
      this.#trialLooks = 1 + (this.#trials++ < LONG_TRIALS ? MOST_TRIAL_LOOKS : FEWEST_TRIAL_LOOKS);
    if (--this.#trialLooks > 0) return true;
    this.trialTime = 0;
    // It does go round: as often as the limit says is as often as it looked.
    for (let i = 0; i < this.#count; i++) if (this.#counts[i] > this.#limit) this.#counts[i] = this.#limit;
    return false;
  }

  /** How many looks the loop on trial turned out to need. */
  most(): number {
    let most = this.#limit + 1;
    for (let i = 0; i < this.#count; i++) most = Math.max(most, this.#counts[i]);
    return most;
  }

  note(kind: number, loc: number, arg: number, seen: number): void {
    const n = this.#count;
    const when = this.#moment++;
    for (let i = 0; i < n; i++) {
      if (!this.#is(i, kind, loc, arg)) continue;
      this.#when[i] = when;
      if (this.#values[i] === seen && (!this.#wide.has(loc) || this.#valueHighs[i] === this.seenHigh)) {
        this.#counts[i]++;
        return;
      }
      this.#counts.fill(0, 0, n); // the loop has seen something new: all that it looks at is looked at afresh
      this.#values[i] = seen;
      this.#valueHighs[i] = this.seenHigh;
      this.#counts[i] = 1;
      return;
    }
    let at = n;
    if (n === MOST_KEPT) {
      at = 0; // what was longest ago is the least likely to be part of a loop
      for (let i = 1; i < n; i++) if (this.#when[i] < this.#when[at]) at = i;
    } else this.#count = n + 1;
    this.#kinds[at] = kind;
    this.#locs[at] = loc;
    this.#args[at] = arg;
    this.#argHighs[at] = this.#control[this.#row + P_ARG_HIGH];
    this.#values[at] = seen;
    this.#valueHighs[at] = this.seenHigh;
    this.#counts[at] = 1;
    this.#when[at] = when;
  }

  #is(i: number, kind: number, loc: number, arg: number): boolean {
    return (
      this.#locs[i] === loc &&
      this.#kinds[i] === kind &&
      this.#args[i] === arg &&
      (!this.#wide.has(loc) || this.#argHighs[i] === this.#control[this.#row + P_ARG_HIGH])
    );
  }

  /** Whether the thread is about to make, once more, an operation that it made SPIN_LIMIT times, and nothing that it looked at
   * since the last time is any different. What it looked at before that is not part of the loop. */
  goesRound(kind: number, loc: number, arg: number): boolean {
    const n = this.#count;
    let since = -1;
    for (let i = 0; i < n; i++)
      if (this.#is(i, kind, loc, arg)) {
        if (this.#counts[i] < this.#limit) return false;
        since = this.#when[i];
      }
    if (since < 0) return false;
    this.#loopSince = since;
    for (let i = 0; i < n; i++) if (this.#when[i] >= since && !this.#isAsBefore(i)) return false;
    return true;
  }

  #isAsBefore(i: number): boolean {
    const loc = this.#locs[i];
    if (loc < 0 || loc >= this.#wide.end) return true;
    if (this.#kinds[i] === K_NOTIFY) return !hasWaiters(this.#control, loc);
    if (this.#wide.has(loc)) return this.#wide.is(loc, this.#values[i], this.#valueHighs[i]);
    return this.#words[loc] === this.#values[i];
  }

  /** Holds the thread back until something that its loop looks at changes. */
  hold(): void {
    const control = this.#control;
    const row = this.#row;
    let count = 0;
    for (let i = 0; i < this.#count; i++) {
      const loc = this.#locs[i];
      if (this.#when[i] < this.#loopSince || loc >= this.#wide.end) continue;
      if (count === MAX_SPIN_SET) {
        count = ANY_WORD;
        break;
      }
      control[row + P_SPIN_SET + count++] = this.#kinds[i] === K_NOTIFY ? queueOf(loc) : loc;
    }
    control[row + P_SPINS] = count;
    control[SPINNING] |= this.#bit;
  }
}

/** Something changed at a location, or among those asleep there: whoever is held back on it may go on. */
export function releaseHeld(control: Int32Array, loc: number): void {
  for (let left = control[SPINNING]; left !== 0; left &= left - 1) {
    const thread = 31 - Math.clz32(left & -left);
    const row = PENDING + thread * PENDING_STRIDE;
    const words = control[row + P_SPINS];
    let watched = words === ANY_WORD;
    for (let i = 0; i < words && !watched; i++) watched = control[row + P_SPIN_SET + i] === loc;
    if (!watched) continue;
    control[SPINNING] &= ~(1 << thread);
    control[ENABLED] |= 1 << thread;
  }
}
