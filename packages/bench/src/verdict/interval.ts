import { mean, quantileSorted } from 'simple-statistics';
import { z } from 'zod';

/** A mean over seeds, with its 95 % interval. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export const intervalSchema: z.ZodType<Interval> = z.object({ mean: z.number(), low: z.number(), high: z.number() });

const RESAMPLES = 2000;

/** By bootstrap: means of as many values, drawn from these again and again. The same values give the same interval. */
export function bootstrap(values: readonly number[]): Interval {
  const random = lehmer(values.length);
  const means = Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[Math.floor(random() * values.length)];
    return sum / values.length;
  }).sort((a, b) => a - b);
  return { mean: mean([...values]), low: quantileSorted(means, 0.025), high: quantileSorted(means, 0.975) };
}

function lehmer(seed: number): () => number {
  let state = seed + 1;
  return () => {
    state = (state * 48_271) % 0x7fff_ffff;
    return state / 0x7fff_ffff;
  };
}
