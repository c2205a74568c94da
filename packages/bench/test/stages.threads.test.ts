// The stages of faults on real threads: they are measured where that is asked for, and add up to the latency.
import { expect, test, vi } from 'vitest';
import { checkBooks } from '../src/result/books.ts';
import type { StressParameters } from '../src/scenario/parameters.ts';
import { STAMPS_REGION } from '../src/stress/stages/stamps.ts';
import { runTiny } from './tiny-engine.ts';

vi.setConfig({ testTimeout: 20_000 });

test.each<[string, Partial<StressParameters>]>([
  ['a stalled access', {}],
  ['groups of pages behind VT-d', { iommu: 'vtd', groupPages: 8, generations: ['mainline'] }],
])('%s', async (_, over) => {
  const cell = await runTiny({ faults: 4000, pagesPerJob: 32, stages: true, ...over });
  expect(checkBooks(cell)).toEqual([]);
  const { faults, skipped, meanNs } = cell.stages ?? expect.fail('no stages');
  expect((faults + skipped) / cell.faults).toBeCloseTo(1 / 8, 1);
  expect(skipped).toBeLessThan(faults / 10);
  const total = Object.values(meanNs).reduce((sum, stage) => sum + stage, 0);
  const latency = cell.histogram.reduce((sum, [lowerNs, count]) => sum + lowerNs * count, 0) / cell.faults;
  expect(total / latency).toBeGreaterThan(0.5);
  expect(total / latency).toBeLessThan(2);
  expect(meanNs.handler).toBeGreaterThan(0);
});

test('who does not ask has neither the figures nor the memory for them', async () => {
  const cell = await runTiny({ faults: 500 }, ({ arena }) => expect(() => arena.base(STAMPS_REGION)).toThrow());
  expect(cell.stages).toBeUndefined();
});
