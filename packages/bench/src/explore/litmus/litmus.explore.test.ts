import { expect, test } from 'vitest';
import * as all from '../testing/findings.ts';
import { type LitmusResult, litmus, litmusVerdict } from './litmus.ts';

const FEW = { iterations: 500, seconds: 20 };

test('each iteration ends in one outcome, and a forbidden one is counted as broken', async () => {
  const { iterations, outcomes, violations, hung } = await litmus(all.forbidden, FEW);
  expect(iterations).toBe(500);
  expect(hung).toBe(false);
  expect(outcomes.reduce((sum, { count }) => sum + count, 0)).toBe(500);
  expect(outcomes.find(({ grade }) => grade === 'forbidden')?.count).toBe(violations);
});

test.each([all.published, all.spinLoop, all.eventLoops])('what holds, holds on real threads: %#', async (scenario) => {
  const result = await litmus(scenario, FEW);
  expect(result).toMatchObject({ iterations: 500, violations: 0, sample: '', hung: false });
  expect(litmusVerdict(result)).toBe('as expected');
});

test('an iteration that never ends is told', async () => {
  const result = await litmus(all.livelock, FEW);
  expect(result).toMatchObject({ iterations: 0, hung: true });
  expect(litmusVerdict(result)).toBe('as expected');
});

test('what a thread throws is counted, and shown once', async () => {
  const { violations, sample } = await litmus(all.exception, { iterations: 20_000, seconds: 20 });
  if (violations > 0) expect(sample).toBe('bob: the flag is up');
  else expect(sample).toBe('');
}, 30_000);

test('a design that may fail need not be seen to, one that holds must', () => {
  const result = (expected: 'fails' | 'holds', violations: number): LitmusResult => ({
    ...{ scenario: 's', seed: '', design: 'd', expected, iterations: 9, seconds: 1, outcomes: [], violations },
    ...{ sample: '', hung: false },
  });
  expect(litmusVerdict(result('fails', 0))).toBe('not seen');
  expect(litmusVerdict(result('fails', 1))).toBe('as expected');
  expect(litmusVerdict(result('holds', 0))).toBe('as expected');
  expect(litmusVerdict(result('holds', 1))).toBe('unexpected');
});

test('a design that is not there is refused', async () => {
  await expect(litmus(all.livelock, { design: 'another' })).rejects.toThrow(/no design 'another'/);
});
