import type { CostTable } from './costs/schema.ts';
import type { Suspect } from './suspects.ts';

/** The fault paths that are modelled. `adaptive` is `lockless` with {@link AdaptiveSwitches}. */
export const MODEL_GENERATIONS = ['locked', 'v7', 'mainline', 'lockless', 'adaptive'] as const;
export type ModelGeneration = (typeof MODEL_GENERATIONS)[number];

/** Takes pages away. `round`: each device or user thread its share, all pages once in `periodMs`. `numa`: Linux's NUMA balancing. */
export type ScannerConfig =
  | { readonly kind: 'none' }
  | { readonly kind: 'round'; readonly periodMs: number; readonly chunkPages: number }
  | {
      readonly kind: 'numa';
      /** numa_balancing_scan_size. */
      readonly scanMiB: number;
      /** numa_balancing_scan_period_min: a scan is due after this, divided by the resident set's windows of `scanMiB`. */
      readonly periodMs: number;
      /** Never sooner than this. */
      readonly floorMs: number;
      readonly chunkPages: number;
      /** Pages of the process that jobs do not use, a thread: they make windows, and take the scanner's time. */
      readonly otherPagesPerThread: number;
      /** Share of restored pages that are moved to the handler's node. */
      readonly migrateShare: number;
      /** Share of a window's pages that the processor touches itself before each job. */
      readonly cpuTouchShare: number;
    };

/** What `adaptive` does beyond `lockless`, each alone. */
export interface AdaptiveSwitches {
  /** Faults of one job become one group, 16 of them at most: one report, one answer. Supposes that the queue has them side by side,
   * which hardware that takes devices in turn does not do. */
  readonly coalescePerPage: boolean;
  /** No more handlers at work than processors. */
  readonly boundHandlersToProcessors: boolean;
  /** A handler's answers go out together, one command for a job's. */
  readonly batchedResponses: boolean;
  /** Scanner rounds that a page is left alone that a fault made present and the device has not accessed since. 0: none. */
  readonly pinUntilUsedRounds: number;
  /** Faults that jobs under way may have at once; further jobs wait before they begin. 0: no limit. */
  readonly admissionCredits: number;
  /** Threads that take records from the event queue. */
  readonly interruptPumps: number;
}

export interface LoadStep {
  readonly atSeconds: number;
  readonly threads: number;
}

/** Everything that a simulation is made of. Nothing else is known of a machine. */
export interface ModelConfig {
  readonly generation: ModelGeneration;
  /** Device threads. */
  readonly threads: number;
  readonly devices: number;
  readonly processors: number;
  readonly sliceUs: number;
  /** How much more a running thread must have had for a woken one to take its place at once. */
  readonly wakeAheadUs: number;
  /** Whether who finds a lock held looks on until it is free. */
  readonly lockSpins: boolean;
  /** Whether the hardware is a thread on the processors. */
  readonly hardwareOnProcessor: boolean;
  /** Whether devices are threads on the processors; if not, each has a user thread there, which submits jobs. */
  readonly deviceOnProcessor: boolean;
  /** How a user thread waits for its job. */
  readonly jobWait: 'sleep' | 'poll';
  readonly handlers: number;
  readonly handlerBatch: number;
  readonly maxActive: number;
  readonly interruptThreads: number;
  readonly interruptBatch: number;
  /** Whether interrupt threads go ahead of all others. */
  readonly interruptRealTime: boolean;
  readonly queueEntries: number;
  /** Whether all write resume and invalidation commands into one queue, or each thread has its own. */
  readonly commandQueue: 'own' | 'shared';
  /** Accesses that may be stalled and recorded at once, of all devices. */
  readonly stallMax: number;
  readonly pagesPerJob: number;
  readonly windows: number;
  readonly passes: number;
  /** The device's own work on a pass, in nanoseconds. */
  readonly jobComputeNs: number;
  /** Jobs that the device computes at once; 0: any number. */
  readonly deviceEngines: number;
  /** What becomes of the buffers when each window had its job: `keep` (filled before the first one, too), `discard` (mmap lock
   * shared) or `remap` (alone). */
  readonly buffers: 'keep' | 'discard' | 'remap';
  readonly scanner: ScannerConfig;
  /** Cache that pages stay in between two uses: what is beyond it is populated at the cost of a cold page. */
  readonly cacheMiB: number;
  readonly timeoutMs: number;
  readonly costs: CostTable;
  /** Whether locks exclude and lists are searched. */
  readonly locks: boolean;
  readonly mmapLock: boolean;
  /** Whether a change of mappings waits for the hardware. */
  readonly invalidations: boolean;
  readonly adaptive: AdaptiveSwitches;
  /** Virtual time to simulate after the warm-up; exactly one of this and `faults`. */
  readonly seconds?: number;
  /** Faults to answer after the warm-up. */
  readonly faults?: number;
  readonly warmupSeconds: number;
  readonly seriesMs: number;
  /** Faults of a job that travel together. 1 is exact; more is faster. */
  readonly grain: number;
  /** Device threads that are at work, over time; before the first step: all. */
  readonly loadSteps?: readonly LoadStep[];
  /** Suspects to take out. */
  readonly remove?: readonly Suspect[];
}
