import { max, median, min } from 'simple-statistics';

/** What a benchmark's repeats gave: its middle and how far they spread. Units are those of the table that it stands in. */
export interface Figures {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly repeats: number;
  /** What each repeat gave, where it is known. */
  readonly values?: readonly number[];
}

/** @param repeats one figure a repeat, at least one. */
export function figuresOf(repeats: readonly number[]): Figures {
  const all = [...repeats];
  return { median: median(all), min: min(all), max: max(all), repeats: all.length, values: all };
}
