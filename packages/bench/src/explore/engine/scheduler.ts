// One thread's end of the scheduler. The thread that holds the turn picks who goes next; there is no controller in the loop.
// A step is an operation and the stretch of code behind it, up to the thread's next operation.
import {
  ABORT,
  ABORT_FAILED,
  ABORT_NO,
  ABORT_REDUNDANT,
  ASLEEP,
  CHOICES,
  CUT,
  DIVERGED,
  ENABLED,
  F_EVENT,
  F_LOC,
  F_POSTED,
  F_WOKE,
  FAIL_LIVELOCK,
  FAIL_LOOKS,
  FAIL_NONDETERMINISM,
  FAIL_NONE,
  FAIL_STUCK,
  FAILED_STEP,
  FAILED_THREAD,
  FAILURE,
  FAIR_STEPS,
  FINISHED,
  FRAME_STRIDE,
  framesAt,
  HASH,
  K_TIMEOUT,
  KEEP,
  LAST,
  LOCALS,
  LOOKS,
  MAX_STEPS,
  NOW,
  P_ARG,
  P_ARG_HIGH,
  P_KIND,
  P_LOC,
  PENDING,
  PENDING_STRIDE,
  QUEUE_WRITE,
  RECORD,
  RELEASED,
  RELEASES,
  SPINNING,
  STEP,
  STRATEGY,
  STRATEGY_BOUNDED,
  STRATEGY_DPOR,
  STRATEGY_PCT,
  STRATEGY_RANDOM,
  STRATEGY_REPLAY,
  THREADS,
  TIMEOUTS,
  TIMEOUTS_ANY,
  TIMEOUTS_LAST,
} from './control.layout.ts';
import { Looks, queueOf, releaseHeld } from './looks.ts';
import type { Contents } from './placement.ts';
import { type Recorder, stackHere } from './recorder.ts';
import { pickBounded } from './strategy/bounded.ts';
import { pickPartialOrder } from './strategy/dpor.ts';
import { pickPriority } from './strategy/pct.ts';
import { pickRandom } from './strategy/random.ts';
import { pickGiven } from './strategy/replay.ts';
import type { Turn } from './turn.ts';
import { fireEarliestTimeouts } from './waiters.ts';
import { Words64 } from './words64.ts';

/** Thrown through the code under test when a schedule is over before its threads are. */
export const ABORTED: object = Object.freeze({ name: 'the schedule is over' });

/** Of one schedule: past it, whoever is held back looks in vain. */
const MAX_RELEASES = 32;
const NO_RECORDS = 0;
/** What one thread sees of the exploration. */
export class Scheduler {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly memory: Int32Array<SharedArrayBuffer>;
  readonly wide: Words64;
  /** How many words both memories have: past it are locations of no word. */
  readonly locations: number;
  readonly choices: Uint8Array;
  readonly me: number;
  readonly bit: number;
  /** Word offset of this thread's pending row. */
  readonly row: number;
  readonly turn: Turn;
  readonly recorder: Recorder;
  /** All threads, as bits. */
  all: number;
  frames: number;
  /** This thread is inside its body: what it does is scheduled. */
  active = false;
  readonly #looks: Looks;
  #strategy = STRATEGY_RANDOM;
  #maxSteps = 0;
  #recording = false;
  /** Where this thread was when the schedule ended without it; for the record. */
  abortedAt = '';
  /** Where time-outs fire at any moment: this thread's own virtual time. */
  clock = 0;
  /** Random numbers that this thread has drawn in this schedule. */
  draws = 0;
  #released = 0;

  constructor(
    control: Int32Array<SharedArrayBuffer>,
    { words, wide }: Contents,
    me: number,
    turn: Turn,
    recorder: Recorder,
  ) {
    this.control = control;
    this.memory = words;
    this.wide = new Words64(wide, words.length);
    this.locations = this.wide.end;
    this.choices = new Uint8Array(control.buffer, CHOICES * 4);
    this.me = me;
    this.bit = 1 << me;
    this.row = PENDING + me * PENDING_STRIDE;
    this.turn = turn;
    this.recorder = recorder;
    this.#looks = new Looks(control, words, this.wide, me);
    this.all = (1 << control[THREADS]) - 1;
    this.frames = framesAt(control[MAX_STEPS]);
  }

  /** Reads what the session is asked to do. */
  beginSession(): void {
    const { control } = this;
    this.all = (1 << control[THREADS]) - 1;
    this.#strategy = control[STRATEGY];
    this.#maxSteps = control[MAX_STEPS];
    this.#looks.beginSession();
    this.#recording = control[RECORD] !== NO_RECORDS;
    this.abortedAt = '';
    this.frames = framesAt(this.#maxSteps);
  }

  get recording(): boolean {
    return this.#recording && !this.#looks.onTrial;
  }

  /** A thread in a trial makes operations that are no steps: they find what it found before, and nobody else runs. */
  get onTrial(): boolean {
    return this.#looks.onTrial;
  }

  /** Virtual milliseconds. Where time-outs fire at any moment each thread has a time of its own, which moves with its own time-outs:
   * else what time it is would depend on steps that nothing orders. */
  get now(): number {
    return (this.control[TIMEOUTS] === TIMEOUTS_ANY ? this.clock : this.control[NOW]) + this.#looks.trialTime;
  }

  /** On trial, a wait's time runs out at once. */
  passOnTrial(ms: number): void {
    if (this.#looks.onTrial) this.#looks.trialTime += ms;
  }

  beginBody(): void {
    this.control[LOCALS] &= ~this.bit;
    this.#looks.beginBody();
    this.#released = 0;
    this.clock = 0;
    this.draws = 0;
    this.active = true;
  }

  /** A scheduling point: returns when this thread is to make the operation that it announces.
   * @throws ABORTED when the schedule is over. */
  point(kind: number, loc: number, arg: number): void {
    const { control, row, me, bit } = this;
    if (control[ABORT] !== ABORT_NO) throw this.#aborted();
    const looks = this.#looks;
    const held = looks.any && looks.goesRound(kind, loc, arg);
    if (held && looks.looksOn()) return;
    if (!held && looks.onTrial) this.#needsLooks();
    control[row + P_KIND] = kind;
    control[row + P_LOC] = loc;
    control[row + P_ARG] = arg;
    if (held) looks.hold();
    else control[ENABLED] |= bit;
    const next = this.choose();
    if (next !== me) this.#passTo(next);
    if (control[RELEASED] !== this.#released) {
      this.#released = control[RELEASED];
      looks.forget(); // it may look as often as before once more
    }
    this.#step();
  }

  /** The same for a 64-bit word: `arg` is folded, `high` its upper half. */
  pointWide(kind: number, loc: number, arg: number, high: number): void {
    this.control[this.row + P_ARG_HIGH] = high;
    this.point(kind, loc, arg);
  }

  #step(): void {
    const { control, me } = this;
    const step = control[STEP];
    if (this.#recording) this.recorder.enabled = control[ENABLED];
    control[ENABLED] &= ~this.bit;
    control[LAST] = me;
    this.choices[step] = me;
    control[STEP] = step + 1;
  }

  /** The step by which a wait's time ran out. */
  timeOut(loc: number): void {
    this.#step();
    this.after(K_TIMEOUT, loc, 0, QUEUE_WRITE, false, 0);
  }

  /** The step of a thread that slept on its event loop. */
  goOn(): void {
    this.#step();
  }

  #passTo(next: number): void {
    if (next < 0) throw this.#aborted();
    this.turn.give(next);
    this.turn.take();
    if (this.control[ABORT] !== ABORT_NO) throw this.#aborted();
  }

  #aborted(): object {
    if (this.#recording && this.abortedAt === '') this.abortedAt = stackHere();
    return ABORTED;
  }

  /** Gives the turn away until somebody lets this thread go on. For a thread that has fallen asleep. @throws ABORTED */
  sleep(): void {
    const next = this.choose();
    if (next === this.me) return; // a time-out that fired at once, as nobody else could run
    this.#passTo(next);
  }

  /** Notes what the announced operation did. `changed`: memory is not as before; `seen`: the value found there. */
  after(kind: number, loc: number, arg: number, classes: number, changed: boolean, seen: number): void {
    const { control } = this;
    if (this.#looks.onTrial) {
      this.#looks.note(kind, loc, arg, seen);
      return;
    }
    control[HASH] =
      Math.imul(control[HASH] ^ (loc + (kind << 20)) ^ Math.imul(seen, 0x9e3779b1), 0x01000193) ^ (this.me << 7);
    if (this.#strategy >= STRATEGY_BOUNDED) this.#frame(control[STEP] - 1, loc, classes);
    if (changed) {
      this.#looks.forget();
      if (control[SPINNING] !== 0) releaseHeld(control, loc);
    } else this.#looks.note(kind, loc, arg, seen);
  }

  /** The same for a 64-bit word, whose value found is folded too. */
  afterWide(
    kind: number,
    loc: number,
    arg: number,
    classes: number,
    changed: boolean,
    seen: number,
    seenHigh: number,
  ): void {
    this.#looks.seenHigh = seenHigh;
    this.after(kind, loc, arg, classes, changed, seen);
  }

  #frame(step: number, loc: number, classes: number): void {
    const { control } = this;
    const at = this.frames + step * FRAME_STRIDE;
    const event = this.me | (classes << 8);
    const repeats = this.#strategy !== STRATEGY_REPLAY && step < control[KEEP] - 1;
    if (repeats && (control[at + F_EVENT] !== event || control[at + F_LOC] !== loc)) {
      this.fail(FAIL_NONDETERMINISM);
      throw ABORTED;
    }
    control[at + F_EVENT] = event;
    control[at + F_LOC] = loc;
    control[at + F_WOKE] = 0;
    control[at + F_POSTED] = 0;
  }

  /** Threads that this thread's last step woke, and those whose event loops it gave something to do. */
  woke(threads: number, posted: number): void {
    if (this.#strategy < STRATEGY_BOUNDED) return;
    const at = this.frames + (this.control[STEP] - 1) * FRAME_STRIDE;
    this.control[at + F_WOKE] = threads;
    this.control[at + F_POSTED] = posted;
  }

  /** Somebody fell asleep on a word: who notifies there again and again may go on. */
  fellAsleep(loc: number): void {
    if (this.control[SPINNING] !== 0) releaseHeld(this.control, queueOf(loc));
  }

  /** Who runs next. @returns -1 when the schedule is over. */
  choose(): number {
    const { control } = this;
    const locals = control[LOCALS];
    if (locals !== 0) return 31 - Math.clz32(locals & -locals);
    let enabled = control[ENABLED];
    if (enabled === 0) {
      enabled = this.#unstick();
      if (enabled === 0) return -1;
    }
    const step = control[STEP];
    if (step >= this.#maxSteps) return this.#takeTurns(step, enabled);
    switch (this.#strategy) {
      case STRATEGY_RANDOM:
        return pickRandom(control, enabled);
      case STRATEGY_DPOR:
        return pickPartialOrder(this, step, enabled);
      case STRATEGY_BOUNDED:
        return pickBounded(this, step, enabled);
      case STRATEGY_PCT:
        return pickPriority(control, step, enabled);
      default:
        return pickGiven(this, step, enabled);
    }
  }

  /** Past the bound on steps: threads take turns, so that who only waits for another's progress gets it. */
  #takeTurns(step: number, enabled: number): number {
    const { control } = this;
    if (step === this.#maxSteps) control[CUT]++;
    if (step >= this.#maxSteps + FAIR_STEPS) {
      this.fail(FAIL_LIVELOCK);
      return -1;
    }
    const above = enabled & (-2 << control[LAST]);
    const from = above !== 0 ? above : enabled;
    return 31 - Math.clz32(from & -from);
  }

  /** Nobody is enabled: fires a time-out, or lets those go on that are held back. @returns who is enabled now; 0: stuck for good. */
  #unstick(): number {
    const { control } = this;
    if (control[TIMEOUTS] === TIMEOUTS_LAST) {
      control[ENABLED] = fireEarliestTimeouts(control);
      if (control[ENABLED] !== 0) return control[ENABLED];
    }
    if (control[SPINNING] !== 0 && control[RELEASED] < MAX_RELEASES) {
      control[RELEASED]++;
      control[RELEASES]++;
      control[ENABLED] = control[SPINNING];
      control[SPINNING] = 0;
      return control[ENABLED];
    }
    this.fail(control[SPINNING] !== 0 && control[ASLEEP] === 0 ? FAIL_LIVELOCK : FAIL_STUCK);
    return 0;
  }

  /** The schedule is over: what broke first counts. */
  fail(kind: number): void {
    const { control } = this;
    if (control[FAILURE] === FAIL_NONE) {
      // What breaks on trial is found again as steps, once the thread is let look so often.
      control[FAILURE] = this.#looks.onTrial ? FAIL_LOOKS : kind;
      if (this.#looks.onTrial) control[LOOKS] = this.#looks.most();
      control[FAILED_THREAD] = this.me;
      control[FAILED_STEP] = control[STEP];
    }
    control[ABORT] = ABORT_FAILED;
  }

  redundant(): void {
    this.control[ABORT] = ABORT_REDUNDANT;
  }

  /** Given choices do not fit what the threads do. */
  diverge(step: number): void {
    if (this.control[DIVERGED] === 0) this.control[DIVERGED] = step + 1;
  }

  /** This thread's body is over. @returns whether it was the last; otherwise the turn is somebody else's now. */
  finish(): boolean {
    const { control } = this;
    if (this.#looks.onTrial && control[ABORT] === ABORT_NO) this.fail(FAIL_LOOKS);
    this.#looks.endTrial();
    this.active = false;
    control[FINISHED] |= this.bit;
    const left = this.all & ~control[FINISHED];
    if (left === 0) return true;
    let next = control[ABORT] === ABORT_NO ? this.choose() : -1;
    if (next < 0) next = 31 - Math.clz32(left & -left);
    this.turn.give(next);
    return false;
  }

  #needsLooks(): never {
    this.fail(FAIL_LOOKS);
    this.#looks.endTrial();
    throw this.#aborted();
  }

  /** Somebody else meant this thread to look again. */
  forgetLooks(): void {
    this.#looks.forget();
  }

  /** Notes a step for the record. What is no step (a wake-up, an end, a plain access that breaks) stands behind the one before. */
  record(kind: number, loc: number, effect: string, isStep: boolean = true): void {
    const { control, me, recorder } = this;
    const index = control[STEP] - (isStep ? 1 : 0.5);
    recorder.steps.push({ index, thread: me, kind, loc, effect, enabled: recorder.enabled, stack: stackHere() });
  }
}
