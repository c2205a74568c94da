// What the verdict simulates: thread counts, lengths and seeds, all in the result.
import { z } from 'zod';
import type { AdaptiveSwitches, ModelConfig, ModelGeneration, Preset, Suspect } from '../model/index.ts';
import { geometricGrid } from './knee.ts';

export interface Plan {
  readonly quick: boolean;
  readonly seeds: number;
  /** Seeds that must all do well for a thread count to lie below a knee. */
  readonly kneeSeeds: number;
  /** The table's thread counts. */
  readonly threads: readonly number[];
  /** Thread counts that knees are looked for among. */
  readonly grid: readonly number[];
  readonly warmupSeconds: number;
  /** Virtual time of a cell of the table, and of those that knees are made of. */
  readonly seconds: number;
  /** The same in the sensitivity sweep. */
  readonly sweepSeconds: number;
  /** Factors of a guess. */
  readonly factors: readonly number[];
  /** Guesses that are swept at most. */
  readonly guesses: number;
  /** Virtual seconds that a level of the load is held. */
  readonly dwellSeconds: number;
  /** The thread count that the mailing list asks about, the one before it in its table, and one beyond. */
  readonly asked: { readonly before: number; readonly at: number; readonly beyond: number };
}

const count = z.int().nonnegative();
const length = z.number().positive();
export const planSchema: z.ZodType<Plan> = z.object({
  quick: z.boolean(),
  seeds: count,
  kneeSeeds: count,
  threads: z.array(count),
  grid: z.array(count),
  warmupSeconds: length,
  seconds: length,
  sweepSeconds: length,
  factors: z.array(length),
  guesses: count,
  dwellSeconds: length,
  asked: z.object({ before: count, at: count, beyond: count }),
});

export function makePlan(quick: boolean, seeds: number | undefined): Plan {
  const asked = { before: 384, at: 512, beyond: 1024 };
  if (quick)
    return {
      quick,
      seeds: seeds ?? 2,
      threads: [8, 512],
      kneeSeeds: 1,
      grid: [128, 512, 2048],
      warmupSeconds: 0.2,
      seconds: 0.5,
      sweepSeconds: 0.2,
      factors: [4],
      guesses: 2,
      dwellSeconds: 0.3,
      asked,
    };
  return {
    quick,
    seeds: seeds ?? 5,
    kneeSeeds: 2,
    threads: [8, 16, 32, 64, 128, 256, 384, 512, 768, 1024, 2048],
    grid: geometricGrid(128, 2048),
    warmupSeconds: 2,
    seconds: 6,
    sweepSeconds: 5,
    factors: [0.25, 4],
    guesses: Number.MAX_SAFE_INTEGER,
    dwellSeconds: 4,
    asked,
  };
}

/** Scanner rounds that core's `adaptive` leaves a page to its device (hw/src/mm/pte.ts, LEASE). */
const LEASE_ROUNDS = 15;

export const NO_SWITCHES: AdaptiveSwitches = {
  coalescePerPage: false,
  boundHandlersToProcessors: false,
  batchedResponses: false,
  pinUntilUsedRounds: 0,
  admissionCredits: 0,
  interruptPumps: 1,
};

/** `adaptive` as it stands in core: `lockless`, with pages leased to the device that asked for them. */
export const CORE_ADAPTIVE: AdaptiveSwitches = { ...NO_SWITCHES, pinUntilUsedRounds: LEASE_ROUNDS };

/** A cell of the preset's machine. */
export function cellOf(
  preset: Preset,
  plan: Plan,
  cell: { generation: ModelGeneration; threads: number; remove?: readonly Suspect[]; adaptive?: AdaptiveSwitches },
): ModelConfig {
  const { faults: _, ...config } = preset.config;
  const { generation, threads, remove = [], adaptive = CORE_ADAPTIVE } = cell;
  return {
    ...config,
    generation,
    threads,
    adaptive,
    warmupSeconds: plan.warmupSeconds,
    seconds: plan.seconds,
    devices: Math.min(config.devices, threads),
    ...(remove.length === 0 ? {} : { remove }),
  };
}
