// What a replay writes with --json. A reader of schemaVersion 1 may rely on every field here.
import { z } from 'zod';
import type { Bin, Environment, LatencyNs } from '../../result/schema.ts';
import { GENERATIONS, HANDLERS } from '../../scenario/parameters.ts';
import type { ReplayOptions } from '../run/options.ts';
import type { TraceCounts, UnreadableLine } from '../source/trace-reader.ts';

export const REPLAY_SCHEMA_VERSION = 1;

export interface ReplayedDevice {
  /** As the trace names it. */
  device: string;
  /** Requester id. */
  rid: number;
  pasids: number[];
  records: number;
  groups: number;
}

/** What the file was made of. */
export interface TraceFigures extends TraceCounts {
  unreadableLines: UnreadableLine[];
  /** Devices that the trace names. */
  devices: number;
}

export interface ReplayResult extends TraceFigures {
  schemaVersion: typeof REPLAY_SCHEMA_VERSION;
  command: 'replay';
  file: string;
  environment: Environment;
  /** How it was replayed; speed null: as fast as it goes. */
  options: Omit<ReplayOptions, 'speed'> & { speed: number | null };
  /** It was interrupted: figures are those of what had been read by then. */
  interrupted: boolean;

  byDevice: ReplayedDevice[];

  /** Requests sent: records = sent + unsent + unplaced + stopMarkers. */
  sent: number;
  /** Not sent, as a failure had turned their device's interface off. */
  unsent: number;
  /** Not sent, as there was no place left for their device, or their PASID could not be attached. */
  unplaced: number;
  /** They ask for nothing. */
  stopMarkers: number;
  /** Requests that had to wait, as the group that had their index before was without an answer, or for credits. */
  heldForIndex: number;
  heldForCredit: number;

  /** Groups sent to their last request. */
  groupsSent: number;
  /** Of these, answered: succeeded + invalid = byCore + byHardware + byDriver. */
  answered: number;
  succeeded: number;
  invalid: number;
  byCore: number;
  /** By the hardware itself, as its queue was full. */
  byHardware: number;
  /** By the driver's pump, which refused the request before the core saw it. */
  byDriver: number;
  /** Response Failures, and the groups that were given up at one. */
  failures: number;
  dropped: number;
  /** Answers to no group: none, or something is wrong. */
  unexpected: number;
  /** Times that the IOMMU's queue was found full. */
  overflows: number;

  seconds: number;
  recordsPerSecond: number;
  groupsPerSecond: number;
  /** From a group's last request to the hardware's answer. */
  latencyNs: LatencyNs;
  histogram: Bin[];
  /** How late requests were sent that have a time. */
  latenessNs: LatencyNs;
  /** What does not balance: a sentence each, none if all is well. */
  unbalanced: string[];
}

export const count: z.ZodType<number> = z.int().nonnegative();
const amount = z.number().nonnegative();
export const latencySchema: z.ZodType<LatencyNs> = z.object({ p50: amount, p99: amount, p999: amount, max: amount });

/** The fields of {@link TraceFigures}. */
export const traceFigures: { readonly [K in keyof TraceFigures]: z.ZodType<TraceFigures[K]> } = {
  ...{ lines: count, records: count, unreadable: count, other: count, comments: count, blank: count },
  unreadableLines: z.array(z.object({ line: count, why: z.string(), text: z.string() })),
  ...{ lostLines: count, lost: count, backwards: count, untimed: count },
  ...{ devices: count, groups: count, partial: count },
};

export const replayResultSchema: z.ZodType<ReplayResult> = z.object({
  schemaVersion: z.literal(REPLAY_SCHEMA_VERSION),
  command: z.literal('replay'),
  file: z.string(),
  environment: z.object({
    ...{ node: z.string(), v8: z.string(), platform: z.string(), arch: z.string(), release: z.string() },
    ...{ cpus: count, cpuModel: z.string(), memoryBytes: count },
  }),
  options: z.object({
    iommu: z.enum(['vtd', 'amd']),
    generation: z.enum(GENERATIONS),
    handler: z.enum(HANDLERS),
    speed: z.number().positive().nullable(),
    ...{ devices: count, handlers: count, maxActive: count, queueEntries: count },
  }),
  interrupted: z.boolean(),
  ...traceFigures,
  byDevice: z.array(
    z.object({ device: z.string(), rid: count, pasids: z.array(count), records: count, groups: count }),
  ),
  ...{ sent: count, unsent: count, unplaced: count, stopMarkers: count },
  ...{ heldForIndex: count, heldForCredit: count, groupsSent: count, answered: count, succeeded: count },
  ...{ invalid: count, byCore: count, byHardware: count, failures: count, dropped: count, unexpected: count },
  byDriver: z.int(), // below zero is a defect to report, not a file to refuse
  overflows: count,
  ...{ seconds: amount, recordsPerSecond: amount, groupsPerSecond: amount },
  ...{ latencyNs: latencySchema, latenessNs: latencySchema },
  histogram: z.array(z.tuple([amount, count])),
  unbalanced: z.array(z.string()),
});
