import { Doorbell } from '@faultline/core/sync';
import { PRI_CREDITS, PRI_GROUP_COUNT, PRI_RID } from '@faultline/hw/pcie';
import { expect, test } from 'vitest';
import { defaultParameters } from '../../scenario/defaults.ts';
import { IOMMUS, type StressParameters } from '../../scenario/parameters.ts';
import { initCell, makeArena, makePlan, portBase, wakeBase } from '../plan.ts';
import { openAmdHardware } from './amd.ts';
import { openSmmuHardware } from './smmu-v3.ts';
import { openVtdHardware } from './vtd.ts';

const OPEN = { 'smmu-v3': openSmmuHardware, vtd: openVtdHardware, amd: openAmdHardware };

function layOut(over: Partial<StressParameters>, threads: number) {
  const parameters = { ...defaultParameters('stress', true), queueEntries: 512, pagesPerJob: 8, ...over };
  const plan = makePlan(parameters);
  const arena = makeArena(plan);
  initCell(arena, plan, threads);
  const ports = Array.from({ length: threads }, (_, thread) => portBase(arena, plan, thread));
  return { plan, arena, ports };
}

// The hardware refuses ports that are not its own, out of place, or share a group index.
test.each(IOMMUS)('the hardware of %s takes the ports of any number of threads and devices', (iommu) => {
  for (const [threads, devices] of [
    [1, 1],
    [6, 2],
    [7, 3],
    [512, 1],
  ]) {
    const { arena, ports } = layOut({ iommu, devices, threads: [devices, 512], threadsPerWorker: 4 }, threads);
    const irq = new Doorbell(arena.words, wakeBase(arena, 0));
    const hardware = OPEN[iommu](arena, { ports, irq, clock: () => 0 });
    expect(hardware.pump(64)).toBe(0);
    expect(hardware.needsWork()).toBe(false);
  }
});

test.each(['vtd', 'amd'] as const)('threads of %s share groups and records evenly', (iommu) => {
  const read = (over: Partial<StressParameters>, threads: number): number[][] => {
    const { arena, ports } = layOut({ iommu, ...over }, threads);
    return [PRI_RID, PRI_GROUP_COUNT, PRI_CREDITS].map((word) => ports.map((at) => arena.words[at + word]));
  };
  expect(read({ threads: [3], devices: 2 }, 3)).toEqual([
    [1, 2, 1],
    [256, 512, 256],
    [8, 8, 8], // a job's pages
  ]);
  expect(read({ threads: [128], devices: 1 }, 128)[2][0]).toBe(3); // of 511 records, less than of 512 groups
  expect(read({ threads: [512], devices: 1 }, 512)[2][511]).toBe(1);
});
