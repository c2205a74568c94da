import type { ModelGeneration } from './config.ts';

/** A share of virtual time, 0 to 1 (1 = all the time; of processors: all of them). */
export type Share = number;

export interface SeriesPoint {
  /** End of the interval, in seconds of virtual time; 0 is the begin of the warm-up. */
  readonly atSeconds: number;
  /** In the interval. */
  readonly faults: number;
  readonly refaults: number;
  readonly jobs: number;
  readonly timeouts: number;
  /** At its end. */
  readonly outstanding: number;
  readonly active: number;
}

export interface ModelResult {
  readonly generation: ModelGeneration;
  readonly threads: number;
  readonly seed: number;
  /** Virtual time measured. */
  readonly seconds: number;
  readonly posted: number;
  readonly faults: number;
  readonly faultsPerSecond: number;
  readonly jobs: number;
  readonly jobsPerSecond: number;
  /** Faults on a page that the same job had touched or asked for before. */
  readonly refaults: number;
  readonly refaultsPerFault: number;
  /** Jobs that failed as an access took longer than the limit. */
  readonly timeouts: number;
  /** Threads whose access was past the limit at the end, and had no answer. */
  readonly overdue: number;
  /** Faults without an answer at the end, and at the begin of the measured time. */
  readonly outstanding: number;
  readonly outstandingBefore: number;
  /** Nanoseconds from posted to resumed. */
  readonly latency: { readonly mean: number; readonly p50: number; readonly p99: number; readonly max: number };
  readonly jobTime: { readonly mean: number; readonly p50: number; readonly p99: number; readonly max: number };
  readonly busy: {
    readonly processors: Share;
    readonly device: Share;
    readonly hardware: Share;
    readonly interrupt: Share;
    readonly handler: Share;
    readonly switching: Share;
    /** Of one interrupt thread, whatever their number. */
    readonly interruptThread: Share;
    readonly paramLock: Share;
    readonly faultLock: Share;
    readonly mmapLine: Share;
    readonly mmapWriter: Share;
    readonly workLine: Share;
    readonly commandLine: Share;
    readonly invalidations: Share;
  };
  /** Mean nanoseconds of a fault: they add up to the mean latency. */
  readonly stages: {
    readonly queue: number;
    readonly group: number;
    readonly work: number;
    readonly handler: number;
    readonly response: number;
  };
  /** Groups walked past in a search, on average. */
  readonly searchLength: number;
  /** Handlers at work, on average. */
  readonly activeHandlers: number;
  readonly memory: {
    readonly populated: number;
    readonly restored: number;
    readonly taken: number;
    readonly discarded: number;
    readonly invalidations: number;
    readonly scans: number;
    readonly lockMisses: number;
    readonly hints: number;
  };
  readonly contended: { readonly paramLock: number; readonly faultLock: number; readonly mmapLock: number };
  readonly events: number;
  readonly series: readonly SeriesPoint[];
}
