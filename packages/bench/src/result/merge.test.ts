import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeCell, makeTable } from '../../test/cells.ts';
import { GENERATIONS } from '../scenario/parameters.ts';
import { latencyOf, mergeBins, mergeCells } from './merge.ts';
import type { Bin } from './schema.ts';

test('repeats of one generation, thread count and scanner pace become one row', () => {
  const merged = mergeCells(makeTable([0, 100], 3));
  expect(merged).toHaveLength(2 * 8 * GENERATIONS.length);
  expect(merged.every((cell) => cell.repeats === 3)).toBe(true);
});

test('throughput is the median with its ends, counts are sums', () => {
  const rates = [10, 30, 20];
  const [merged] = mergeCells(
    rates.map((faultsPerSecond, repeat) => makeCell({ repeat, faultsPerSecond, timeouts: 2 })),
  );
  expect(merged.faultsPerSecond).toEqual({ median: 20, min: 10, max: 30 });
  expect(merged.timeouts).toBe(6);
});

test('a repeat is compared with `locked` of the same repeat, not with its median', () => {
  const cells = [100, 200].flatMap((base, repeat) => [
    makeCell({ repeat, faultsPerSecond: base }),
    makeCell({ repeat, faultsPerSecond: base * 1.5, generation: 'lockless' }),
  ]);
  const lockless = mergeCells(cells).find((cell) => cell.generation === 'lockless');
  expect(lockless?.relative).toEqual({ median: 0.5, min: 0.5, max: 0.5 });
});

test('nothing is relative where `locked` did not run', () => {
  expect(mergeCells([makeCell({ generation: 'v7' })])[0].relative).toBeUndefined();
});

test('a loss in one repeat is not hidden by a surplus in another', () => {
  const [merged] = mergeCells([
    makeCell({ reported: 10, answered: 9, resumed: 9 }),
    makeCell({ repeat: 1, reported: 10, answered: 11, resumed: 11 }),
  ]);
  expect(merged.reported).toBe(merged.answered);
  expect(merged.balanced).toBe(false);
});

test('groups and translations of the repeats add up; what is a second or a group is of the sums', () => {
  const cell = (sent: number, seconds: number) =>
    makeCell({
      faults: 100,
      seconds,
      groups: { sent, perSecond: sent / seconds, pagesPerGroup: 100 / sent, pagesResumed: 100 },
      atc: { hits: 1, translations: 2, invalidations: 3, discarded: 0, breaches: 0 },
    });
  const [merged] = mergeCells([cell(50, 1), { ...cell(25, 3), repeat: 1 }]);
  expect(merged.groups).toEqual({ sent: 75, perSecond: 75 / 4, pagesPerGroup: 200 / 75, pagesResumed: 200 });
  expect(merged.atc).toEqual({ hits: 2, translations: 4, invalidations: 6, discarded: 0, breaches: 0 });
  expect(merged.hostile).toBeUndefined();
});

test('bins with the same bound add up, whatever the order', () => {
  const bins: Bin[][] = [
    [
      [8, 1],
      [64, 2],
    ],
    [
      [16, 5],
      [64, 3],
    ],
  ];
  const expected = [
    [8, 1],
    [16, 5],
    [64, 5],
  ];
  expect(mergeBins(bins)).toEqual(expected);
  expect(mergeBins(bins.reverse())).toEqual(expected);
});

test('percentiles of bins are those of the sorted latencies, within the resolution', () => {
  const latencies = fc.array(fc.integer({ min: 1, max: 10_000_000_000 }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(latencies, (values) => {
      const sorted = [...values].sort((a, b) => a - b);
      const bins = mergeBins([values.map((value): Bin => [value, 1])]);
      const found = latencyOf(bins, sorted[sorted.length - 1]);
      for (const [percent, value] of [
        [50, found.p50],
        [99, found.p99],
        [99.9, found.p999],
      ]) {
        const exact = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length - 1e-9) - 1)];
        expect(Math.abs(value - exact)).toBeLessThanOrEqual(exact * 0.002 + 1);
      }
      expect(found.max).toBe(sorted[sorted.length - 1]);
    }),
    { numRuns: 50 },
  );
});

test('no latencies give zeros', () => {
  expect(latencyOf([], 0)).toEqual({ p50: 0, p99: 0, p999: 0, max: 0 });
});
