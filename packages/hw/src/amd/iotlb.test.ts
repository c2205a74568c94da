import { TICKS_PER_MS } from '@faultline/core/sync';
import { describe, expect, test } from 'vitest';
import { CMD_INVALIDATE_IOMMU_ALL } from './commands.ts';
import { AMD_CMD_STORE } from './layout.ts';
import { INV_TIMEOUT_10MS } from './registers.ts';
import { Rig } from './rig.test-help.ts';

const stored = (rig: Rig): number => Atomics.load(rig.words, rig.base + AMD_CMD_STORE);

describe('invalidations of device caches', () => {
  test('one goes to each port of the device with range and PASID, and the wait waits for all', async () => {
    const rig = await Rig.on({ rids: [0x10, 0x10, 0x20] });
    rig.ops.invalidateIotlb(0x10, 5, 0x100000010, 0x10000001f);
    const synced = rig.ops.syncAsync();
    const before = stored(rig);
    rig.hw.pump(64);
    const asked = { code: 4, pasid: 5, invalidate: true, page: 0x100000010 };
    expect(rig.received(0)).toEqual([{ prgi: 0, ...asked }]);
    expect(rig.received(1)).toEqual([{ prgi: 0, ...asked }]);
    expect(rig.received(2)).toEqual([]);
    rig.complete(0, 0);
    rig.hw.pump(64);
    rig.hw.pump(64);
    expect(stored(rig)).toBe(before);
    rig.complete(0, 1);
    await rig.during(synced);
    expect(stored(rig)).toBe(before + 1);
  });

  test('answers queued before reach the device before the invalidation', async () => {
    const rig = await Rig.on();
    rig.ops.completePpr(0x10, 1, 7, 0);
    rig.ops.invalidateIotlb(0x10, -1);
    rig.ops.flushResponses();
    rig.hw.pump(64);
    expect(rig.received()).toEqual([
      { prgi: 7, code: 0, pasid: 1 },
      { prgi: 0, code: 52, pasid: -1, invalidate: true, page: 0 },
    ]);
  });

  test('requests sent before the completion are in the log when the wait is done', async () => {
    const rig = await Rig.on();
    rig.ops.invalidateIotlb(0x10, -1);
    const synced = rig.ops.syncAsync();
    rig.hw.pump(64);
    for (let i = 0; i < 20; i++) rig.post(i);
    rig.complete(0);
    const before = stored(rig);
    while (stored(rig) === before) rig.hw.pump(4);
    await synced;
    expect(rig.stat('logged')).toBe(20);
  });

  test('more than the device takes at once wait their turn', async () => {
    const rig = await Rig.on();
    for (let i = 0; i < 5; i++) rig.ops.invalidateIotlb(0x10, -1, i, i, 2);
    rig.ops.flushResponses();
    const pages: (number | undefined)[] = [];
    for (let round = 0; round < 10; round++) {
      rig.hw.pump(64);
      const asked = rig.received();
      expect(asked.length).toBeLessThanOrEqual(2);
      for (const { prgi, page } of asked) {
        pages.push(page);
        rig.complete(prgi);
      }
    }
    expect(pages).toEqual([0, 1, 2, 3, 4]);
  });

  test('a device that does not answer is given up: an event, the wait is done, and the late completion counts for nobody', async () => {
    const rig = await Rig.on({ enable: { invTimeout: INV_TIMEOUT_10MS } });
    rig.ops.invalidateIotlb(0x10, -1);
    const synced = rig.ops.syncAsync();
    rig.hw.pump(64);
    rig.tick += 10 * TICKS_PER_MS - 1;
    rig.hw.pump(64);
    expect(rig.stat('iotlbTimeouts')).toBe(0);
    rig.tick += 1;
    await rig.during(synced);
    rig.pump.pump(64);
    expect(rig.events).toMatchObject([{ name: 'IOTLB_INV_TIMEOUT', values: { device: 0x10 } }]);
    const [{ prgi: lost }] = rig.received();
    rig.ops.invalidateIotlb(0x10, -1);
    rig.ops.flushResponses();
    rig.hw.pump(64);
    expect(rig.received()[0].prgi).not.toBe(lost);
    rig.complete(lost);
    rig.hw.pump(64);
    expect(rig.stat('strays')).toBe(1);
    expect(rig.hw.needsWork()).toBe(false);
  });

  test('a tag given up is not used again before its completion has come', async () => {
    const rig = await Rig.on({ enable: { invTimeout: INV_TIMEOUT_10MS } });
    rig.ops.invalidateIotlb(0x10, -1);
    const synced = rig.ops.syncAsync();
    rig.hw.pump(64);
    rig.tick += 10 * TICKS_PER_MS;
    await rig.during(synced);
    const [{ prgi: lost }] = rig.received();
    for (let i = 0; i < 32; i++) rig.ops.invalidateIotlb(0x10, -1);
    rig.ops.flushResponses();
    rig.hw.pump(64);
    const asked = rig.received();
    expect([asked.length, asked.some(({ prgi }) => prgi === lost)]).toEqual([31, false]);
    rig.complete(lost); // it frees the tag, and nothing else: all 31 are still under way
    rig.complete(asked[0].prgi);
    rig.hw.pump(64);
    rig.hw.pump(64);
    expect([rig.received().length, rig.stat('strays')]).toEqual([1, 1]);
  });

  test('a completion that nobody asked for is counted', async () => {
    const rig = await Rig.on();
    rig.complete(3);
    rig.hw.pump(64);
    expect(rig.stat('strays')).toBe(1);
  });

  test('INVALIDATE_IOMMU_ALL has the device table read afresh', async () => {
    const rig = await Rig.on();
    rig.ops.issue(CMD_INVALIDATE_IOMMU_ALL, {});
    await rig.during(rig.ops.syncAsync());
    rig.post(1);
    rig.settle();
    expect(rig.reporter.faults.length).toBe(1);
  });
});
