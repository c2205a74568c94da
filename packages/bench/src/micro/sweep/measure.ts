import { HistogramSum } from '@faultline/core';
import { type Figures, figuresOf } from '../figures.ts';
import { STRUCTURE } from '../pair/case.ts';
import { Pair } from '../pair/measure.ts';
import {
  LATENCIES_AT,
  LATENCY_TICK_NS,
  leavesOf,
  readSweeps,
  SWEEP_MODES,
  type SweepMode,
  type SweepRange,
  setSweepMode,
  sweepCase,
} from './case.ts';

/** Nanoseconds from when a call was due to its end: a figure a repeat, of all calls of it. */
export interface LatencyFigures {
  readonly calls: number;
  readonly median: Figures;
  readonly p99: Figures;
  readonly worst: Figures;
}

export interface SweepRow extends SweepRange {
  readonly leaves: number;
  readonly mode: SweepMode;
  /** Sweeps in all repeats, and milliseconds of one. */
  readonly sweeps: number;
  readonly sweepMs: Figures;
  readonly map: LatencyFigures;
  readonly unmap: LatencyFigures;
}

export interface SweepOptions {
  readonly repeats: number;
  readonly roundMs: number;
}

/** Measures map and unmap beside sweeps of a range, mode by mode in turns over one table. Takes the table's memory while it runs.
 * @throws Error when a sweep misses a dirty leaf, or not all that was mapped was unmapped. */
export async function measureSweep(range: SweepRange, { repeats, roundMs }: SweepOptions): Promise<SweepRow[]> {
  const pair = new Pair(sweepCase(range));
  const tallies = SWEEP_MODES.map((mode) => new Tally(mode));
  try {
    for (let repeat = -1; repeat < repeats; repeat++) {
      for (const tally of tallies) {
        setSweepMode(pair.words, STRUCTURE, tally.mode);
        await pair.round(roundMs);
        if (repeat >= 0) tally.take(pair.words); // the first one warms up
      }
    }
  } finally {
    await pair.stop();
  }
  return tallies.map((tally) => tally.row(range));
}

/** One mode's figures, a repeat after the other. */
class Tally {
  readonly mode: SweepMode;
  readonly #map: Latencies = new Latencies();
  readonly #unmap: Latencies = new Latencies();
  readonly #sweepMs: number[] = [];
  #sweeps = 0;

  constructor(mode: SweepMode) {
    this.mode = mode;
  }

  take(words: Int32Array<SharedArrayBuffer>): void {
    const { sweeps, ms } = readSweeps(words, STRUCTURE);
    this.#sweeps += sweeps;
    this.#sweepMs.push(ms);
    this.#map.take(words, STRUCTURE + LATENCIES_AT.map);
    this.#unmap.take(words, STRUCTURE + LATENCIES_AT.unmap);
  }

  row(range: SweepRange): SweepRow {
    return {
      ...range,
      leaves: leavesOf(range),
      mode: this.mode,
      sweeps: this.#sweeps,
      sweepMs: figuresOf(this.#sweepMs),
      map: this.#map.figures(),
      unmap: this.#unmap.figures(),
    };
  }
}

class Latencies {
  readonly #median: number[] = [];
  readonly #p99: number[] = [];
  readonly #worst: number[] = [];
  #calls = 0;

  take(words: Int32Array<SharedArrayBuffer>, at: number): void {
    const sum = new HistogramSum();
    sum.add(words, at);
    this.#calls += sum.total;
    this.#median.push(sum.quantile(0.5) * LATENCY_TICK_NS);
    this.#p99.push(sum.quantile(0.99) * LATENCY_TICK_NS);
    this.#worst.push(sum.max * LATENCY_TICK_NS);
  }

  figures(): LatencyFigures {
    return {
      calls: this.#calls,
      median: figuresOf(this.#median),
      p99: figuresOf(this.#p99),
      worst: figuresOf(this.#worst),
    };
  }
}
