// What two files are compared by: cells that can be told from one another, each with figures and all its repeats.
import type { Bin, Environment, Stages } from '../result/schema.ts';
import type { Generation, StressParameters } from '../scenario/parameters.ts';

/** How a figure is shown. The change of a share is a difference, in points; of all others it is a ratio. */
export type Unit = 'rate' | 'ns' | 'ms' | 'share';

export interface MeasuredFigure {
  readonly name: string;
  readonly unit: Unit;
  /** Whether more of it is better. */
  readonly more: boolean;
  /** One value a repeat. */
  readonly repeats: readonly number[];
  /** Of files that keep no repeats: where nearly all of one run's samples lay. */
  readonly range?: { readonly low: number; readonly high: number };
}

export interface MeasuredCell {
  /** What it is matched by. */
  readonly key: string;
  readonly name: string;
  readonly figures: readonly MeasuredFigure[];
  /** Of stress runs. */
  readonly stress?: StressCell;
}

export interface StressCell {
  readonly generation: Generation;
  readonly threads: number;
  /** Milliseconds the page scanner takes to go round; 0 = off. */
  readonly scanner: number;
  /** Latencies of all repeats. */
  readonly histogram: readonly Bin[];
  /** Where the run measured them. */
  readonly stages?: Stages;
}

export interface Measured {
  readonly file: string;
  readonly kind: 'stress' | 'repro' | 'bench';
  readonly environment: Environment;
  readonly parameters: StressParameters | Readonly<Record<string, unknown>>;
  readonly cells: readonly MeasuredCell[];
  /** What a reader of this file alone should know: interrupted, books that do not balance. */
  readonly warnings: readonly string[];
}
