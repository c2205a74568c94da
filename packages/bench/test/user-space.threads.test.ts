// `--handler iommufd` as it is shipped, on real threads: every fault goes to user space through the fault file, and comes back by write.
import { describe, expect, test, vi } from 'vitest';
import { checkBooks } from '../src/result/books.ts';
import { GENERATIONS, IOMMUS, type StressParameters } from '../src/scenario/parameters.ts';
import type { Cell } from '../src/stress/types.ts';
import { engine, growAll, runOrder, runTiny, tiny } from './tiny-engine.ts';

vi.setConfig({ testTimeout: 20_000 }); // a hang, not a machine that has other work

const FAULTS = 2000;
const over: Partial<StressParameters> = {
  ...{ handler: 'iommufd', threads: [4], threadsPerWorker: 2, devices: 2, pagesPerJob: 16 },
};
const run = (more: Partial<StressParameters>): Promise<Cell> => runTiny({ ...over, ...more });

function expectBalanced(cell: Cell): void {
  expect(checkBooks(cell)).toEqual([]);
  expect(cell.reported).toBe(cell.answered);
  expect(cell.timeouts).toBe(0);
  expect(cell.faults).toBeGreaterThan(0);
}

describe('faults go through the fault file:', () => {
  test.each(GENERATIONS.map((each, i) => [each, IOMMUS[i % IOMMUS.length]] as const))(
    'a budget, then pages taken away and domains replaced: %s behind %s',
    async (each, iommu) => {
      const parameters = tiny({ ...over, iommu, generations: [each], faults: FAULTS });
      await engine.onStage(parameters, new AbortController().signal, async (stage) => {
        await growAll(stage);
        const still = await runOrder(stage);
        expectBalanced(still);
        expect(still).toMatchObject({ faults: FAULTS, refaults: 0, overflows: 0 });
        expect(still.faultFile).toMatchObject({ groups: FAULTS, refused: 0 });
        const moving = await runOrder(stage, { faults: undefined, seconds: 0.12 }, { scanner: 2, replaceEveryMs: 3 });
        expectBalanced(moving);
        const { groups = 0, refused = 0 } = moving.faultFile ?? {};
        expect(groups).toBeGreaterThan(0);
        expect(groups).toBeLessThanOrEqual(moving.reported); // the rest was taken back before it was read
        expect(refused).toBeLessThan(groups);
      });
    },
  );
});

test('replacing a domain answers what waits in the file: it is not read', async () => {
  const many = { threads: [256], threadsPerWorker: 128, devices: 1, handlers: 1, replaceEveryMs: 2 };
  const cell = await run({ ...many, seconds: 0.4 });
  expectBalanced(cell);
  expect(cell.faultFile?.groups).toBeLessThan(cell.reported);
});

test.each([
  ['a light flush answers for the readers', { lightFlush: true, replaceEveryMs: 2 }],
  ['counters and lists that all threads share', { sharing: 'shared', replaceEveryMs: 5 }],
  ['one device asks as fast as it may', { iommu: 'vtd', misbehave: 'storm', queueEntries: 256 }],
  ['one device never ends its groups', { iommu: 'amd', misbehave: 'lastPageMissing', queueEntries: 256 }],
] as const)('%s', async (_, more) => {
  expectBalanced(await run({ ...more, seconds: 0.1 }));
});

test('a queue that overflows: the hardware answers what it cannot record', async () => {
  const many = { threads: [512], threadsPerWorker: 128, devices: 1, pagesPerJob: 8, groupPages: 4 };
  const cell = await run({ ...many, iommu: 'vtd', queueEntries: 128, faults: 30_000 });
  expectBalanced(cell);
  expect(cell.overflows).toBeGreaterThan(0);
  expect(cell.automatic).toBeGreaterThan(0);
});

test('groups larger than what a reader has room for at first', async () => {
  const cell = await run({ iommu: 'amd', pagesPerJob: 256, groupPages: 256, faults: 8000 });
  expectBalanced(cell);
  expect(cell.groups?.pagesPerGroup).toBeGreaterThan(64);
});
