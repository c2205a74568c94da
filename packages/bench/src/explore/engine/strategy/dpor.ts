// Every schedule up to the order of steps that do not conflict: dynamic partial-order reduction with source sets and sleep sets.
// Abdulla, Aronis, Jonsson, Sagonas: Optimal Dynamic Partial Order Reduction, POPL 2014 (the source-set algorithm), with races
// looked for once a schedule is over, and reads, writes and failed compare-exchanges told apart by what they did.

import { CONFLICTS } from '../conflict.ts';
import {
  CLASS_BITS,
  F_BACKTRACK,
  F_CHOSEN,
  F_ENABLED,
  F_EVENT,
  F_LOC,
  F_POSTED,
  F_SLEEP,
  F_WOKE,
  FAIL_NONDETERMINISM,
  FRAME_STRIDE,
  K_NOTIFY,
  KEEP,
  loopAt,
  MAX_THREADS,
  P_KIND,
  P_LOC,
  PENDING,
  PENDING_STRIDE,
  THREADS,
  VALUE_READ,
  VALUE_WRITE,
} from '../control.layout.ts';
import { pendingClasses } from '../pending.ts';
import type { Scheduler } from '../scheduler.ts';
import { wouldPost } from '../waiters.ts';
import { goOn } from './replay.ts';

export function pickPartialOrder(scheduler: Scheduler, step: number, enabled: number): number {
  const { control } = scheduler;
  const at = scheduler.frames + step * FRAME_STRIDE;
  if (step < control[KEEP]) {
    if (control[at + F_ENABLED] !== enabled) {
      scheduler.fail(FAIL_NONDETERMINISM);
      return -1;
    }
    return control[at + F_CHOSEN];
  }
  const sleep = step === 0 ? 0 : stillAsleep(scheduler, at - FRAME_STRIDE);
  const awake = enabled & ~sleep;
  if (awake === 0) {
    scheduler.redundant();
    return -1;
  }
  const chosen = goOn(control, awake);
  control[at + F_CHOSEN] = chosen;
  control[at + F_BACKTRACK] = 1 << chosen;
  control[at + F_SLEEP] = sleep;
  control[at + F_ENABLED] = enabled;
  return chosen;
}

/** Who needed no trying before the last step and still does not: the step does not conflict with what they would do. */
function stillAsleep(scheduler: Scheduler, before: number): number {
  const { control } = scheduler;
  const event = control[before + F_EVENT];
  // Whoever it woke has announced another operation by now, in place of the time-out that it needed no trying for.
  let sleep = control[before + F_SLEEP] & ~(1 << (event & 0xff)) & ~control[before + F_WOKE];
  const loc = control[before + F_LOC];
  const conflicts = CONFLICTS[event >> 8];
  const loops = scheduler.locations;
  // Event loops that the step touched: those it gave something to do, or its own thread's, whose turn it was.
  const touched = control[before + F_POSTED] | (loc > loops ? 1 << (event & 0xff) : 0);
  if (sleep === 0 || (conflicts === 0 && touched === 0)) return sleep;
  for (let left = sleep; left !== 0; left &= left - 1) {
    const thread = 31 - Math.clz32(left & -left);
    const row = PENDING + thread * PENDING_STRIDE;
    const pending = control[row + P_LOC];
    if (
      (pending === loc && (pendingClasses(scheduler, thread) & conflicts) !== 0) ||
      (touched !== 0 && pending === loopAt(loops, thread) && (touched & (1 << thread)) !== 0) ||
      (touched !== 0 && control[row + P_KIND] === K_NOTIFY && (wouldPost(control, pending) & touched) !== 0)
    )
      sleep &= ~(1 << thread);
  }
  return sleep;
}

/** Goes through a schedule that is over, and says which others must be tried. One a thread: it keeps its tables. */
export class PartialOrder {
  readonly #scheduler: Scheduler;
  readonly #threads: number;
  /** The last step of each (location, class, thread), plus {@link #base}: what is not above it is of an earlier schedule. */
  readonly #latest: Int32Array;
  #base = 0;
  /** A row a step: for each thread, how many of the steps (up to and including one of its own) happened before. */
  readonly #clocks: Int32Array;
  readonly #now: Int32Array;
  readonly #candidates: Int32Array;
  readonly #first: Int32Array;
  /** The location of the first thread's event loop. */
  readonly #loops: number;

  constructor(scheduler: Scheduler, locations: number, maxSteps: number) {
    this.#scheduler = scheduler;
    this.#threads = scheduler.control[THREADS];
    this.#latest = new Int32Array(locations * CLASS_BITS * this.#threads);
    this.#clocks = new Int32Array(maxSteps * this.#threads);
    this.#now = new Int32Array(this.#threads * this.#threads);
    this.#candidates = new Int32Array(CLASS_BITS * this.#threads * (1 + MAX_THREADS));
    this.#loops = loopAt(scheduler.locations, 0);
    this.#first = new Int32Array(this.#threads);
  }

  /** Sets the deepest choice left. `steps` ran, of which the first `kept` choices were given. @returns false when there is none. */
  next(steps: number, kept: number): boolean {
    const { control, frames } = this.#scheduler;
    this.#findRaces(steps, kept);
    for (let step = steps - 1; step >= 0; step--) {
      const at = frames + step * FRAME_STRIDE;
      const tried = control[at + F_SLEEP] | (1 << control[at + F_CHOSEN]);
      control[at + F_SLEEP] = tried;
      const left = control[at + F_BACKTRACK] & control[at + F_ENABLED] & ~tried;
      if (left === 0) continue;
      control[at + F_CHOSEN] = 31 - Math.clz32(left & -left);
      control[KEEP] = step + 1;
      return true;
    }
    return false;
  }

  #findRaces(steps: number, kept: number): void {
    const { control, frames } = this.#scheduler;
    const threads = this.#threads;
    const now = this.#now;
    const clocks = this.#clocks;
    if (this.#base > 2 ** 30) {
      this.#latest.fill(0);
      this.#base = 0;
    }
    const base = this.#base;
    this.#base += steps;
    now.fill(0);
    const isNew = kept - 1; // races among the steps before the new choice were found when those were new
    for (let step = 0; step < steps; step++) {
      const at = frames + step * FRAME_STRIDE;
      const event = control[at + F_EVENT];
      const thread = event & 0xff;
      const classes = event >> 8;
      const loc = control[at + F_LOC];
      const own = thread * threads;
      if (loc >= 0) {
        const posted = control[at + F_POSTED];
        let count = this.#conflicting(loc, CONFLICTS[classes], thread, base, 0);
        for (let bits = posted; bits !== 0; bits &= bits - 1) {
          const loop = this.#loops + 31 - Math.clz32(bits & -bits);
          count = this.#conflicting(loop, VALUE_READ | VALUE_WRITE, thread, base, count);
        }
        for (let i = 0; i < count; i++) {
          const earlier = this.#candidates[i]; // a step plus 1
          const other = control[frames + (earlier - 1) * FRAME_STRIDE + F_EVENT] & 0xff;
          if (now[own + other] >= earlier) continue;
          if (step >= isNew) this.#race(earlier - 1, step, other, own);
          join(now, own, clocks, (earlier - 1) * threads, threads);
        }
        now[own + thread] = step + 1;
        this.#note(loc, classes, thread, base + step + 1);
        for (let bits = posted; bits !== 0; bits &= bits - 1)
          this.#note(this.#loops + 31 - Math.clz32(bits & -bits), VALUE_WRITE, thread, base + step + 1);
      } else now[own + thread] = step + 1;
      const clock = step * threads;
      for (let t = 0; t < threads; t++) clocks[clock + t] = now[own + t];
      // Whoever is woken could have run out of time instead: that step is not in this schedule to be found.
      control[at + F_BACKTRACK] |= control[at + F_WOKE] & control[at + F_ENABLED];
      for (let woke = control[at + F_WOKE]; woke !== 0; woke &= woke - 1)
        join(now, (31 - Math.clz32(woke & -woke)) * threads, clocks, clock, threads);
    }
  }

  #note(loc: number, classes: number, thread: number, moment: number): void {
    const row = loc * CLASS_BITS * this.#threads + thread;
    for (let bits = classes; bits !== 0; bits &= bits - 1)
      this.#latest[row + (31 - Math.clz32(bits & -bits)) * this.#threads] = moment;
  }

  /** Adds other threads' last steps of conflicting classes at a location to the candidates, latest first. @returns how many. */
  #conflicting(loc: number, conflicts: number, thread: number, base: number, found: number): number {
    const threads = this.#threads;
    const candidates = this.#candidates;
    const row = loc * CLASS_BITS * threads;
    let count = found;
    for (let bits = conflicts; bits !== 0; bits &= bits - 1) {
      const at = row + (31 - Math.clz32(bits & -bits)) * threads;
      for (let other = 0; other < threads; other++) {
        const step = this.#latest[at + other] - base;
        if (step <= 0 || other === thread) continue;
        let slot = count++;
        for (; slot > 0 && candidates[slot - 1] < step; slot--) candidates[slot] = candidates[slot - 1];
        candidates[slot] = step;
      }
    }
    return count;
  }

  /** Two steps conflict and nothing orders them: before the earlier, somebody must be tried who leads to the other order. */
  #race(earlier: number, later: number, by: number, own: number): void {
    const { control, frames } = this.#scheduler;
    const threads = this.#threads;
    const clocks = this.#clocks;
    const first = this.#first;
    let seen = 0;
    let initials = 0;
    for (let step = earlier + 1; step <= later; step++) {
      const clock = step * threads;
      if (step < later && clocks[clock + by] > earlier) continue; // happens after the earlier one
      const thread = control[frames + step * FRAME_STRIDE + F_EVENT] & 0xff;
      const bit = 1 << thread;
      if ((seen & bit) !== 0) continue;
      let free = true;
      for (let left = seen; left !== 0; left &= left - 1) {
        const other = 31 - Math.clz32(left & -left);
        const knows = step === later ? this.#now[own + other] : clocks[clock + other];
        if (knows > first[other]) free = false;
      }
      seen |= bit;
      first[thread] = step;
      if (free) initials |= bit;
    }
    const at = frames + earlier * FRAME_STRIDE;
    if ((initials & (control[at + F_BACKTRACK] | control[at + F_SLEEP])) !== 0) return;
    const last = 1 << (control[frames + later * FRAME_STRIDE + F_EVENT] & 0xff);
    const enabled = initials & control[at + F_ENABLED];
    if (enabled === 0) return; // it was asleep or held back: there is no other order
    control[at + F_BACKTRACK] |= (enabled & last) !== 0 ? last : enabled & -enabled;
  }
}

function join(into: Int32Array, at: number, from: Int32Array, row: number, threads: number): void {
  for (let t = 0; t < threads; t++) if (from[row + t] > into[at + t]) into[at + t] = from[row + t];
}
