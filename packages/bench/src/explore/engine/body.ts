// Runs one thread through schedule after schedule, for as long as a session lasts.
import type { ThreadContext, ThreadSpec } from '../scenario.ts';
import {
  ABORT,
  ABORT_NO,
  ASLEEP,
  ENABLED,
  FAIL_EXCEPTION,
  K_END,
  K_WAIT_ASYNC,
  K_YIELD,
  LOCALS,
  NOWHERE,
  OPENED,
  P_KIND,
  P_WOKEN,
  QUIT,
  RESULTS,
  WOKEN_NO,
} from './control.layout.ts';
import { messageOf, stackOf } from './judge.ts';
import type { Report } from './memory.ts';
import { stackHere } from './recorder.ts';
import type { ScheduleEnd } from './schedule-end.ts';
import { ABORTED, type Scheduler } from './scheduler.ts';
import { hasPromises, takeResolved } from './waiters.ts';

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
        control[RESULTS + scheduler.me] = Number(result ?? 0);
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
    prepare();
    try {
      this.#local = thread.open?.(context);
    } catch (error) {
      report(FAIL_EXCEPTION, `${context.name} could not be opened: ${messageOf(error)}`, stackOf(error));
    }
    control[OPENED] |= bit;
    const left = scheduler.all & ~control[OPENED];
    if (left !== 0) {
      scheduler.turn.give(31 - Math.clz32(left & -left));
      scheduler.turn.take();
    }
    return control[QUIT] === 0;
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
    const { scheduler, report } = this.#parts;
    const { control, me } = scheduler;
    let settled = false;
    promise.then(
      (value) => {
        settled = true;
        control[RESULTS + me] = Number(value ?? 0);
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

  /** Sleeps until a promise of this thread was notified, or makes the step that an awaited setImmediate is. */
  #idle(): void {
    const { scheduler, promises, report, context } = this.#parts;
    const { control, bit, row, me } = scheduler;
    for (;;) {
      const resolved = takeResolved(control, me);
      if (resolved.length > 0) {
        for (const number of resolved) promises.get(number)?.('ok');
        return;
      }
      if (this.#yields.length > 0) {
        scheduler.point(K_YIELD, NOWHERE, 0);
        scheduler.after(K_YIELD, NOWHERE, 0, 0, false, 0);
        if (scheduler.recording) scheduler.record(K_YIELD, NOWHERE, 'the event loop goes round');
        for (const resume of this.#yields.splice(0)) resume();
        return;
      }
      if (!hasPromises(control, me)) {
        report(FAIL_EXCEPTION, `${context.name} awaits something that nobody here can resolve`, stackHere());
        throw ABORTED;
      }
      control[row + P_KIND] = K_WAIT_ASYNC;
      control[row + P_WOKEN] = WOKEN_NO;
      control[ASLEEP] |= bit;
      scheduler.sleep();
      control[LOCALS] &= ~bit;
      control[ENABLED] &= ~bit;
      scheduler.forgetLooks();
    }
  }

  /** An awaited setImmediate. */
  yieldTurn(): Promise<void> {
    return new Promise((resolve) => this.#yields.push(resolve));
  }
}
