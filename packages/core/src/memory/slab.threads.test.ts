import { expect, test } from 'vitest';
import { runWorkers, SEED } from '../sync/run-workers.test-help.ts';
import { Arena, initSlab, planArena, Slab, SlabCache, slabWords } from './index.ts';

const CAPACITY = 48;
const CHECKED = 0x100;

test.each([
  ['chains of one (all on the shared stack)', [1, 1, 1, 1]],
  ['chains of different lengths', [1, 3, 16, 4]],
  ['checked, with poison', [2 + CHECKED, 1 + CHECKED, 8 + CHECKED, 3 + CHECKED]],
])('no object is ever with two threads: %s', { timeout: 30_000 }, async (_, options) => {
  const arena = Arena.create(
    planArena([
      { name: 'start', words: 1 },
      { name: 'owners', words: CAPACITY + 1 },
      { name: 'handover', words: 3 },
      { name: 'slab', words: slabWords(CAPACITY, 16) },
    ]),
  );
  initSlab(arena.words, arena.base('slab'), CAPACITY, 16);
  const tasks = options.map((option, at) => ({
    role: 'slab',
    arena: arena.share(),
    id: at + 1,
    threads: options.length,
    rounds: 60_000,
    spins: 0,
    seed: SEED,
    option,
  }));
  const reports = await runWorkers<{ violations: number; taken: number }>(
    new URL('./slab.test-worker.ts', import.meta.url),
    tasks,
  );
  for (const { violations, taken } of reports) {
    expect(violations, `seed ${SEED}`).toBe(0);
    expect(taken).toBeGreaterThan(0);
  }
  const slab = new Slab(arena.words, arena.base('slab'));
  const cache = new SlabCache(slab, { id: 5, spins: 0 }, { batch: 1, checked: false });
  const handover = arena.words.subarray(arena.base('handover'), arena.base('handover') + 3);
  for (const index of handover) if (index !== 0) cache.free(index);
  expect(slab.live(), `seed ${SEED}`).toBe(0);
  const all = new Set<number>();
  for (let index = cache.alloc(); index !== 0; index = cache.alloc()) all.add(index);
  expect(all.size, `seed ${SEED}`).toBe(CAPACITY);
});
