import { expect, test } from 'vitest';
import { formatBytes, formatCount, formatNs, formatPercent, formatRate, formatSeconds } from './format.ts';

test.each([
  [formatCount(0), '0'],
  [formatCount(999), '999'],
  [formatCount(812_345), '812 k'],
  [formatCount(8_310_000), '8.31 M'],
  [formatRate(17), '17 /s'],
  [formatRate(1234), '1.23 k/s'],
  [formatNs(17), '17 ns'],
  [formatNs(1600), '1.6 µs'],
  [formatNs(4.2e9), '4.2 s'],
  [formatPercent(-0.0077), '−0.77 %'],
  [formatPercent(-0.0494), '−4.94 %'],
  [formatPercent(0.6), '+60 %'],
  [formatPercent(0.000_01), '±0 %'],
  [formatSeconds(0.25), '0.25 s'],
  [formatSeconds(59.7), '1 min 0 s'],
  [formatSeconds(125), '2 min 5 s'],
  [formatBytes(512 * 2 ** 20), '512 MiB'],
  [formatBytes(16 * 2 ** 30), '16 GiB'],
])('%s', (text, expected) => {
  expect(text).toBe(expected);
});
