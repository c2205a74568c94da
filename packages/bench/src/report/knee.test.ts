import { expect, test } from 'vitest';
import { makeCell, makeTable } from '../../test/cells.ts';
import { mergeCells } from '../result/merge.ts';
import { GENERATIONS } from '../scenario/parameters.ts';
import { describeKnee, findKnees } from './knee.ts';

const curve = (rates: number[], timeouts: number[] = []): ReturnType<typeof mergeCells> =>
  mergeCells(
    rates.map((faultsPerSecond, i) => makeCell({ threads: 8 << i, faultsPerSecond, timeouts: timeouts[i] ?? 0 })),
  );

test('lies at the first thread count with time-outs', () => {
  const [knee] = findKnees(curve([10, 20, 30, 29], [0, 0, 1, 5]));
  expect(knee).toMatchObject({ threads: 32, why: '1 time-outs' });
});

test('lies where useful work falls below a quarter of the best before it', () => {
  const [knee] = findKnees(curve([10, 100, 26, 24]));
  expect(knee.threads).toBe(64);
  expect(describeKnee(knee)).toBe(
    'locked, scanner off: knee at 64 threads (useful work 24 /s, under a quarter of 100 /s at 16)',
  );
});

test('re-faults are no useful work', () => {
  const cells = mergeCells([
    makeCell({ threads: 8, faults: 100, faultsPerSecond: 100 }),
    makeCell({ threads: 16, faults: 100, faultsPerSecond: 100, refaults: 80 }),
  ]);
  expect(findKnees(cells)[0].threads).toBe(16);
});

test('a slow start is no knee', () => {
  const [knee] = findKnees(curve([1, 10, 100]));
  expect(knee.threads).toBeNull();
  expect(describeKnee(knee)).toContain('none up to 32');
});

test('thread counts may come in any order', () => {
  const [knee] = findKnees(curve([10, 100, 24, 23]).reverse());
  expect(knee.threads).toBe(32);
});

test('each generation has one with the scanner and one without', () => {
  const knees = findKnees(mergeCells(makeTable([0, 20_000], 1)));
  expect(knees).toHaveLength(2 * GENERATIONS.length);
  expect(knees.filter((knee) => knee.scanner === 0).every((knee) => knee.threads === null)).toBe(true);
  expect(knees.find((knee) => knee.scanner > 0 && knee.generation === 'locked')?.threads).toBe(384);
});
