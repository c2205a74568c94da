import { z } from 'zod';
import type { ModelResult, SeriesPoint } from '../model/index.ts';

/** What the verdict keeps of a simulation. */
export interface Outcome {
  readonly faultsPerSecond: number;
  readonly jobsPerSecond: number;
  readonly refaultsPerFault: number;
  /** Jobs that failed, and accesses that were past the limit at the end. */
  readonly timeouts: number;
  readonly latency: { readonly mean: number; readonly p50: number; readonly p99: number; readonly max: number };
  /** Share of the measured time that the interrupt thread was busy. */
  readonly interruptThread: number;
  readonly processors: number;
  readonly faultLock: number;
  readonly events: number;
}

const amount = z.number().nonnegative();
export const latencySchema: z.ZodType<Outcome['latency']> = z.object({
  mean: amount,
  p50: amount,
  p99: amount,
  max: amount,
});
export const outcomeSchema: z.ZodType<Outcome> = z.object({
  faultsPerSecond: amount,
  jobsPerSecond: amount,
  refaultsPerFault: amount,
  timeouts: z.int().nonnegative(),
  latency: latencySchema,
  interruptThread: amount,
  processors: amount,
  faultLock: amount,
  events: amount,
});

export function outcomeOf(result: ModelResult): Outcome {
  const { busy, events, faultsPerSecond, jobsPerSecond, latency, overdue, refaultsPerFault, timeouts } = result;
  return {
    faultsPerSecond,
    jobsPerSecond,
    refaultsPerFault,
    timeouts: timeouts + overdue,
    latency,
    interruptThread: busy.interruptThread,
    processors: busy.processors,
    faultLock: busy.faultLock,
    events,
  };
}

/** What a pool's thread sends back. */
export interface Answer {
  readonly outcome: Outcome;
  /** When it was asked for. */
  readonly series?: readonly SeriesPoint[];
}

/** More re-faults than this, of all faults, and pages are lost before a job has used them: the loop runs. */
export const LOOP_SHARE = 0.05;

/** No job failed for its faults' time. */
export function isInTime({ timeouts }: Outcome): boolean {
  return timeouts === 0;
}

/** In time, and pages stay until they have been used. */
export function isHealthy(outcome: Outcome): boolean {
  return isInTime(outcome) && outcome.refaultsPerFault <= LOOP_SHARE;
}
