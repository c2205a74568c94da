// What a session is asked to do and what came of it: written into the control block before it, and read from it after.
import {
  CHECKED,
  CHOICES,
  CUT,
  controlWords,
  EXHAUSTED,
  FAIL_NONE,
  FAILURE,
  FIRST_INDEX,
  FRAME_STRIDE,
  framesAt,
  INDEX,
  KEEP,
  LIMIT,
  LONGEST,
  MAX_OUTCOMES,
  MAX_STEPS,
  OUTCOMES,
  PARAMETER,
  QUIT,
  RECORD,
  REDUNDANT,
  RELEASES,
  SCHEDULES,
  SECOND_RUN,
  SEED,
  SPIN_LIMIT,
  STRATEGY,
  STRATEGY_BOUNDED,
  STRATEGY_DPOR,
  STRATEGY_REPLAY,
  THREADS,
  TIMEOUTS,
  TWICE,
} from './control.layout.ts';
import type { Problem } from './protocol.ts';
import type { RecordedAccess, RecordedStep } from './recorder.ts';

export type Control = Int32Array<SharedArrayBuffer>;

/** What a session is asked to do. */
export interface SessionOptions {
  readonly strategy: number;
  readonly parameter?: number;
  readonly seed?: number;
  /** Most schedules, those of earlier sessions included. */
  readonly limit: number;
  /** Goes on from the state that the last session left, or that was resumed. */
  readonly continues?: boolean;
  readonly twice?: number;
  /** Choices to replay, and the number of the schedule that they are of. */
  readonly choices?: Uint8Array;
  readonly index?: number;
  readonly record?: boolean;
  /** Location whose plain accesses are to be noted. */
  readonly watched?: number;
}

export interface SessionEnd {
  readonly failure: number;
  readonly problem: Problem | undefined;
  readonly choices: Uint8Array;
  readonly hash: number;
  readonly diverged: number;
  readonly exhausted: boolean;
  /** Who is stuck and on what; '' when nobody is. */
  readonly stuckOn: string;
  readonly steps: readonly RecordedStep[];
  readonly accesses: readonly RecordedAccess[];
  /** By thread: where it was when the schedule ended without it; '' when it had ended. */
  readonly stuckAt: readonly string[];
}

/** What the exploration has done so far: readable while it runs. */
export interface Counts {
  readonly schedules: number;
  readonly redundant: number;
  readonly longest: number;
  readonly cut: number;
  readonly releases: number;
  readonly outcomes: readonly number[];
}

/** A search's state: choices that are given, and what is left to try at each. */
export interface Search {
  readonly index: number;
  readonly keep: number;
  readonly frames: readonly number[];
}

const TIMEOUT_CODES = { never: 0, last: 1, any: 2 } as const;

export interface ControlOptions {
  readonly threads: number;
  readonly maxSteps: number;
  readonly spins: number;
  readonly timeouts: keyof typeof TIMEOUT_CODES;
  readonly checked: boolean;
}

export function allocControl(options: ControlOptions): Control {
  const control = new Int32Array(new SharedArrayBuffer(controlWords(options.maxSteps) * 4));
  control[THREADS] = options.threads;
  control[MAX_STEPS] = options.maxSteps;
  control[SPIN_LIMIT] = options.spins;
  control[TIMEOUTS] = TIMEOUT_CODES[options.timeouts];
  control[CHECKED] = options.checked ? 1 : 0;
  return control;
}

/** Before a session: nobody has the turn. */
export function prepareSession(control: Control, options: SessionOptions): void {
  control[STRATEGY] = options.strategy;
  control[PARAMETER] = options.parameter ?? 0;
  control[SEED] = options.seed ?? 1;
  control[LIMIT] = options.limit;
  control[TWICE] = options.twice ?? 0;
  control[RECORD] = options.record === true ? 1 : 0;
  control[QUIT] = 0;
  control[FAILURE] = FAIL_NONE;
  control[SECOND_RUN] = 0;
  control[EXHAUSTED] = 0;
  if (options.continues === true) return;
  control[SCHEDULES] = 0;
  control[REDUNDANT] = 0;
  control[INDEX] = options.index ?? 0;
  control[KEEP] = 0;
  if (options.strategy !== STRATEGY_REPLAY) {
    control[LONGEST] = 0;
    control[CUT] = 0;
    control[RELEASES] = 0;
    control.fill(0, OUTCOMES, OUTCOMES + MAX_OUTCOMES);
  }
  if (options.choices !== undefined) {
    new Uint8Array(control.buffer, CHOICES * 4).set(options.choices);
    control[KEEP] = options.choices.length;
  }
}

export function countsOf(control: Control): Counts {
  return {
    schedules: control[SCHEDULES],
    redundant: control[REDUNDANT],
    longest: control[LONGEST],
    cut: control[CUT],
    releases: control[RELEASES],
    outcomes: [...control.subarray(OUTCOMES, OUTCOMES + MAX_OUTCOMES)],
  };
}

/** Between sessions. */
export function searchOf(control: Control): Search {
  const searches = control[STRATEGY] === STRATEGY_DPOR || control[STRATEGY] === STRATEGY_BOUNDED;
  const keep = searches ? control[KEEP] : 0;
  const at = framesAt(control[MAX_STEPS]);
  return { index: control[INDEX], keep, frames: [...control.subarray(at, at + keep * FRAME_STRIDE)] };
}

/** Before a session that continues it. */
export function restoreSearch(control: Control, saved: Search, counts: Counts): void {
  control[INDEX] = saved.index;
  control[FIRST_INDEX] = saved.index;
  control[KEEP] = saved.keep;
  control.set(saved.frames, framesAt(control[MAX_STEPS]));
  control[SCHEDULES] = counts.schedules;
  control[REDUNDANT] = counts.redundant;
  control[LONGEST] = counts.longest;
  control[CUT] = counts.cut;
  control[RELEASES] = counts.releases;
  control.set(counts.outcomes, OUTCOMES);
}
