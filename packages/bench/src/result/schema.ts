// The JSON result: what a run prints, as data. A reader of schemaVersion 1 may rely on every field here.
import { z } from 'zod';
import { GENERATIONS, type Generation, parametersSchema, type StressParameters } from '../scenario/parameters.ts';

export const SCHEMA_VERSION = 1;

/** Where the run took place. */
export interface Environment {
  /** Versions, as process.versions has them. */
  node: string;
  v8: string;
  platform: string;
  arch: string;
  /** The kernel's release. */
  release: string;
  /** Processors this process may use. */
  cpus: number;
  cpuModel: string;
  memoryBytes: number;
}

/** Latency of a fault from the device's first touch to its resumption, in nanoseconds. */
export interface LatencyNs {
  p50: number;
  p99: number;
  p999: number;
  max: number;
}

/** One histogram bin: its lower bound in nanoseconds (included) and how many latencies fell into it.
 * Bins are ascending and sparse; all cells of a run share one set of bounds, so bins with the same bound add up. */
export type Bin = [lowerNs: number, count: number];

/** What is still held once a cell has ended. All zero, or something leaked. */
export interface Leaked {
  /** Slab objects not free. */
  slab: number;
  /** References not put. */
  references: number;
  /** Groups that a domain counts as pending. */
  pending: number;
  /** RCU callbacks that have not run. */
  deferred: number;
}

/** Page request groups, where these may have several pages. The pages of a group are sent and answered together, so the latency of a group
 * is that of each of its pages. */
export interface GroupFigures {
  sent: number;
  perSecond: number;
  pagesPerGroup: number;
  /** Pages whose group was answered: all that faulted. */
  pagesResumed: number;
}

/** Translations that endpoints kept. */
export interface AtcFigures {
  /** Accesses by a translation that was kept. */
  hits: number;
  /** Translations asked for. */
  translations: number;
  /** Invalidations that endpoints completed. */
  invalidations: number;
  /** Answers thrown away, as an invalidation had come in between. */
  discarded: number;
  /** Accesses by a translation after the sync of its invalidation had returned: none, or something is wrong. */
  breaches: number;
}

/** What user space did through the fault file. */
export interface FaultFileFigures {
  /** Reads that delivered something, and the groups that they delivered. */
  reads: number;
  groups: number;
  writes: number;
  /** Answers that were refused: the group had been answered for its reader, as its domain was replaced or its device turned off. */
  refused: number;
}

/** Mean nanoseconds of a fault's way, stage by stage: they add up to its latency. */
export interface StageTimes {
  /** From the device's post, through the port and the IOMMU's queue, until the interrupt's thread reports the record. */
  queue: number;
  /** Until its group is whole and handed to the work queue. */
  group: number;
  /** Until a worker begins on it, the rest of the batches on both sides included. */
  work: number;
  /** Until its answer is known. */
  handler: number;
  /** Through the command queue and the hardware, until the device is resumed. */
  response: number;
}

/** Where the time of faults went, of runs that measured it: on a sample of the pages. */
export interface Stages {
  /** Faults that were followed and passed every stage. */
  faults: number;
  /** Faults that were followed and did not: the hardware, the report or a drain answered them. */
  skipped: number;
  meanNs: StageTimes;
  /** The same by latency: each entry's faults took from `fromNs` up to twice that. Ascending. */
  byLatency: { fromNs: number; faults: number; meanNs: StageTimes }[];
}

/** Jobs that waited before they began, as so many were under way. That time is part of a job's, and of no fault's or time-out's. */
export interface AdmissionFigures {
  /** Jobs that might be under way at once. */
  places: number;
  admitted: number;
  /** Jobs whose place was not there at once, and how long they waited, together; those that the end kept from beginning too. */
  waited: number;
  waitNs: number;
  worstWaitNs: number;
  /** Places that had not come back in the end: none, or something is wrong. */
  out: number;
}

/** What the device that misbehaves did, and what became of it. Its endpoint counts what it sent and took. */
export interface HostileFigures {
  /** Page requests sent, and groups that were sent to the end. */
  requests: number;
  groups: number;
  /** Its page requests that reached the core, and its groups that the core answered. */
  reported: number;
  answered: number;
  /** Answers from elsewhere: the hardware's, which keeps these requests from the core, and its driver's. */
  rejected: number;
  rejectedByDriver: number;
  /** Answers as it took them, by kind: Success, Invalid Request, Response Failure, to no group of its, lost on the way. */
  succeeded: number;
  invalid: number;
  failures: number;
  unexpected: number;
  lost: number;
  /** Accesses given up: by its own time-out, by a failure, or as it was reset. */
  dropped: number;
  /** Answers that good devices got to no group of theirs: none, or the misbehaviour has spread. */
  strays: number;
}

/** One generation at one thread count, once. */
export interface Cell {
  generation: Generation;
  threads: number;
  /** Which of the repeats, from 0. */
  repeat: number;
  /** Milliseconds the scanner took to go once round; 0 = it was off. */
  scanner: number;
  faults: number;
  seconds: number;
  faultsPerSecond: number;
  latencyNs: LatencyNs;
  histogram: Bin[];
  jobs: number;
  /** Jobs that failed because an access outlived the device's time-out. */
  timeouts: number;
  /** Faults on pages that the same job had faulted in before. */
  refaults: number;
  /** Times that an event queue was found full. */
  overflows: number;
  /** Faults that the hardware answered with a retry by itself, as its queue was full: the driver never saw them. 0 where they wait instead. */
  automatic: number;
  /** Groups that the driver reported, the core answered, and the device took as resumption. */
  reported: number;
  answered: number;
  resumed: number;
  leaked: Leaked;
  /** Of runs with groups of several pages. The three figures above count groups then. */
  groups?: GroupFigures;
  /** Of generations that admit jobs. */
  admission?: AdmissionFigures;
  /** Of runs with endpoints that keep translations. */
  atc?: AtcFigures;
  /** Of runs whose faults user space handles. */
  faultFile?: FaultFileFigures;
  /** Of runs with a device that misbehaves. All other figures are those of the good devices, but for `overflows`. */
  hostile?: HostileFigures;
  /** Of runs that measure the stages of a fault. */
  stages?: Stages;
}

/** What `repro` measured at start-up, and what followed from it. */
export interface Calibration {
  costNsPerFault: number;
  /** Expected latency of a fault with 512 threads, in milliseconds. */
  latencyMsAt512: number;
  scannerPeriodMs: number;
  timeoutMs: number;
  /** How the two were chosen, a sentence an entry. */
  explanation: string[];
}

export interface Result {
  schemaVersion: typeof SCHEMA_VERSION;
  command: 'stress' | 'repro';
  environment: Environment;
  parameters: StressParameters;
  /** Of `repro` alone. */
  calibration?: Calibration;
  /** The run was interrupted: cells are missing, and the last may be short. */
  partial: boolean;
  cells: Cell[];
}

const count = z.int().nonnegative();
const amount = z.number().nonnegative();

const binsSchema = z
  .array(z.tuple([amount, count]))
  .refine((bins) => bins.every(([lowerNs], i) => i === 0 || lowerNs > bins[i - 1][0]), 'bins must ascend');

// Clocks of two threads may disagree by more than a short stage takes.
const stageTimesSchema = z.object({
  queue: z.number(),
  group: z.number(),
  work: z.number(),
  handler: z.number(),
  response: z.number(),
});

const cellSchema: z.ZodType<Cell> = z.object({
  generation: z.enum(GENERATIONS),
  threads: count,
  repeat: count,
  scanner: count,
  faults: count,
  seconds: amount,
  faultsPerSecond: amount,
  latencyNs: z.object({ p50: amount, p99: amount, p999: amount, max: amount }),
  histogram: binsSchema,
  jobs: count,
  timeouts: count,
  refaults: count,
  overflows: count,
  automatic: count,
  reported: count,
  answered: count,
  resumed: count,
  // A count below zero is a defect to report, not a file to refuse.
  leaked: z.object({ slab: z.int(), references: z.int(), pending: z.int(), deferred: z.int() }),
  groups: z.object({ sent: count, perSecond: amount, pagesPerGroup: amount, pagesResumed: count }).exactOptional(),
  admission: z
    .object({ places: count, admitted: count, waited: count, waitNs: amount, worstWaitNs: amount, out: z.int() })
    .exactOptional(),
  atc: z
    .object({ hits: count, translations: count, invalidations: count, discarded: count, breaches: count })
    .exactOptional(),
  faultFile: z.object({ reads: count, groups: count, writes: count, refused: count }).exactOptional(),
  hostile: z
    .object({
      requests: count,
      groups: count,
      reported: count,
      answered: count,
      rejected: count,
      rejectedByDriver: count,
      succeeded: count,
      invalid: count,
      failures: count,
      unexpected: count,
      lost: count,
      dropped: count,
      strays: count,
    })
    .exactOptional(),
  stages: z
    .object({
      faults: count,
      skipped: count,
      meanNs: stageTimesSchema,
      byLatency: z.array(z.object({ fromNs: amount, faults: count, meanNs: stageTimesSchema })),
    })
    .exactOptional(),
});

export const environmentSchema: z.ZodType<Environment> = z.object({
  node: z.string(),
  v8: z.string(),
  platform: z.string(),
  arch: z.string(),
  release: z.string(),
  cpus: count,
  cpuModel: z.string(),
  memoryBytes: count,
});

export const resultSchema: z.ZodType<Result> = z.object({
  schemaVersion: z.literal(SCHEMA_VERSION),
  command: z.enum(['stress', 'repro']),
  environment: environmentSchema,
  parameters: parametersSchema,
  calibration: z
    .object({
      costNsPerFault: amount,
      latencyMsAt512: amount,
      scannerPeriodMs: amount,
      timeoutMs: amount,
      explanation: z.array(z.string()),
    })
    .exactOptional(),
  partial: z.boolean(),
  cells: z.array(cellSchema),
});
