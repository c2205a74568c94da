// The table of the mailing list, each generation beside `locked` at the same thread count.
import { max, mean, median } from 'simple-statistics';
import { z } from 'zod';
import { MODEL_GENERATIONS, type ModelGeneration, type Preset } from '../model/index.ts';
import { bootstrap, type Interval, intervalSchema } from './interval.ts';
import { latencySchema, type Outcome } from './outcome.ts';
import { cellOf, type Plan } from './plan.ts';
import { finished, type SimulationPool } from './pool.ts';

export interface TableRow {
  readonly threads: number;
  readonly generation: ModelGeneration;
  readonly jobsPerSecond: Interval;
  readonly faultsPerSecond: Interval;
  /** Jobs a second over `locked`'s with the same seed, minus 1; absent where `locked` ended no job. */
  readonly relative?: Interval;
  /** Nanoseconds of a fault: medians over seeds, but for the longest, which is the longest of all. */
  readonly latency: Outcome['latency'];
  readonly refaultsPerFault: Interval;
  /** Of all seeds together, and the seeds that had some. */
  readonly timeouts: number;
  readonly seedsWithTimeouts: number;
  readonly interruptThread: number;
}

export const tableRowSchema: z.ZodType<TableRow> = z.object({
  threads: z.int().positive(),
  generation: z.enum(MODEL_GENERATIONS),
  jobsPerSecond: intervalSchema,
  faultsPerSecond: intervalSchema,
  relative: intervalSchema.exactOptional(),
  latency: latencySchema,
  refaultsPerFault: intervalSchema,
  timeouts: z.int().nonnegative(),
  seedsWithTimeouts: z.int().nonnegative(),
  interruptThread: z.number(),
});

/** Simulates the table. Rows without all their seeds are left out. */
export async function makeTable(pool: SimulationPool, preset: Preset, plan: Plan): Promise<TableRow[]> {
  const seeds = Array.from({ length: plan.seeds }, (_, index) => index + 1);
  const rows = await finished(pool, plan.threads, async (threads) => {
    const cells = await Promise.all(
      MODEL_GENERATIONS.map(async (generation) => {
        const config = cellOf(preset, plan, { generation, threads });
        return { generation, outcomes: await Promise.all(seeds.map((seed) => pool.run(config, seed))) };
      }),
    );
    const locked = cells[0].outcomes;
    return cells.map(({ generation, outcomes }) => rowOf(generation, threads, outcomes, locked));
  });
  return rows.flat();
}

function rowOf(
  generation: ModelGeneration,
  threads: number,
  outcomes: readonly Outcome[],
  locked: readonly Outcome[],
): TableRow {
  const column = (pick: (outcome: Outcome) => number): number[] => outcomes.map(pick);
  const hasBase = locked.every(({ jobsPerSecond }) => jobsPerSecond > 0);
  return {
    threads,
    generation,
    jobsPerSecond: bootstrap(column((each) => each.jobsPerSecond)),
    faultsPerSecond: bootstrap(column((each) => each.faultsPerSecond)),
    ...(hasBase
      ? { relative: bootstrap(outcomes.map((each, seed) => each.jobsPerSecond / locked[seed].jobsPerSecond - 1)) }
      : {}),
    latency: {
      mean: mean(column(({ latency }) => latency.mean)),
      p50: median(column(({ latency }) => latency.p50)),
      p99: median(column(({ latency }) => latency.p99)),
      max: max(column(({ latency }) => latency.max)),
    },
    refaultsPerFault: bootstrap(column((each) => each.refaultsPerFault)),
    timeouts: outcomes.reduce((sum, each) => sum + each.timeouts, 0),
    seedsWithTimeouts: outcomes.filter(({ timeouts }) => timeouts > 0).length,
    interruptThread: mean(column((each) => each.interruptThread)),
  };
}
