// Each guess moved, the rest left alone: which conclusions hold whatever it is, and where the knee goes.
import { z } from 'zod';
import { type ModelConfig, type Preset, withParameter } from '../model/index.ts';
import { conclude } from './conclusions.ts';
import { type GuessPoint, guessesOf } from './guesses.ts';
import { type Knee, kneeSchema } from './knee.ts';
import { isHealthy, isInTime, type Outcome } from './outcome.ts';
import { makePanel, type Panel, panelSchema } from './panel.ts';
import { cellOf, type Plan } from './plan.ts';
import { finished, type SimulationPool } from './pool.ts';
import { findKnees } from './suspects.ts';

export interface SensitivityPoint {
  /** Dot path; empty for the preset as it stands. */
  readonly path: string;
  readonly given: unknown;
  readonly value: unknown;
  readonly label: string;
  readonly text: string;
  readonly panel: Panel;
  /** By name. */
  readonly conclusions: Readonly<Record<string, boolean>>;
  /** Of `locked`: where the loop of re-faults begins, and time-outs. Looked for where a cell of `locked` has changed. */
  readonly loop?: Knee;
  readonly timeout?: Knee;
}

/** A cell that gets so much more or less done has changed. */
const CHANGED_SHARE = 0.1;

export const sensitivityPointSchema: z.ZodType<SensitivityPoint> = z.object({
  path: z.string(),
  given: z.unknown(),
  value: z.unknown(),
  label: z.string(),
  text: z.string(),
  panel: panelSchema,
  conclusions: z.record(z.string(), z.boolean()),
  loop: kneeSchema.exactOptional(),
  timeout: kneeSchema.exactOptional(),
});

/** The preset as it stands first, then each guess. */
export async function sweepGuesses(pool: SimulationPool, preset: Preset, plan: Plan): Promise<SensitivityPoint[]> {
  const asItStands = { path: '', given: '', value: '', label: '', text: '' };
  const points = guessesOf(preset, plan.factors)
    .slice(0, plan.guesses)
    .flatMap(({ points: each, given, text }) => each.map((point) => ({ ...point, given, text })));
  const [base] = await finished(pool, [asItStands], (point) => sweepPoint(pool, preset, plan, point, undefined));
  if (base === undefined) return [];
  return [base, ...(await finished(pool, points, (point) => sweepPoint(pool, preset, plan, point, base.panel)))];
}

async function sweepPoint(
  pool: SimulationPool,
  preset: Preset,
  plan: Plan,
  point: GuessPoint & Pick<SensitivityPoint, 'given' | 'text'>,
  base: Panel | undefined,
): Promise<SensitivityPoint> {
  const change = (config: ModelConfig): ModelConfig =>
    point.path === '' ? config : withParameter(config, point.path, point.value);
  const panel =
    base !== undefined && (await isUnused(pool, preset, plan, point))
      ? base
      : await makePanel(pool, preset, plan, change);
  const run = (threads: number): Promise<Outcome> => {
    const config = cellOf(preset, plan, { generation: 'locked', threads }, plan.sweepCell);
    return pool.run(change(config), 1);
  };
  return {
    ...point,
    panel,
    conclusions: conclude(plan, panel),
    ...(base === undefined || (panel !== base && hasChanged(panel, base))
      ? await findKnees({ ...plan, kneeSeeds: 1 }, run)
      : {}),
  };
}

/** A cost that nobody pays changes nothing, bit by bit. Those of report and answer are some generation's own: `locked` does not tell. */
async function isUnused(
  pool: SimulationPool,
  preset: Preset,
  plan: Plan,
  { path, value }: GuessPoint,
): Promise<boolean> {
  if (!path.startsWith('costs.') || /^costs\.(report|respond)\./.test(path)) return false;
  const config = cellOf(preset, plan, { generation: 'locked', threads: plan.asked.at }, plan.sweepCell);
  const [before, after] = await Promise.all([pool.run(config, 1), pool.run(withParameter(config, path, value), 1)]);
  return JSON.stringify(before) === JSON.stringify(after);
}

function hasChanged(panel: Panel, base: Panel): boolean {
  const pairs: [Outcome, Outcome][] = [
    [panel.lockedBefore, base.lockedBefore],
    [panel.lockedAt, base.lockedAt],
    [panel.beyond.locked, base.beyond.locked],
  ];
  return pairs.some(
    ([now, before]) =>
      isHealthy(now) !== isHealthy(before) ||
      isInTime(now) !== isInTime(before) ||
      Math.abs(now.jobsPerSecond - before.jobsPerSecond) > CHANGED_SHARE * before.jobsPerSecond,
  );
}
