import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IommuError } from '../errors/index.ts';
import { LINE, type Words } from '../sync/thread-self.ts';
import {
  HISTOGRAM_BINS,
  HistogramSum,
  histogramBin,
  histogramBinStart,
  histogramRecord,
  histogramWords,
  initHistogram,
  SUB_BUCKETS,
} from './histogram.ts';

const TOP = 2 ** 31 - 1;

function make(): Words {
  const words = new Int32Array(new SharedArrayBuffer((LINE + histogramWords()) * 4));
  initHistogram(words, LINE);
  return words;
}

describe('bins', () => {
  test('cover every value once: each begins where the one before ends', () => {
    for (let bin = 0; bin < HISTOGRAM_BINS; bin++) {
      expect(histogramBin(histogramBinStart(bin))).toBe(bin);
      expect(histogramBin(histogramBinStart(bin + 1) - 1)).toBe(bin);
    }
    expect(histogramBinStart(HISTOGRAM_BINS)).toBe(TOP + 1);
    expect(histogramBin(TOP)).toBe(HISTOGRAM_BINS - 1);
  });

  test('by hand', () => {
    expect([0, 1, 31, 32, 63, 64, 65, 66, 127, 128, 131, 132].map(histogramBin)).toEqual([
      0, 1, 31, 32, 63, 64, 64, 65, 95, 96, 96, 97,
    ]);
  });

  test('are never wider than 1/32 of what they hold', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: TOP }), (value) => {
        const bin = histogramBin(value);
        const width = histogramBinStart(bin + 1) - histogramBinStart(bin);
        return width === 1 || width * SUB_BUCKETS <= value;
      }),
    );
  });
});

describe('recording', () => {
  test('keeps count, maximum and quantiles to a bin', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: TOP }), { minLength: 1 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          const words = make();
          for (const value of values) histogramRecord(words, LINE, value);
          const sum = new HistogramSum();
          sum.add(words, LINE);
          const sorted = values.toSorted((a, b) => a - b);
          const exact = sorted[Math.max(1, Math.ceil(q * values.length)) - 1];
          expect(sum.total).toBe(values.length);
          expect(sum.max).toBe(sorted.at(-1));
          expect(histogramBin(sum.quantile(q))).toBe(histogramBin(exact));
          expect(sum.quantile(q)).toBeGreaterThanOrEqual(exact);
        },
      ),
    );
  });

  test('of a value below zero is counted apart, not lost', () => {
    const words = make();
    histogramRecord(words, LINE, -7);
    const sum = new HistogramSum();
    sum.add(words, LINE);
    expect([sum.total, sum.negative, sum.max, sum.counts[0]]).toEqual([1, 1, 0, 1]);
  });

  test('counts beyond 2^31 stay positive', () => {
    const words = make();
    words[LINE + 32] = -1;
    const sum = new HistogramSum();
    sum.add(words, LINE);
    expect(sum.total).toBe(2 ** 32 - 1);
  });
});

test('merging two sums is recording both', () => {
  const values = fc.array(fc.integer({ min: -3, max: TOP }));
  fc.assert(
    fc.property(values, values, (left, right) => {
      const sums = [left, right, [...left, ...right]].map((part) => {
        const words = make();
        for (const value of part) histogramRecord(words, LINE, value);
        const sum = new HistogramSum();
        sum.add(words, LINE);
        return sum;
      });
      sums[0].merge(sums[1]);
      expect(sums[0]).toEqual(sums[2]);
      expect([...sums[0].bins()]).toEqual([...sums[2].bins()]);
    }),
  );
});

test('an empty histogram answers 0 and has no bins', () => {
  const sum = new HistogramSum();
  expect(sum.quantile(0.99)).toBe(0);
  expect([...sum.bins()]).toEqual([]);
});

test('bad input is refused by name', () => {
  const words = make();
  const refused = (field: string): unknown => expect.objectContaining({ name: 'IommuError', code: 'EINVAL', field });
  expect(() => initHistogram(words, LINE + 1)).toThrow(refused('base') as IommuError);
  expect(() => initHistogram(words, 0)).toThrow(refused('base') as IommuError);
  expect(() => initHistogram(words, words.length)).toThrow(refused('base') as IommuError);
  for (const q of [-0.1, 1.1, Number.NaN])
    expect(() => new HistogramSum().quantile(q)).toThrow(refused('q') as IommuError);
});
