import { expect, test } from 'vitest';
import { built } from '../../../test/built.ts';
import { SUBJECTS } from './index.ts';

const { measureApart } = await built<typeof import('./apart.ts')>('micro/costs/apart.js');

test.each(SUBJECTS)('$name: each cost has its figure', { timeout: 30_000 }, async ({ name, costs }) => {
  const rows = await measureApart(name, { timeMs: 1, warmupMs: 1 });
  expect(rows.map((row) => row.name)).toEqual(costs().map((cost) => cost.name));
  for (const { median } of rows) expect(median).toBeGreaterThan(0);
});

test('an unknown subject is refused', async () => {
  await expect(measureApart('nothing', { timeMs: 1, warmupMs: 1 })).rejects.toThrow('no subject nothing');
});
