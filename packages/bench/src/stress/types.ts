// Between the command line and the engine: what is asked for, what is told meanwhile, what comes back.
import type { Recorder } from '../perfetto/recorder.ts';
import type { RequestRecorder } from '../replay/record/request-recorder.ts';
import type { Calibration, Cell } from '../result/schema.ts';
import type { StressParameters } from '../scenario/parameters.ts';

/** What the engine tells while it runs, and how it is stopped. All are called on the main thread. */
export interface RunHooks {
  /** Once, before the first cell: how many cells there will be and how long they should take. */
  onPlan(cells: number, estimateSeconds: number): void;
  /** After each cell, in the order they ended. */
  onCell(cell: Cell): void;
  /** Now and then. `label` says what is running, e.g. `lockless, 512 threads, repeat 2 of 3`. */
  onProgress(doneSeconds: number, totalSeconds: number, label: string): void;
  /** Something the reader of the result should know. One line. */
  onNote(text: string): void;
  /** Aborted: stop all threads within 2 s and return what was measured. Not an error. */
  readonly signal: AbortSignal;
  /** Set where the page requests of measured cells are recorded. */
  readonly requests?: RequestRecorder | undefined;
  /** Set where the threads of measured cells record what they do. */
  readonly recorder?: Recorder | undefined;
}

export interface RunOutcome {
  cells: Cell[];
  /** The signal was aborted before all cells had ended. */
  partial: boolean;
}

/** What bench/src/stress/run.ts exports; tests of the command line put their own in its place. */
export interface Engine {
  /** Runs every generation at every thread count, `repeats` times.
   * @throws what stopped the run: a worker that died, books that could not be closed. */
  runCells(parameters: StressParameters, hooks: RunHooks): Promise<RunOutcome>;
  /** Measures this machine's cost of a fault and chooses the scanner's pace and the time-out from it, the same for every generation. */
  calibrate(parameters: StressParameters, hooks: RunHooks): Promise<Calibration>;
}

export type { Calibration, Cell } from '../result/schema.ts';
