import { expect, test } from 'vitest';
import { SUSPECT_NAMES } from '../model/index.ts';
import { conclusionsOf, cures, rankSuspects } from './conclusions.ts';
import { bootstrap } from './interval.ts';
import { findKnee, geometricGrid, showKnee } from './knee.ts';
import { levelOf, recoveryOf } from './metastability.ts';
import type { Outcome } from './outcome.ts';
import type { Panel } from './panel.ts';
import { makePlan } from './plan.ts';
import { outcome } from './small.test-help.ts';

const ill: Partial<Outcome> = { refaultsPerFault: 0.3, jobsPerSecond: 20 };
const dead: Partial<Outcome> = { ...ill, timeouts: 9 };

/** As the mailing list has it: the scanner alone, and leases against it. */
function asReported(): Panel {
  const without = Object.fromEntries(SUSPECT_NAMES.map((name) => [name, outcome(dead)])) as Record<
    (typeof SUSPECT_NAMES)[number],
    Outcome
  >;
  return {
    lockedBefore: outcome(),
    lockedAt: outcome({ ...dead, interruptThread: 1 }),
    beyond: { locked: outcome(dead), lockless: outcome(ill), adaptive: outcome() },
    without: { ...without, scanner: outcome(), locksAndSearch: outcome({ ...ill, jobsPerSecond: 40 }) },
  };
}

function held(panel: Panel): string[] {
  return conclusionsOf(makePlan(false, 1))
    .filter(({ holds }) => holds(panel))
    .map(({ name }) => name);
}

test('each conclusion holds where it should', () => {
  expect(held(asReported())).toEqual(conclusionsOf(makePlan(false, 1)).map(({ name }) => name));
  expect(cures(asReported())).toEqual(['scanner']);
  expect(rankSuspects(asReported()).slice(0, 2)).toEqual(['scanner', 'locksAndSearch']);
});

test.each<[string, (panel: Panel) => Panel]>([
  ['begins as reported', (panel) => ({ ...panel, lockedBefore: outcome(dead) })],
  ['loop at 512', (panel) => ({ ...panel, lockedAt: outcome({ timeouts: 1, interruptThread: 1 }) })],
  ['no scanner, no collapse', (panel) => ({ ...panel, without: { ...panel.without, scanner: outcome(ill) } })],
  ['scanner alone', (panel) => ({ ...panel, without: { ...panel.without, mmapLock: outcome() } })],
  ['locks do not cure', (panel) => ({ ...panel, without: { ...panel.without, locksAndSearch: outcome() } })],
  [
    'limit is innocent',
    (panel) => ({
      ...panel,
      without: { ...panel.without, activeLimit: outcome(ill), locksAndSearch: outcome({ ...ill, jobsPerSecond: 15 }) },
      beyond: { ...panel.beyond, locked: outcome({ ...dead, jobsPerSecond: 10 }) },
    }),
  ],
  ['interrupt thread full', (panel) => ({ ...panel, lockedAt: outcome(dead) })],
  ['a faster path is not enough', (panel) => ({ ...panel, beyond: { ...panel.beyond, lockless: outcome() } })],
  [
    'lockless does more',
    (panel) => ({ ...panel, beyond: { ...panel.beyond, lockless: outcome({ ...ill, jobsPerSecond: 1 }) } }),
  ],
  ['leases cure', (panel) => ({ ...panel, beyond: { ...panel.beyond, adaptive: outcome(ill) } })],
  ['adaptive in time', (panel) => ({ ...panel, beyond: { ...panel.beyond, adaptive: outcome(dead) } })],
])('%s: does not hold where it should not', (name, change) => {
  expect(held(change(asReported()))).not.toContain(name);
});

test('a bisection finds every knee of a grid', async () => {
  const grid = geometricGrid(64, 2048);
  expect(grid).toHaveLength(21);
  for (const knee of [0, ...grid]) {
    let asked = 0;
    const found = await findKnee(grid, (threads) => {
      asked++;
      return Promise.resolve(threads <= knee);
    });
    expect(found).toEqual({ threads: knee, isBeyond: knee === 2048 });
    expect(asked).toBeLessThanOrEqual(8);
  }
  expect(showKnee({ threads: 0, isBeyond: false }, grid)).toBe('under 64');
});

test('an interval is the same each time, holds the mean, and is a point where nothing varies', () => {
  const values = [3, 9, 4, 8, 1];
  const { mean, low, high } = bootstrap(values);
  expect(bootstrap(values)).toEqual({ mean, low, high });
  expect(mean).toBe(5);
  expect(low).toBeGreaterThan(1);
  expect(low).toBeLessThan(4);
  expect(high).toBeGreaterThan(6);
  expect(high).toBeLessThan(9);
  expect(bootstrap([7, 7])).toEqual({ mean: 7, low: 7, high: 7 });
});

test('recovery is the time until all is as before, for good', () => {
  // 100 jobs a second, then from 1 s to 4 s half of them are lost; a good moment in between is no recovery.
  const series = Array.from({ length: 80 }, (_, index) => {
    const at = (index + 1) / 10;
    const isBad = at > 1 && at <= 4 && !(at > 2 && at <= 2.5);
    return {
      atSeconds: at,
      faults: 100,
      refaults: isBad ? 40 : 0,
      jobs: isBad ? 5 : 10,
      timeouts: 0,
      outstanding: 0,
      active: 1,
    };
  });
  const before = levelOf(series, 0, 1, 1);
  expect(before).toEqual({ threads: 1, jobsPerSecond: 100, refaultsPerFault: 0, timeouts: 0 });
  expect(recoveryOf(series, 1, 8, before, 0.5)).toBeCloseTo(3, 5);
  expect(recoveryOf(series, 1, 4, before, 0.5)).toBeUndefined();
  expect(recoveryOf(series, 4, 8, before, 0.5)).toBe(0);
});
