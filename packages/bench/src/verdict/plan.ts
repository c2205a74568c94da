// What the verdict simulates: thread counts, lengths and seeds, all in the result.
import { z } from 'zod';
import type { AdaptiveSwitches, ModelConfig, ModelGeneration, Preset, Suspect } from '../model/index.ts';
import { geometricGrid } from './knee.ts';

/** Virtual time: with more threads a job's turn comes later, and so does trouble. */
export interface Length {
  readonly warmupSeconds: number;
  readonly leastSeconds: number;
  /** Turns that each thread should have had, at the pace of the accelerator. */
  readonly turns: number;
}

export interface Plan {
  readonly quick: boolean;
  readonly seeds: number;
  /** Seeds that must all do well for a thread count to lie below a knee. */
  readonly kneeSeeds: number;
  /** The table's thread counts. */
  readonly threads: readonly number[];
  /** Thread counts that knees are looked for among. */
  readonly grid: readonly number[];
  /** How long a cell of the table is, and a cell of the sweeps: over suspects, switches, guesses. */
  readonly cell: Length;
  readonly sweepCell: Length;
  /** Factors of a guess. */
  readonly factors: readonly number[];
  /** Guesses that are swept at most. */
  readonly guesses: number;
  /** Virtual seconds that a level of the load is held. */
  readonly dwellSeconds: number;
  /** The thread count that the mailing list asks about, the one before it in its table, one beyond, and the most of all. */
  readonly asked: { readonly before: number; readonly at: number; readonly beyond: number; readonly most: number };
}

const count = z.int().nonnegative();
const length = z.number().positive();
const lengthSchema = z.object({ warmupSeconds: length, leastSeconds: length, turns: length });
export const planSchema: z.ZodType<Plan> = z.object({
  quick: z.boolean(),
  seeds: count,
  kneeSeeds: count,
  threads: z.array(count),
  grid: z.array(count),
  cell: lengthSchema,
  sweepCell: lengthSchema,
  factors: z.array(length),
  guesses: count,
  dwellSeconds: length,
  asked: z.object({ before: count, at: count, beyond: count, most: count }),
});

export function makePlan(quick: boolean, seeds: number | undefined): Plan {
  const asked = { before: 384, at: 512, beyond: 768, most: 2048 };
  if (quick)
    return {
      quick,
      seeds: seeds ?? 2,
      threads: [8, 512],
      kneeSeeds: 1,
      grid: [128, 512, 1024],
      cell: { warmupSeconds: 0.2, leastSeconds: 0.5, turns: 0.5 },
      sweepCell: { warmupSeconds: 0.2, leastSeconds: 0.2, turns: 0.2 },
      factors: [4],
      guesses: 2,
      dwellSeconds: 0.3,
      asked,
    };
  return {
    quick,
    seeds: seeds ?? 5,
    kneeSeeds: 1,
    threads: [8, 16, 32, 64, 128, 256, 384, 512, 768, 1024, 2048],
    grid: geometricGrid(128, 1024),
    cell: { warmupSeconds: 2, leastSeconds: 6, turns: 20 },
    sweepCell: { warmupSeconds: 0.5, leastSeconds: 5, turns: 12 },
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

/** `adaptive` in core without its admission: `lockless`, with pages leased to the device that asked for them. */
export const CORE_ADAPTIVE: AdaptiveSwitches = { ...NO_SWITCHES, pinUntilUsedRounds: LEASE_ROUNDS };

/** A cell of the preset's machine. */
export function cellOf(
  preset: Preset,
  plan: Plan,
  cell: { generation: ModelGeneration; threads: number; remove?: readonly Suspect[]; adaptive?: AdaptiveSwitches },
  length: Length = plan.cell,
): ModelConfig {
  const { faults: _, ...config } = preset.config;
  const { generation, threads, remove = [], adaptive = CORE_ADAPTIVE } = cell;
  return {
    ...config,
    generation,
    threads,
    adaptive,
    warmupSeconds: length.warmupSeconds,
    seconds: secondsOf(config, threads, length),
    devices: Math.min(config.devices, threads),
    ...(remove.length === 0 ? {} : { remove }),
  };
}

function secondsOf({ jobComputeNs, deviceEngines }: ModelConfig, threads: number, length: Length): number {
  const turnSeconds = deviceEngines === 0 ? 0 : (threads * jobComputeNs) / deviceEngines / 1e9;
  return Math.max(length.leastSeconds, length.turns * turnSeconds);
}
