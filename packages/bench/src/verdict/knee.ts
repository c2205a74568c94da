import { z } from 'zod';

/** The largest thread count of a grid at which all is well. */
export interface Knee {
  /** 0: not even the least. */
  readonly threads: number;
  /** All is well at the grid's largest: the knee lies beyond it. */
  readonly isBeyond: boolean;
}

export const kneeSchema: z.ZodType<Knee> = z.object({ threads: z.int().nonnegative(), isBeyond: z.boolean() });

/** Thread counts that lie a quarter of a doubling apart, up to `most`. */
export function geometricGrid(least: number, most: number): number[] {
  const steps = Math.round(4 * Math.log2(most / least));
  return Array.from({ length: steps + 1 }, (_, step) => Math.round(least * 2 ** (step / 4)));
}

/** Looks upwards from the middle, or downwards from there when that fails, two places at a time, for the first failure; then between.
 * Not from the top: a machine that is overfull may be well again. */
export async function findKnee(grid: readonly number[], isWell: (threads: number) => Promise<boolean>): Promise<Knee> {
  const last = grid.length - 1;
  let well = -1;
  let ill = grid.length;
  let at = last >> 1;
  if (await isWell(grid[at])) {
    while (ill > last && at <= last) {
      well = at;
      if (at === last) return { threads: grid[last], isBeyond: true };
      at = Math.min(last, at + 2);
      if (!(await isWell(grid[at]))) ill = at;
    }
  } else {
    while (well < 0 && at >= 0) {
      ill = at;
      if (at === 0) return { threads: 0, isBeyond: false };
      at = Math.max(0, at - 2);
      if (await isWell(grid[at])) well = at;
    }
  }
  if (ill - well === 2 && (await isWell(grid[well + 1]))) well++;
  return { threads: grid[well], isBeyond: false };
}

/** @returns e.g. `512`, `over 2048`, `under 64`. */
export function showKnee({ threads, isBeyond }: Knee, grid: readonly number[]): string {
  if (threads === 0) return `under ${grid[0]}`;
  return isBeyond ? `${threads} and more` : String(threads);
}
