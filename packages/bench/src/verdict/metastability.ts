// The load goes above the knee and back below: does each design come back by itself, and how soon?
import { z } from 'zod';
import {
  type LoadStep,
  MODEL_GENERATIONS,
  type ModelGeneration,
  type Preset,
  type SeriesPoint,
} from '../model/index.ts';
import { LOOP_SHARE } from './outcome.ts';
import { cellOf, type Plan } from './plan.ts';
import { finished, type SimulationPool } from './pool.ts';
import type { Removal } from './suspects.ts';

export interface LevelPoint {
  readonly threads: number;
  readonly jobsPerSecond: number;
  readonly refaultsPerFault: number;
  readonly timeouts: number;
}

export interface Spike {
  readonly generation: ModelGeneration;
  /** The knee of the loop that the loads are taken from: its own, or that of `locked` if it has none. */
  readonly knee: number;
  readonly low: number;
  readonly high: number;
  /** When the load rose, and fell, in virtual seconds. */
  readonly raisedAt: number;
  readonly loweredAt: number;
  readonly endAt: number;
  readonly before: LevelPoint;
  readonly during: LevelPoint;
  /** The last seconds. */
  readonly after: LevelPoint;
  /** From the load's fall until jobs are done as before it rose, and pages stay; absent: not in the time that was simulated. */
  readonly recoverySeconds?: number;
}

export interface Hysteresis {
  readonly generation: ModelGeneration;
  readonly up: readonly LevelPoint[];
  readonly down: readonly LevelPoint[];
}

export interface Metastability {
  readonly spikes: readonly Spike[];
  readonly hysteresis: readonly Hysteresis[];
}

const amount = z.number().nonnegative();
const levelSchema: z.ZodType<LevelPoint> = z.object({
  threads: amount,
  jobsPerSecond: amount,
  refaultsPerFault: amount,
  timeouts: amount,
});
const spikeSchema: z.ZodType<Spike> = z.object({
  generation: z.enum(MODEL_GENERATIONS),
  knee: amount,
  low: amount,
  high: amount,
  raisedAt: amount,
  loweredAt: amount,
  endAt: amount,
  before: levelSchema,
  during: levelSchema,
  after: levelSchema,
  recoverySeconds: amount.exactOptional(),
});
export const metastabilitySchema: z.ZodType<Metastability> = z.object({
  spikes: z.array(spikeSchema),
  hysteresis: z.array(
    z.object({ generation: z.enum(MODEL_GENERATIONS), up: z.array(levelSchema), down: z.array(levelSchema) }),
  ),
});

/** Loads, as shares of the knee. */
const HIGH = 2;
const LOWS = [0.85, 0.5];
const LEVELS = [0.5, 0.7, 0.85, 1, 1.2, 1.4, 1.7, 2];
/** Levels that the load is low before, and high, and low after. */
const BEFORE = 1;
const DURING = 3;
const AFTER = 6;
/** So much of what was done before is recovered. */
const RECOVERED_SHARE = 0.9;

/** @param removals tell each design's knee; a design that has none in the grid gets the loads of `locked`. */
export async function shakeLoad(
  pool: SimulationPool,
  preset: Preset,
  plan: Plan,
  removals: readonly Removal[],
): Promise<Metastability> {
  const bases = removals.filter(({ removed }) => removed.length === 0);
  const common = bases.find(({ generation }) => generation === 'locked')?.loop.threads ?? plan.asked.at;
  const designs = bases.map(({ generation, loop }) => ({
    generation,
    knee: Math.max(loop.isBeyond ? common : loop.threads, plan.grid[0]),
  }));
  const loads = designs.flatMap((design) => LOWS.map((low) => ({ ...design, low })));
  const [spikes, hysteresis] = await Promise.all([
    finished(pool, loads, ({ generation, knee, low }) => spike(pool, preset, plan, generation, knee, low)),
    finished(pool, designs, ({ generation, knee }) => goUpAndDown(pool, preset, plan, generation, knee)),
  ]);
  return { spikes, hysteresis };
}

async function spike(
  pool: SimulationPool,
  preset: Preset,
  plan: Plan,
  generation: ModelGeneration,
  knee: number,
  lowShare: number,
): Promise<Spike> {
  const low = Math.max(1, Math.round(knee * lowShare));
  const high = Math.round(knee * HIGH);
  const { dwellSeconds } = plan;
  const { warmupSeconds } = plan.cell;
  const raisedAt = warmupSeconds + BEFORE * dwellSeconds;
  const loweredAt = raisedAt + DURING * dwellSeconds;
  const endAt = loweredAt + AFTER * dwellSeconds;
  const loadSteps: LoadStep[] = [
    { atSeconds: 0, threads: low },
    { atSeconds: raisedAt, threads: high },
    { atSeconds: loweredAt, threads: low },
  ];
  const config = { ...cellOf(preset, plan, { generation, threads: high }), seconds: endAt - warmupSeconds, loadSteps };
  const { series } = await pool.runSeries(config, 1);
  const before = levelOf(series, warmupSeconds, raisedAt, low);
  const recovery = recoveryOf(series, loweredAt, endAt, before, dwellSeconds / 4);
  return {
    generation,
    knee,
    low,
    high,
    raisedAt,
    loweredAt,
    endAt,
    before,
    during: levelOf(series, loweredAt - dwellSeconds, loweredAt, high),
    after: levelOf(series, endAt - dwellSeconds, endAt, low),
    ...(recovery === undefined ? {} : { recoverySeconds: recovery }),
  };
}

async function goUpAndDown(
  pool: SimulationPool,
  preset: Preset,
  plan: Plan,
  generation: ModelGeneration,
  knee: number,
): Promise<Hysteresis> {
  const { dwellSeconds } = plan;
  const { warmupSeconds } = plan.cell;
  const levels = LEVELS.map((share) => Math.max(1, Math.round(knee * share)));
  const path = [...levels, ...levels.slice(0, -1).reverse()];
  const beginOf = (step: number): number => warmupSeconds + step * dwellSeconds;
  const loadSteps = path.map((threads, step) => ({ atSeconds: step === 0 ? 0 : beginOf(step), threads }));
  const threads = levels[levels.length - 1];
  const config = { ...cellOf(preset, plan, { generation, threads }), seconds: path.length * dwellSeconds, loadSteps };
  const { series } = await pool.runSeries(config, 1);
  // The first half of a level is for what comes of the change.
  const points = path.map((each, step) => levelOf(series, beginOf(step) + dwellSeconds / 2, beginOf(step + 1), each));
  return { generation, up: points.slice(0, levels.length), down: points.slice(levels.length - 1).reverse() };
}

export function levelOf(series: readonly SeriesPoint[], from: number, to: number, threads: number): LevelPoint {
  const points = series.filter(({ atSeconds }) => atSeconds > from && atSeconds <= to + 1e-9);
  const total = (pick: (point: SeriesPoint) => number): number => points.reduce((sum, point) => sum + pick(point), 0);
  const faults = total((point) => point.faults);
  return {
    threads,
    jobsPerSecond:
      points.length === 0 ? 0 : total((point) => point.jobs) / (points[points.length - 1].atSeconds - from),
    refaultsPerFault: faults === 0 ? 0 : total((point) => point.refaults) / faults,
    timeouts: total((point) => point.timeouts),
  };
}

/** @returns seconds from `from` to the first stretch of `length` from which on all is as before; undefined when there is none. */
export function recoveryOf(
  series: readonly SeriesPoint[],
  from: number,
  end: number,
  before: LevelPoint,
  length: number,
): number | undefined {
  let since: number | undefined;
  for (let at = from; at + length <= end + 1e-9; at += length) {
    const level = levelOf(series, at, at + length, before.threads);
    const isWell =
      level.timeouts === 0 &&
      level.refaultsPerFault <= Math.max(LOOP_SHARE, before.refaultsPerFault) &&
      level.jobsPerSecond >= RECOVERED_SHARE * before.jobsPerSecond;
    if (!isWell) since = undefined;
    else since ??= at - from;
  }
  return since;
}
