// What a replay writes with --json. A reader of schemaVersion 1 may rely on every field here.
import { z } from 'zod';
import type { Bin, Environment, LatencyNs } from '../../result/schema.ts';
import { GENERATIONS, HANDLERS } from '../../scenario/parameters.ts';
import type { ReplayOptions } from '../run/options.ts';
import type { UnreadableLine } from '../source/trace-reader.ts';

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

export interface ReplayResult {
  schemaVersion: typeof REPLAY_SCHEMA_VERSION;
  command: 'replay';
  file: string;
  environment: Environment;
  /** How it was replayed; speed null: as fast as it goes. */
  options: Omit<ReplayOptions, 'speed'> & { speed: number | null };
  /** It was interrupted: figures are those of what had been read by then. */
  interrupted: boolean;

  /** Lines read: records + unreadable + other + comments + blank + lostLines. */
  lines: number;
  /** Page requests among them. */
  records: number;
  /** Lines that are none of these; the first of them in `unreadableLines`. */
  unreadable: number;
  unreadableLines: UnreadableLine[];
  /** Lines of other events. */
  other: number;
  comments: number;
  blank: number;
  /** Lines by which the tracer says that it lost events, and how many of these, as far as it knows. */
  lostLines: number;
  lost: number;
  /** Records older than the one before, and records without a time: both are sent at once. */
  backwards: number;
  untimed: number;

  /** Devices that the trace names. */
  devices: number;
  byDevice: ReplayedDevice[];
  /** Groups with their last request, and those that still wanted it in the end. */
  groups: number;
  partial: number;

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

const count = z.int().nonnegative();
const amount = z.number().nonnegative();
const latency = z.object({ p50: amount, p99: amount, p999: amount, max: amount });

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
  ...{ lines: count, records: count, unreadable: count, other: count, comments: count, blank: count },
  unreadableLines: z.array(z.object({ line: count, why: z.string(), text: z.string() })),
  ...{ lostLines: count, lost: count, backwards: count, untimed: count },
  devices: count,
  byDevice: z.array(
    z.object({ device: z.string(), rid: count, pasids: z.array(count), records: count, groups: count }),
  ),
  ...{ groups: count, partial: count, sent: count, unsent: count, unplaced: count, stopMarkers: count },
  ...{ heldForIndex: count, heldForCredit: count, groupsSent: count, answered: count, succeeded: count },
  ...{ invalid: count, byCore: count, byHardware: count, failures: count, dropped: count, unexpected: count },
  byDriver: z.int(), // below zero is a defect to report, not a file to refuse
  overflows: count,
  ...{ seconds: amount, recordsPerSecond: amount, groupsPerSecond: amount },
  ...{ latencyNs: latency, latenessNs: latency },
  histogram: z.array(z.tuple([amount, count])),
  unbalanced: z.array(z.string()),
});
