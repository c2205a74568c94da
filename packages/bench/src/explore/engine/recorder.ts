import { withoutMarks } from './boot.ts';

/** A step as the thread that made it saw it. */
export interface RecordedStep {
  readonly index: number;
  readonly thread: number;
  readonly kind: number;
  readonly loc: number;
  readonly effect: string;
  /** Who could have gone on before the step, as bits. */
  readonly enabled: number;
  readonly stack: string;
}

/** One of the two accesses of a race, or of a use after free. */
export interface RecordedAccess {
  readonly thread: number;
  readonly what: string;
  readonly loc: number;
  readonly stack: string;
}

/** What a thread notes while a schedule is run for the record: slow, and only then. */
export class Recorder {
  steps: RecordedStep[] = [];
  accesses: RecordedAccess[] = [];
  /** Where the thread was when the schedule ended without it. */
  stuckAt = '';
  enabled = 0;
  /** Location whose plain accesses are noted, -1 for none. */
  watched = -1;

  clear(): void {
    this.steps = [];
    this.accesses = [];
    this.stuckAt = '';
  }
}

/** The stack below the checker's own frames. */
export function stackHere(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 24;
  const { stack } = new Error('here');
  Error.stackTraceLimit = limit;
  return withoutMarks(stack ?? '');
}
