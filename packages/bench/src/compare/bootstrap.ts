import { quantileSorted } from 'simple-statistics';
import { Random } from '../model/engine/random.ts';

export interface Interval {
  low: number;
  high: number;
}

export interface BootstrapOptions {
  /** Share of resampled changes that lie in the interval. */
  readonly confidence: number;
  readonly resamples: number;
  readonly seed: number;
}

/** The percentile bootstrap of a change between two medians: repeats of each side are drawn again, with replacement, apart from one
 * another. The same seed gives the same interval.
 * @param change of two medians: a ratio or a difference.
 * @returns undefined where a side has a single repeat, or no change is a number: there is nothing to draw from. */
export function bootstrapChange(
  before: readonly number[],
  after: readonly number[],
  change: (before: number, after: number) => number,
  { confidence, resamples, seed }: BootstrapOptions,
): Interval | undefined {
  if (before.length < 2 || after.length < 2) return undefined;
  const random = new Random(seed);
  const [a, b] = [before, after].map((repeats) => repeats.toSorted((x, y) => x - y)); // their order in the file says nothing
  const drawn = [new Float64Array(before.length), new Float64Array(after.length)] as const;
  const draw = (from: readonly number[], into: Float64Array): number => {
    for (let i = 0; i < into.length; i++) into[i] = from[random.below(from.length)];
    into.sort();
    return (into[(into.length - 1) >> 1] + into[into.length >> 1]) / 2;
  };
  const changes: number[] = [];
  for (let i = 0; i < resamples; i++) {
    const value = change(draw(a, drawn[0]), draw(b, drawn[1]));
    if (Number.isFinite(value)) changes.push(value);
  }
  if (changes.length === 0) return undefined;
  changes.sort((a, b) => a - b);
  const tail = (1 - confidence) / 2;
  return { low: quantileSorted(changes, tail), high: quantileSorted(changes, 1 - tail) };
}

/** @returns a number that stands for a text: cells get draws of their own, whatever other cells there are. */
export function seedOf(text: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/** How likely the best of one side lies above all of the other where nothing differs, either way round: with few repeats an interval
 * cannot be surer than this. */
export function chanceOf(before: number, after: number): number {
  let ways = 1; // of choosing which of all repeats are one side's
  for (let i = 1; i <= before; i++) ways = (ways * (after + i)) / i;
  return Math.min(1, 2 / ways);
}
