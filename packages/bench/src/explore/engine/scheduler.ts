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
  F_WOKE,
  FAIL_LIVELOCK,
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
  MAX_SPIN_SET,
  MAX_STEPS,
  NOWHERE,
  P_ARG,
  P_KIND,
  P_LOC,
  P_SPIN_SET,
  P_SPINS,
  PENDING,
  PENDING_STRIDE,
  QUEUE_WRITE,
  RECORD,
  RELEASED,
  RELEASES,
  SPIN_LIMIT,
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
  TIMEOUTS_LAST,
} from './control.layout.ts';
import { type Recorder, stackHere } from './recorder.ts';
import { pickBounded } from './strategy/bounded.ts';
import { pickPartialOrder } from './strategy/dpor.ts';
import { pickPriority } from './strategy/pct.ts';
import { pickRandom } from './strategy/random.ts';
import { pickGiven } from './strategy/replay.ts';
import type { Turn } from './turn.ts';
import { fireEarliestTimeout } from './waiters.ts';

/** Thrown through the code under test when a schedule is over before its threads are. */
export const ABORTED: object = Object.freeze({ name: 'the schedule is over' });

/** Of one schedule: past it, whoever is held back looks in vain. */
const MAX_RELEASES = 32;
const NO_RECORDS = 0;

/** What one thread sees of the exploration. */
export class Scheduler {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly memory: Int32Array<SharedArrayBuffer>;
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
  #strategy = STRATEGY_RANDOM;
  #maxSteps = 0;
  #spinLimit = 0;
  #recording = false;
  /** Where this thread was when the schedule ended without it; for the record. */
  abortedAt = '';
  // What this thread has done since it last changed anything: operations with their results, and how often each.
  readonly #silentKinds: Int32Array = new Int32Array(32);
  readonly #silentLocs: Int32Array = new Int32Array(32);
  readonly #silentArgs: Int32Array = new Int32Array(32);
  readonly #silentValues: Int32Array = new Int32Array(32);
  readonly #silentCounts: Int32Array = new Int32Array(32);
  readonly #silentWhen: Int32Array = new Int32Array(32);
  #silent = 0;
  /** When the loop that the thread is held back in began its last round. */
  #loopSince = 0;
  #released = 0;

  constructor(
    control: Int32Array<SharedArrayBuffer>,
    memory: Int32Array<SharedArrayBuffer>,
    me: number,
    turn: Turn,
    recorder: Recorder,
  ) {
    this.control = control;
    this.memory = memory;
    this.choices = new Uint8Array(control.buffer, CHOICES * 4);
    this.me = me;
    this.bit = 1 << me;
    this.row = PENDING + me * PENDING_STRIDE;
    this.turn = turn;
    this.recorder = recorder;
    this.all = (1 << control[THREADS]) - 1;
    this.frames = framesAt(control[MAX_STEPS]);
  }

  /** Reads what the session is asked to do. */
  beginSession(): void {
    const { control } = this;
    this.all = (1 << control[THREADS]) - 1;
    this.#strategy = control[STRATEGY];
    this.#maxSteps = control[MAX_STEPS];
    this.#spinLimit = control[SPIN_LIMIT];
    this.#recording = control[RECORD] !== NO_RECORDS;
    this.abortedAt = '';
    this.frames = framesAt(this.#maxSteps);
  }

  get recording(): boolean {
    return this.#recording;
  }

  beginBody(): void {
    this.control[LOCALS] &= ~this.bit;
    this.#silent = 0;
    this.#released = 0;
    this.active = true;
  }

  /** A scheduling point: returns when this thread is to make the operation that it announces.
   * @throws ABORTED when the schedule is over. */
  point(kind: number, loc: number, arg: number): void {
    const { control, row, me, bit } = this;
    if (control[ABORT] !== ABORT_NO) throw this.#aborted();
    control[row + P_KIND] = kind;
    control[row + P_LOC] = loc;
    control[row + P_ARG] = arg;
    if (this.#silent !== 0 && this.#isHeld(kind, loc, arg)) this.#hold();
    else control[ENABLED] |= bit;
    const next = this.choose();
    if (next !== me) this.#passTo(next);
    if (control[RELEASED] !== this.#released) {
      this.#released = control[RELEASED];
      this.#silent = 0; // it may look as often as before once more
    }
    this.#step();
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
    control[HASH] =
      Math.imul(control[HASH] ^ (loc + (kind << 20)) ^ Math.imul(seen, 0x9e3779b1), 0x01000193) ^ (this.me << 7);
    if (this.#strategy >= STRATEGY_BOUNDED) this.#frame(control[STEP] - 1, loc, classes);
    if (changed) {
      this.#silent = 0;
      if (control[SPINNING] !== 0) this.#release(loc);
    } else this.#noteSilent(kind, loc, arg, seen);
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
  }

  /** Threads that this thread's last step woke. */
  woke(threads: number): void {
    if (this.#strategy >= STRATEGY_BOUNDED)
      this.control[this.frames + (this.control[STEP] - 1) * FRAME_STRIDE + F_WOKE] = threads;
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
      const thread = fireEarliestTimeout(control);
      if (thread >= 0) {
        control[PENDING + thread * PENDING_STRIDE + P_KIND] = K_TIMEOUT;
        control[ENABLED] |= 1 << thread;
        return control[ENABLED];
      }
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
      control[FAILURE] = kind;
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
    this.active = false;
    control[FINISHED] |= this.bit;
    const left = this.all & ~control[FINISHED];
    if (left === 0) return true;
    let next = control[ABORT] === ABORT_NO ? this.choose() : -1;
    if (next < 0) next = 31 - Math.clz32(left & -left);
    this.turn.give(next);
    return false;
  }

  // A loop that only looks is the same however often it goes round: after SPIN_LIMIT looks with the same results the thread is
  // held back until one of the words that it looked at changes.

  #noteSilent(kind: number, loc: number, arg: number, seen: number): void {
    const n = this.#silent;
    const when = this.control[STEP];
    for (let i = 0; i < n; i++) {
      if (this.#silentLocs[i] !== loc || this.#silentKinds[i] !== kind || this.#silentArgs[i] !== arg) continue;
      this.#silentWhen[i] = when;
      if (this.#silentValues[i] === seen) this.#silentCounts[i]++;
      else {
        this.#silentValues[i] = seen;
        this.#silentCounts[i] = 1;
      }
      return;
    }
    if (n === this.#silentKinds.length) return;
    this.#silentKinds[n] = kind;
    this.#silentLocs[n] = loc;
    this.#silentArgs[n] = arg;
    this.#silentValues[n] = seen;
    this.#silentCounts[n] = 1;
    this.#silentWhen[n] = when;
    this.#silent = n + 1;
  }

  /** Whether the thread is about to make, once more, an operation that it made SPIN_LIMIT times, and nothing that it looked at
   * since the last time is any different. What it looked at before that is not part of the loop. */
  #isHeld(kind: number, loc: number, arg: number): boolean {
    const n = this.#silent;
    let since = -1;
    for (let i = 0; i < n; i++)
      if (this.#silentLocs[i] === loc && this.#silentKinds[i] === kind && this.#silentArgs[i] === arg) {
        if (this.#silentCounts[i] < this.#spinLimit) return false;
        since = this.#silentWhen[i];
      }
    if (since < 0) return false;
    this.#loopSince = since;
    for (let i = 0; i < n; i++) {
      const at = this.#silentLocs[i];
      if (this.#silentWhen[i] < since || at < 0 || at >= this.memory.length) continue;
      if (this.memory[at] !== this.#silentValues[i]) return false;
    }
    return true;
  }

  #hold(): void {
    const { control, row } = this;
    let count = 0;
    for (let i = 0; i < this.#silent; i++) {
      if (this.#silentLocs[i] === NOWHERE || this.#silentWhen[i] < this.#loopSince) continue;
      if (count === MAX_SPIN_SET) {
        control[ENABLED] |= this.bit; // too many words to watch: it goes on, and the bound on steps ends it
        return;
      }
      control[row + P_SPIN_SET + count++] = this.#silentLocs[i];
    }
    control[row + P_SPINS] = count;
    control[SPINNING] |= this.bit;
  }

  #release(loc: number): void {
    const { control } = this;
    for (let left = control[SPINNING]; left !== 0; left &= left - 1) {
      const thread = 31 - Math.clz32(left & -left);
      const row = PENDING + thread * PENDING_STRIDE;
      for (let i = control[row + P_SPINS]; i > 0; i--) {
        if (control[row + P_SPIN_SET + i - 1] !== loc) continue;
        control[SPINNING] &= ~(1 << thread);
        control[ENABLED] |= 1 << thread;
        break;
      }
    }
  }

  /** Somebody else meant this thread to look again. */
  forgetLooks(): void {
    this.#silent = 0;
  }

  /** Notes a step for the record. What is no step (a wake-up, an end, a plain access that breaks) stands behind the one before. */
  record(kind: number, loc: number, effect: string, isStep: boolean = true): void {
    const { control, me, recorder } = this;
    const index = control[STEP] - (isStep ? 1 : 0.5);
    recorder.steps.push({ index, thread: me, kind, loc, effect, enabled: recorder.enabled, stack: stackHere() });
  }
}
