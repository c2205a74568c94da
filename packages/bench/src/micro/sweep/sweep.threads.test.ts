import { expect, test } from 'vitest';
import { sweepCaseNamed, sweepName } from './case.ts';
import { fitRange } from './fit.ts';
import { measureSweep } from './measure.ts';
import { describeRange, renderSweep } from './tables.ts';

test.each([
  { rangeLg2: 32, leafLg2: 21 },
  { rangeLg2: 28, leafLg2: 12 },
])(
  'map and unmap have latencies beside sweeps of 2^$rangeLg2 bytes in 2^$leafLg2',
  { timeout: 60_000 },
  async (range) => {
    const rows = await measureSweep(range, { repeats: 2, roundMs: 20 });
    expect(rows.map(({ mode }) => mode)).toEqual(['no sweep', 'lock-free', 'rwlock']);
    for (const { mode, sweeps, sweepMs, map, unmap, leaves } of rows) {
      expect(leaves).toBe(2 ** (range.rangeLg2 - range.leafLg2));
      if (mode === 'no sweep') expect(sweeps).toBe(0);
      else expect(sweeps).toBeGreaterThanOrEqual(2); // at least one a repeat, each with all of the dirty leaves
      if (mode !== 'no sweep') expect(sweepMs.median).toBeGreaterThan(0);
      expect(map.calls).toBe(unmap.calls);
      for (const { median, p99, worst } of [map, unmap]) {
        expect(median.min).toBeGreaterThan(0);
        expect(p99.median).toBeGreaterThanOrEqual(median.median);
        expect(worst.min).toBeGreaterThan(0);
        expect(worst.max).toBeGreaterThanOrEqual(p99.max);
      }
    }
    expect(renderSweep(rows)).toContain(describeRange(range));
  },
);

test('a range is named by its sizes, and found by its name', () => {
  const range = { rangeLg2: 40, leafLg2: 21 };
  expect(describeRange(range)).toBe('1 TiB in 2 MiB leaves (524 k leaves)');
  expect(sweepCaseNamed(sweepName(range))?.name).toBe(sweepName(range));
  expect(sweepCaseNamed('SPSC ring')).toBeUndefined();
});

test('a range shrinks until its entries fit', () => {
  const range = { rangeLg2: 40, leafLg2: 12 };
  expect(fitRange(range, 8 * 2 ** 30)).toEqual(range);
  expect(fitRange(range, 8 * 2 ** 30 - 1)).toEqual({ rangeLg2: 39, leafLg2: 12 });
  expect(fitRange(range, 0)).toEqual({ rangeLg2: 12, leafLg2: 12 });
});
