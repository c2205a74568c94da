// What all conclusions are drawn from: a few cells, simulated anew at each point of the sensitivity sweep.
import { z } from 'zod';
import { type ModelConfig, type ModelGeneration, type Preset, SUSPECT_NAMES, type Suspect } from '../model/index.ts';
import { type Outcome, outcomeSchema } from './outcome.ts';
import { cellOf, type Plan } from './plan.ts';
import type { SimulationPool } from './pool.ts';

export interface Panel {
  /** At the thread count asked about, and the one before it in the mailing list's table. */
  readonly lockedBefore: Outcome;
  readonly lockedAt: Outcome;
  /** Beyond it. */
  readonly beyond: {
    readonly locked: Outcome;
    readonly lockless: Outcome;
    readonly adaptive: Outcome;
  };
  /** `locked` beyond it, without a suspect. */
  readonly without: Readonly<Record<Suspect, Outcome>>;
}

export const panelSchema: z.ZodType<Panel> = z.object({
  lockedBefore: outcomeSchema,
  lockedAt: outcomeSchema,
  beyond: z.object({
    locked: outcomeSchema,
    lockless: outcomeSchema,
    adaptive: outcomeSchema,
  }),
  without: z.record(z.enum(SUSPECT_NAMES), outcomeSchema),
});

/** @param change makes the point of the sweep. */
export async function makePanel(
  pool: SimulationPool,
  preset: Preset,
  plan: Plan,
  change: (config: ModelConfig) => ModelConfig,
): Promise<Panel> {
  const run = (generation: ModelGeneration, threads: number, remove: readonly Suspect[] = []): Promise<Outcome> => {
    const config = cellOf(preset, plan, { generation, threads, remove }, plan.sweepCell);
    return pool.run(change(config), 1);
  };
  const { before, at, beyond } = plan.asked;
  const [lockedBefore, lockedAt, locked, lockless, adaptive, ...without] = await Promise.all([
    run('locked', before),
    run('locked', at),
    run('locked', beyond),
    run('lockless', beyond),
    run('adaptive', beyond),
    ...SUSPECT_NAMES.map((name) => run('locked', beyond, [name])),
  ]);
  return {
    lockedBefore,
    lockedAt,
    beyond: { locked, lockless, adaptive },
    without: Object.fromEntries(SUSPECT_NAMES.map((name, index) => [name, without[index]])) as Panel['without'],
  };
}
