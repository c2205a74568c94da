import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { objectWords, openObjects } from './object-table.test-help.ts';

interface Counts {
  readonly made: number;
  readonly used: number;
  readonly ended: number;
}

test('threads that make, use and destroy the same ids: each object ends once, and none while it is used', async () => {
  const words = objectWords();
  const run = (id: number): Promise<Counts> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./objects.test-worker.ts', import.meta.url), {
        workerData: { words, id, rounds: 30_000 },
      });
      worker.on('message', resolve);
      worker.on('error', reject);
    });
  const counts = await Promise.all([1, 2, 3].map(run));
  const sum = (field: keyof Counts): number => counts.reduce((total, count) => total + count[field], 0);
  let left = 0;
  const { objects, pool, ids } = openObjects(words, { id: 4, spins: 0 }, () => left++);
  while (objects.destroyUnused('close') !== 0);
  expect(sum('used')).toBeGreaterThan(1000);
  expect(sum('ended') + left).toBe(sum('made'));
  expect(pool.live()).toBe(0);
  expect(ids.count()).toBe(0);
});
