// Suspects taken out, one by one and in pairs: how far each moves the knee.
import { z } from 'zod';
import { MODEL_GENERATIONS, type ModelGeneration, type Preset, SUSPECT_NAMES, type Suspect } from '../model/index.ts';
import { findKnee, type Knee, kneeSchema } from './knee.ts';
import { isHealthy, isInTime, type Outcome, outcomeSchema } from './outcome.ts';
import { cellOf, type Plan } from './plan.ts';
import { finished, type SimulationPool } from './pool.ts';

/** Both ends of the slope: where pages begin to be lost before they are used, and where jobs fail for it. */
export interface Knees {
  /** Largest thread count without a time-out. */
  readonly timeout: Knee;
  /** Largest thread count without a time-out and without the loop of re-faults. */
  readonly loop: Knee;
}

export const kneesSchema: z.ZodType<Knees> = z.object({ timeout: kneeSchema, loop: kneeSchema });

export interface Removal extends Knees {
  readonly generation: ModelGeneration;
  /** None: as it stands. */
  readonly removed: readonly Suspect[];
  /** At the thread count that was asked about, and beyond. */
  readonly at: Outcome;
  readonly beyond: Outcome;
}

export const removalSchema: z.ZodType<Removal> = z.object({
  generation: z.enum(MODEL_GENERATIONS),
  removed: z.array(z.enum(SUSPECT_NAMES)),
  timeout: kneeSchema,
  loop: kneeSchema,
  at: outcomeSchema,
  beyond: outcomeSchema,
});

/** Each generation as it stands and without each suspect; `locked` without each pair, too. */
export async function tryRemovals(pool: SimulationPool, preset: Preset, plan: Plan): Promise<Removal[]> {
  const asked: [ModelGeneration, readonly Suspect[]][] = [];
  for (const generation of MODEL_GENERATIONS) {
    asked.push([generation, []]);
    for (const name of SUSPECT_NAMES) asked.push([generation, [name]]);
  }
  if (!plan.quick) for (const pair of pairsOf(SUSPECT_NAMES)) asked.push(['locked', pair]);
  return finished(pool, asked, ([generation, removed]) => tryRemoval(pool, preset, plan, generation, removed));
}

async function tryRemoval(
  pool: SimulationPool,
  preset: Preset,
  plan: Plan,
  generation: ModelGeneration,
  remove: readonly Suspect[],
): Promise<Removal> {
  const run = (threads: number, seed: number): Promise<Outcome> =>
    pool.run(cellOf(preset, plan, { generation, threads, remove }, plan.sweepCell), seed);
  const { at, beyond } = plan.asked;
  return {
    generation,
    removed: remove,
    at: await run(at, 1),
    beyond: await run(beyond, 1),
    ...(await findKnees(plan, run)),
  };
}

/** @param run simulates with so many threads; what it was asked before costs nothing. */
export async function findKnees(
  { grid, kneeSeeds }: Plan,
  run: (threads: number, seed: number) => Promise<Outcome>,
): Promise<Knees> {
  const all = async (threads: number, isWell: (outcome: Outcome) => boolean): Promise<boolean> => {
    for (let seed = 1; seed <= kneeSeeds; seed++) if (!isWell(await run(threads, seed))) return false;
    return true;
  };
  return {
    loop: await findKnee(grid, (threads) => all(threads, isHealthy)),
    timeout: await findKnee(grid, (threads) => all(threads, isInTime)),
  };
}

function pairsOf<T>(items: readonly T[]): (readonly [T, T])[] {
  return items.flatMap((first, at) => items.slice(at + 1).map((second) => [first, second] as const));
}
