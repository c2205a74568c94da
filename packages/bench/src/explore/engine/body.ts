// Runs one thread through schedule after schedule, for as long as a session lasts.
import type { ThreadContext, ThreadSpec } from '../scenario.ts';
import {
  ABORT,
  ABORT_NO,
  ASLEEP,
  FAIL_EXCEPTION,
  K_END,
  K_YIELD,
  loopAt,
  NOWHERE,
  OPENED,
  P_IDLE,
  P_KIND,
  P_LOC,
  QUIT,
  RESULTS,
  VALUE_READ,
} from './control.layout.ts';
import { messageOf, stackOf } from './judge.ts';
import type { Report } from './memory.ts';
import { stackHere } from './recorder.ts';
import type { ScheduleEnd } from './schedule-end.ts';
import { ABORTED, type Scheduler } from './scheduler.ts';
import { hasPromises, hasResolved, takeResolved } from './waiters.ts';

const { setImmediate } = globalThis;

export interface BodyParts {
  readonly scheduler: Scheduler;
  readonly end: ScheduleEnd;
  readonly context: ThreadContext;
  readonly thread: ThreadSpec<unknown>;
  /** Whether any thread of the scenario opens anything: then all do so, in order, before one starts. */
  readonly opens: boolean;
  /** Called before each schedule's `open`. */
  readonly prepare: () => void;
  readonly promises: Map<number, (value: string) => void>;
  readonly report: Report;
}

export class Body {
  readonly #parts: BodyParts;
  #local: unknown;
  /** Awaited setImmediates that have not come back. */
  #yields: (() => void)[] = [];

  constructor(parts: BodyParts) {
    this.#parts = parts;
  }

  /** Takes part until the session is over. */
  async run(): Promise<void> {
    const { scheduler } = this.#parts;
    scheduler.turn.take();
    while (scheduler.control[QUIT] === 0) {
      const pending = this.#step();
      if (pending !== undefined) {
        await pending;
        this.#ended();
      }
    }
  }

  /** One schedule, from the turn to the next. @returns the body's promise, if it is asynchronous: then it is not over yet. */
  #step(): Promise<void> | undefined {
    const { scheduler, opens, report } = this.#parts;
    const { control } = scheduler;
    if (opens && (control[OPENED] & scheduler.bit) === 0 && !this.#open()) return undefined;
    scheduler.beginBody();
    try {
      if (control[ABORT] === ABORT_NO) {
        const result: unknown = this.#parts.thread.run(this.#parts.context, this.#local as never);
        if (result instanceof Promise) return this.#drive(result);
        this.#keep(result);
      }
    } catch (error) {
      this.#caught(error, report);
    }
    this.#ended();
    return undefined;
  }

  /** Makes the thread's objects. @returns false when the turn went on to who has not, and came back only for the session's end. */
  #open(): boolean {
    const { scheduler, thread, context, prepare, report } = this.#parts;
    const { control, bit } = scheduler;
    if ((scheduler.all & ~control[OPENED] & (bit - 1)) !== 0) this.#passToUnopened(); // who ended last need not come first
    scheduler.draws = 0;
    prepare();
    try {
      this.#local = thread.open?.(context);
    } catch (error) {
      report(FAIL_EXCEPTION, `${context.name} could not be opened: ${messageOf(error)}`, stackOf(error));
    }
    control[OPENED] |= bit;
    if (control[OPENED] !== scheduler.all) this.#passToUnopened();
    return control[QUIT] === 0;
  }

  /** The first that has not made its objects goes on: what they take from the memory is the same in each schedule. */
  #passToUnopened(): void {
    const { control, all, turn } = this.#parts.scheduler;
    const left = all & ~control[OPENED];
    turn.give(31 - Math.clz32(left & -left));
    turn.take();
  }

  #keep(value: unknown): void {
    const { scheduler, context, report } = this.#parts;
    const result = Number(value ?? 0);
    scheduler.control[RESULTS + scheduler.me] = result;
    if ((result | 0) !== result)
      report(FAIL_EXCEPTION, `${context.name} returned ${String(value)}, which is no whole number of 32 bits`, '');
  }

  #caught(error: unknown, report: Report): void {
    const { scheduler, context } = this.#parts;
    if (error === ABORTED) {
      if (scheduler.recording) scheduler.recorder.stuckAt = scheduler.abortedAt;
      return;
    }
    if (scheduler.control[ABORT] === ABORT_NO)
      report(FAIL_EXCEPTION, `${context.name}: ${messageOf(error)}`, stackOf(error));
  }

  /** The body is over: the last to end finds the next schedule, and starts it. */
  #ended(): void {
    const { scheduler, end } = this.#parts;
    if (scheduler.recording && scheduler.control[ABORT] === ABORT_NO) scheduler.record(K_END, NOWHERE, '', false);
    if (!scheduler.finish()) {
      scheduler.turn.take();
      return;
    }
    if (!end.run()) return;
    for (let thread = 0; 1 << thread <= scheduler.all; thread++)
      if (thread !== scheduler.me) scheduler.turn.give(thread);
  }

  /** Runs an asynchronous body: between two stretches its thread is back on the event loop, and asleep as far as the others go. */
  async #drive(promise: Promise<unknown>): Promise<void> {
    const { report } = this.#parts;
    let settled = false;
    promise.then(
      (value) => {
        settled = true;
        this.#keep(value);
      },
      (error: unknown) => {
        settled = true;
        this.#caught(error, report);
      },
    );
    try {
      for (;;) {
        await new Promise<void>((resolve) => setImmediate(resolve)); // whatever can run without anybody else has run
        if (settled) break;
        this.#idle();
      }
    } catch (error) {
      this.#caught(error, report);
    }
    this.#yields = [];
    this.#parts.promises.clear();
  }

  /** A turn of the event loop, which is a step: goes on with the promise of this thread that was notified first, else with the awaited
   * setImmediates. With nothing to do it sleeps until there is. */
  #idle(): void {
    const { scheduler, promises, report, context } = this.#parts;
    const { control, bit, row, me } = scheduler;
    const loop = loopAt(scheduler.locations, me);
    if (hasResolved(control, me)) scheduler.forgetLooks();
    else if (this.#yields.length === 0 && !hasPromises(control, me)) {
      report(FAIL_EXCEPTION, `${context.name} awaits something that nobody here can resolve`, stackHere());
      throw ABORTED;
    }
    if (this.#yields.length > 0 || hasResolved(control, me)) scheduler.point(K_YIELD, loop, 0);
    else {
      control[row + P_KIND] = K_YIELD;
      control[row + P_LOC] = loop;
      control[row + P_IDLE] = 1;
      control[ASLEEP] |= bit;
      scheduler.sleep();
      control[row + P_IDLE] = 0;
      scheduler.goOn();
    }
    const number = takeResolved(control, me);
    scheduler.after(K_YIELD, loop, 0, VALUE_READ, false, number === 0 ? 0 : 1);
    if (scheduler.recording)
      scheduler.record(K_YIELD, NOWHERE, number === 0 ? 'the event loop goes round' : 'a promise is resolved');
    if (number !== 0) {
      scheduler.forgetLooks();
      promises.get(number)?.('ok');
    } else for (const resume of this.#yields.splice(0)) resume();
  }

  /** An awaited setImmediate. */
  yieldTurn(): Promise<void> {
    return new Promise((resolve) => this.#yields.push(resolve));
  }
}
