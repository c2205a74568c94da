// What whoever ends last does: judges the schedule, finds the next one, and sets everything back for it.
import {
  ABORT,
  ABORT_NO,
  ABORT_REDUNDANT,
  ASLEEP,
  CHECKED,
  DIVERGED,
  ENABLED,
  EXHAUSTED,
  FAIL_LOOKS,
  FAIL_NONDETERMINISM,
  FAIL_NONE,
  FAILURE,
  FINISHED,
  FIRST_HASH,
  FIRST_STATE,
  FIRST_STEPS,
  HASH,
  HISTORY,
  INDEX,
  KEEP,
  KEPT,
  LAST,
  LIMIT,
  LOCALS,
  LONGEST,
  MAX_STEPS,
  MAX_THREADS,
  NOW,
  OPENED,
  P_IDLE,
  PENDING,
  PENDING_STRIDE,
  PREEMPTIONS,
  QUIT,
  REDUNDANT,
  RELEASED,
  RESULTS,
  RNG,
  SCHEDULES,
  SECOND_RUN,
  SEED,
  SPINNING,
  STEP,
  STOP,
  STRATEGY,
  STRATEGY_BOUNDED,
  STRATEGY_DPOR,
  STRATEGY_PCT,
  STRATEGY_REPLAY,
  THREADS,
  TWICE,
  WAIT_ORDER,
  WAITERS,
} from './control.layout.ts';
import { type Contents, copyContents } from './placement.ts';
import { Races } from './races.ts';
import type { Scheduler } from './scheduler.ts';
import { nextBounded } from './strategy/bounded.ts';
import { PartialOrder } from './strategy/dpor.ts';
import { drawPriorities } from './strategy/pct.ts';
import { seedFor } from './strategy/random.ts';

const { load } = Atomics;

const CLEARED: readonly number[] = [
  STEP,
  ENABLED,
  ABORT,
  SPINNING,
  ASLEEP,
  PREEMPTIONS,
  WAITERS,
  FINISHED,
  NOW,
  WAIT_ORDER,
  HISTORY,
  RELEASED,
  OPENED,
  DIVERGED,
  LAST,
];

export interface EndParts {
  readonly scheduler: Scheduler;
  /** The memory as it was laid out, and its races' clocks. */
  readonly snapshot: Contents;
  readonly shadow: Int32Array;
  /** Judges a schedule that ran to its end: calls `scheduler.fail` if it must. */
  readonly judge: () => void;
}

export class ScheduleEnd {
  readonly #parts: EndParts;
  readonly #contents: Contents;
  readonly #order: PartialOrder;

  constructor(parts: EndParts, locations: number, frames: number) {
    this.#parts = parts;
    this.#contents = { words: parts.scheduler.memory, wide: parts.scheduler.wide.view };
    this.#order = new PartialOrder(parts.scheduler, locations, frames);
  }

  /** @returns whether the session is over. Otherwise the next schedule is set up, and nobody has started it. */
  run(): boolean {
    const { scheduler, judge } = this.#parts;
    const { control } = scheduler;
    if (control[SECOND_RUN] !== 0) this.#compareRuns();
    else {
      if (control[ABORT] === ABORT_REDUNDANT) control[REDUNDANT]++;
      else if (control[FAILURE] !== FAIL_LOOKS) control[SCHEDULES]++;
      if (control[INDEX] < control[TWICE]) control[FIRST_STATE] = this.#state(); // the judge may write
      if (control[ABORT] === ABORT_NO) judge();
      if (this.#runsAgain()) return false;
    }
    if (control[STEP] > control[LONGEST]) control[LONGEST] = control[STEP];
    if (control[FAILURE] !== FAIL_NONE) return this.#quit();
    const steps = Math.min(control[STEP], control[MAX_STEPS]);
    const kept = control[SECOND_RUN] !== 0 ? control[KEPT] : control[KEEP];
    control[SECOND_RUN] = 0;
    control[INDEX]++;
    if (!this.#advance(steps, kept)) {
      control[EXHAUSTED] = 1;
      return this.#quit();
    }
    if (control[SCHEDULES] >= control[LIMIT] || load(control as Int32Array<SharedArrayBuffer>, STOP) !== 0)
      return this.#quit();
    this.reset();
    return false;
  }

  #quit(): true {
    this.#parts.scheduler.control[QUIT] = 1;
    return true;
  }

  /** Sets the next schedule. @returns false when there is none. */
  #advance(steps: number, kept: number): boolean {
    const { scheduler } = this.#parts;
    const { control } = scheduler;
    switch (control[STRATEGY]) {
      case STRATEGY_DPOR:
        return this.#order.next(steps, kept);
      case STRATEGY_BOUNDED:
        return nextBounded(scheduler, steps);
      case STRATEGY_REPLAY:
        return false;
      default:
        return true;
    }
  }

  #runsAgain(): boolean {
    const { control } = this.#parts.scheduler;
    if (control[INDEX] >= control[TWICE] || control[ABORT] !== ABORT_NO || control[FAILURE] !== FAIL_NONE) return false;
    control[SECOND_RUN] = 1;
    control[FIRST_HASH] = control[HASH];
    control[FIRST_STEPS] = control[STEP];
    control[KEPT] = control[KEEP];
    control[KEEP] = Math.min(control[STEP], control[MAX_STEPS]);
    this.reset();
    return true;
  }

  #compareRuns(): void {
    const { scheduler } = this.#parts;
    const { control } = scheduler;
    const same =
      control[HASH] === control[FIRST_HASH] &&
      control[STEP] === control[FIRST_STEPS] &&
      control[FIRST_STATE] === this.#state();
    if (!same && control[FAILURE] === FAIL_NONE) scheduler.fail(FAIL_NONDETERMINISM);
  }

  /** Of what the schedule left: plain writes and results are no operations. */
  #state(): number {
    const { memory, wide, control } = this.#parts.scheduler;
    let state = 0x811c9dc5;
    for (let i = 0; i < memory.length; i++) state = Math.imul(state ^ memory[i], 0x01000193);
    state = wide.mixInto(state);
    for (let i = 0; i < MAX_THREADS; i++) state = Math.imul(state ^ control[RESULTS + i], 0x01000193);
    return state | 0;
  }

  /** Sets memory and scheduler back: everybody is about to start. */
  reset(): void {
    const { scheduler, snapshot, shadow } = this.#parts;
    const { control } = scheduler;
    copyContents(snapshot, this.#contents);
    if (control[CHECKED] !== 0) Races.begin(shadow, control[THREADS]);
    for (let i = 0; i < CLEARED.length; i++) control[CLEARED[i]] = 0;
    control[HASH] = 0x811c9dc5 | 0;
    control[LOCALS] = scheduler.all;
    control[RNG] = seedFor(control[SEED], control[INDEX]);
    control.fill(0, RESULTS, RESULTS + MAX_THREADS);
    for (let thread = 0; thread < MAX_THREADS; thread++) control[PENDING + thread * PENDING_STRIDE + P_IDLE] = 0;
    if (control[STRATEGY] === STRATEGY_PCT) drawPriorities(control);
  }
}
