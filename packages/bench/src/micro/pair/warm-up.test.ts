import { expect, test } from 'vitest';
import { warmUp } from './warm-up.ts';

test('rounds grow until they are long enough', async () => {
  const rounds: number[] = [];
  const items = await warmUp(16, 100, async (count) => {
    rounds.push(count);
    return count / 1e6;
  });
  expect(items).toBeGreaterThanOrEqual(50_000);
  expect(items).toBeLessThanOrEqual(100_000);
  expect(rounds.slice(0, 3)).toEqual([16, 256, 4096]);
});

test('a round that another program held up does not end the warm-up', async () => {
  let rounds = 0;
  const items = await warmUp(16, 100, async (count) => count / 1e6 + (rounds++ % 2 === 0 ? 0.3 : 0));
  expect(items).toBeGreaterThanOrEqual(50_000);
});

test('where all rounds are held up they become shorter', async () => {
  const items = await warmUp(16, 100, async (count) => (count < 50_000 ? count / 1e6 : count / 1e4));
  expect(items).toBe(4000);
});
