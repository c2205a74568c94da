// One figure of one cell in both files: how it changed, how sure that is, and what it is called.
import { median } from 'simple-statistics';
import { bootstrapChange, type Interval, seedOf } from './bootstrap.ts';
import type { MeasuredFigure, Unit } from './measured.ts';

export type Verdict = 'better' | 'worse' | 'noise';

export interface JudgeOptions {
  readonly confidence: number;
  readonly resamples: number;
  readonly seed: number;
  /** A change up to this is noise; beyond it, single repeats are judged as well. Of shares: points. */
  readonly noise?: number | undefined;
  /** A change for the worse beyond this is a regression, if it is no noise. */
  readonly failOver?: number | undefined;
}

export interface JudgedFigure {
  name: string;
  unit: Unit;
  more: boolean;
  before: { median: number; repeats: number };
  after: { median: number; repeats: number };
  /** after / before - 1; of a share after - before. Absent where there was nothing to divide by. */
  change?: number;
  interval?: Interval;
  verdict: Verdict;
  /** Why, where an interval is not the reason. */
  why?: string;
  regression: boolean;
}

/** @param key the cell's: it has draws of its own. */
export function judgeFigure(
  key: string,
  before: MeasuredFigure,
  after: MeasuredFigure,
  options: JudgeOptions,
): JudgedFigure {
  const { name, unit, more } = before;
  const change = unit === 'share' ? difference : ratio;
  const medians = [median([...before.repeats]), median([...after.repeats])] as const;
  const changed = change(...medians);
  const seed = seedOf(`${key}/${name}`, options.seed);
  const interval = bootstrapChange(before.repeats, after.repeats, change, { ...options, seed });
  const { verdict, why } = decide(before, after, changed, interval, options.noise);
  const loss = more ? -changed : changed;
  return {
    ...{ name, unit, more },
    before: { median: medians[0], repeats: before.repeats.length },
    after: { median: medians[1], repeats: after.repeats.length },
    ...(Number.isFinite(changed) ? { change: changed } : {}),
    ...(interval === undefined ? {} : { interval }),
    verdict,
    ...(why === undefined ? {} : { why }),
    regression: verdict === 'worse' && options.failOver !== undefined && !(loss <= options.failOver),
  };
}

function decide(
  before: MeasuredFigure,
  after: MeasuredFigure,
  change: number,
  interval: Interval | undefined,
  noise: number | undefined,
): { verdict: Verdict; why?: string } {
  if (change === 0 || Number.isNaN(change)) return { verdict: 'noise', why: 'no change' };
  const verdict = change > 0 === before.more ? 'better' : 'worse';
  if (noise !== undefined && Math.abs(change) <= noise) return { verdict: 'noise', why: 'within the given noise' };
  if (interval !== undefined)
    return { verdict: (interval.low > 0 && change > 0) || (interval.high < 0 && change < 0) ? verdict : 'noise' };
  if (noise !== undefined) return { verdict, why: 'no interval; beyond the given noise' };
  const [a, b] = [before.range, after.range];
  if (a === undefined || b === undefined)
    return before.repeats.length > 1 && after.repeats.length > 1
      ? { verdict, why: 'from nothing' }
      : { verdict: 'noise', why: 'one repeat: no interval' };
  return b.low > a.high || b.high < a.low
    ? { verdict, why: 'no interval; the ranges lie apart' }
    : { verdict: 'noise', why: 'no interval; the ranges overlap' };
}

function ratio(before: number, after: number): number {
  return before === after ? 0 : after / before - 1;
}

function difference(before: number, after: number): number {
  return after - before;
}
