import type { SweepRange } from './case.ts';

const ENTRY_BYTES = 8;

/** @returns the range, or as much of it as has its leaf entries in a quarter of the free memory. */
export function fitRange({ leafLg2, rangeLg2 }: SweepRange, freeBytes: number): SweepRange {
  let fitted = rangeLg2;
  while (fitted > leafLg2 && 2 ** (fitted - leafLg2) * ENTRY_BYTES > freeBytes / 4) fitted--;
  return { leafLg2, rangeLg2: fitted };
}
