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

/** Bisects: supposes that what fails at one thread count fails at more. */
export async function findKnee(grid: readonly number[], isWell: (threads: number) => Promise<boolean>): Promise<Knee> {
  const last = grid.length - 1;
  if (await isWell(grid[last])) return { threads: grid[last], isBeyond: true };
  let well = -1;
  let ill = last;
  while (ill - well > 1) {
    const middle = (well + ill) >> 1;
    if (await isWell(grid[middle])) well = middle;
    else ill = middle;
  }
  return { threads: well < 0 ? 0 : grid[well], isBeyond: false };
}

/** @returns e.g. `512`, `over 2048`, `under 64`. */
export function showKnee({ threads, isBeyond }: Knee, grid: readonly number[]): string {
  if (threads === 0) return `under ${grid[0]}`;
  return isBeyond ? `${threads} and more` : String(threads);
}
