// What `adaptive` could do, each alone: what it brings at the knee, and what it costs where all is well anyway.
import { z } from 'zod';
import type { AdaptiveSwitches, Preset } from '../model/index.ts';
import { type Outcome, outcomeSchema } from './outcome.ts';
import { CORE_ADAPTIVE, cellOf, NO_SWITCHES, type Plan } from './plan.ts';
import { finished, type SimulationPool } from './pool.ts';
import { findKnees, type Knees, kneesSchema } from './suspects.ts';

export interface Candidate extends Knees {
  readonly name: string;
  /** The design that the table calls `adaptive`. */
  readonly isCore: boolean;
  readonly few: Outcome;
  readonly at: Outcome;
  readonly beyond: Outcome;
  readonly most: Outcome;
}

const fields = {
  name: z.string(),
  isCore: z.boolean(),
  few: outcomeSchema,
  at: outcomeSchema,
  beyond: outcomeSchema,
  most: outcomeSchema,
};
export const candidateSchema: z.ZodType<Candidate> = z.intersection(z.object(fields), kneesSchema);

/** Where nothing is short. */
export const FEW_THREADS = 8;
const PUMPS = 4;
const CREDIT_JOBS = 256;

export async function tryCandidates(pool: SimulationPool, preset: Preset, plan: Plan): Promise<Candidate[]> {
  const { pinUntilUsedRounds } = CORE_ADAPTIVE;
  const admissionCredits = CREDIT_JOBS * preset.config.pagesPerJob;
  const alone: [string, Partial<AdaptiveSwitches>][] = [
    ['none: `lockless`', {}],
    [`pages leased until used (${pinUntilUsedRounds} rounds): \`adaptive\` as simulated`, { pinUntilUsedRounds }],
    ["a job's faults coalesced", { coalescePerPage: true }],
    ['no more handlers than processors', { boundHandlersToProcessors: true }],
    ['answers in batches', { batchedResponses: true }],
    [`credits for ${CREDIT_JOBS} jobs`, { admissionCredits }],
    [`${PUMPS} interrupt threads a queue`, { interruptPumps: PUMPS }],
  ];
  const together: AdaptiveSwitches = Object.assign({}, NO_SWITCHES, ...alone.map(([, switches]) => switches));
  const asked: [string, AdaptiveSwitches][] = alone.map(([name, switches]) => [name, { ...NO_SWITCHES, ...switches }]);
  asked.push(['all of them', together]);
  return finished(pool, asked, ([name, adaptive]) => tryCandidate(pool, preset, plan, name, adaptive));
}

async function tryCandidate(
  pool: SimulationPool,
  preset: Preset,
  plan: Plan,
  name: string,
  adaptive: AdaptiveSwitches,
): Promise<Candidate> {
  const run = (threads: number, seed = 1): Promise<Outcome> =>
    pool.run(cellOf(preset, plan, { generation: 'adaptive', threads, adaptive }, plan.sweepCell), seed);
  return {
    name,
    isCore: JSON.stringify(adaptive) === JSON.stringify(CORE_ADAPTIVE),
    few: await run(FEW_THREADS),
    at: await run(plan.asked.at),
    beyond: await run(plan.asked.beyond),
    most: await run(plan.asked.most),
    ...(await findKnees(plan, run)),
  };
}
