import { expect, test } from 'vitest';
import { Arena, planArena } from '../memory/index.ts';
import { runWorkers, SEED } from '../sync/run-workers.test-help.ts';
import { initXarray, Xarray, xarrayWords } from './index.ts';

test.each([40, 1030])(
  'four threads taking ids up to %i never get the same one, and lose none',
  {
    timeout: 30_000,
  },
  async (max) => {
    const threads = 4;
    // A node for each block and one for each other thread that may be racing to install the same block.
    const nodes = 2 + threads - 1;
    const arena = Arena.create(
      planArena([
        { name: 'start', words: 1 },
        { name: 'owners', words: max + 1 },
        { name: 'xarray', words: xarrayWords(nodes) },
      ]),
    );
    initXarray(arena.words, arena.base('xarray'), nodes);
    const tasks = Array.from({ length: threads }, (_, at) => {
      return {
        role: 'ids',
        arena: arena.share(),
        id: at + 1,
        threads,
        rounds: 150_000,
        spins: 0,
        seed: SEED,
        option: max,
      };
    });
    const reports = await runWorkers<{ violations: number }>(
      new URL('./xarray.test-worker.ts', import.meta.url),
      tasks,
    );
    expect(
      reports.map(({ violations }) => violations),
      `seed ${SEED}`,
    ).toEqual([0, 0, 0, 0]);
    const xarray = new Xarray(arena.words, arena.base('xarray'));
    expect(xarray.count(), `seed ${SEED}`).toBe(0);
    for (let index = 0; index <= max; index++) expect(xarray.alloc(1, 0, max), `seed ${SEED}`).toBe(index);
  },
);
