import { describe, expect, test } from 'vitest';
import { fakeAts } from './capabilities.test-help.ts';
import { AMD_PPR_FENCES } from './layout.ts';
import { baseWordAt } from './registers.ts';
import { Rig } from './rig.test-help.ts';

describe('invalidation batches and fences', () => {
  test('pages first, then the caches of devices that have one; one completion wait', async () => {
    const rig = await Rig.on({ rids: [0x10, 0x20] });
    rig.driver.bindDevice(0x30, 1);
    const waits = rig.stat('waits');
    await rig.during(rig.driver.invalidate(1, 1, 0x10, 0x1f, [0x10, 0x30, 0x31]));
    expect([rig.stat('waits') - waits, rig.received(0)]).toEqual([1, []]);
    const ats = fakeAts();
    await rig.during(rig.driver.unbindDevice(0x20));
    rig.driver.bindDevice(0x20, 1, { ats });
    await rig.during(rig.driver.attach(0x20, { kind: 'identity', domain: 2 }));
    expect(ats.enabled).toBe(true);
    const batch = rig.driver.invalidate(2, 1, 0x10, 0x1f, [0x10, 0x20]);
    await rig.during(batch, () => {
      for (const { prgi, code, pasid, page } of rig.received(1)) {
        expect([code, pasid, page]).toEqual([4, 1, 0x10]);
        rig.complete(prgi, 1);
      }
    });
    expect(rig.stat('iotlbSent')).toBe(1);
  });

  test('a fence waits for what the device had sent, and for the pump', async () => {
    const rig = new Rig();
    await rig.during(rig.driver.enable());
    const ats = fakeAts();
    rig.driver.bindDevice(0x10, 1, { ats });
    await rig.during(rig.driver.attach(0x10, { kind: 'identity', domain: 1 }));
    await rig.during(rig.driver.attachPasid(0x10, 1, 1));
    await rig.during(rig.driver.enablePri(0x10));
    let done = false;
    const fenced = rig.driver.fenceEventQueue().then(() => {
      done = true;
    });
    rig.hw.pump(64);
    rig.post(1);
    rig.post(2); // sent before the completion
    for (const { prgi } of rig.received()) rig.complete(prgi);
    for (let i = 0; i < 10; i++) {
      rig.hw.pump(64);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect([rig.stat('logged'), done]).toEqual([2, false]); // the pump has not been there
    rig.pump.pump(64);
    await fenced;
    expect(rig.reporter.faults.length).toBe(2);
  });

  test('a fence whose pump stands still times out, and leaves no waiter behind', async () => {
    const rig = await Rig.on({ timeoutMs: 100 });
    rig.post(1);
    const fenced = rig.driver.fenceEventQueue();
    for (let i = 0; i < 3; i++) rig.hw.pump(64);
    await expect(fenced).rejects.toThrow('AmdDriver.fenceEventQueue: timeoutMs = 100');
    expect(rig.words[rig.base + AMD_PPR_FENCES]).toBe(0);
    rig.settle();
    await rig.during(rig.driver.fenceEventQueue());
  });

  test('base registers name where the rings are', async () => {
    const rig = await Rig.on();
    expect(rig.pprEntry(0)).toBe(baseWordAt(rig.words, rig.base + 32 + 6));
  });

  test('a log that overflows meanwhile is fenced once more: what was left of a group is discarded first', async () => {
    const ats = fakeAts();
    const rig = new Rig({ pprEntries: 256, onLost: () => lost.push(rig.reporter.faults.length) });
    const lost: number[] = [];
    await rig.during(rig.driver.enable());
    rig.driver.bindDevice(0x10, 1, { ats });
    await rig.during(rig.driver.attach(0x10, { kind: 'identity', domain: 1 }));
    await rig.during(rig.driver.attachPasid(0x10, 1, 1));
    await rig.during(rig.driver.enablePri(0x10));
    const from = rig.commandTail;
    let rounds = 0;
    const fenced = rig.during(rig.driver.fenceEventQueue(), () => {
      for (const { prgi, invalidate } of rig.received()) {
        if (invalidate !== true) continue;
        if (rounds++ === 0) for (let i = 0; i < 300; i++) rig.post(i); // sent before the completion
        rig.complete(prgi);
        rig.hw.pump(1000); // takes them all: 255 find room
      }
    });
    await fenced;
    expect(rounds).toBe(2);
    expect(rig.commandsSince(from)).toEqual(['IOTLB 16', 'WAIT', 'IOTLB 16', 'WAIT']);
    expect([rig.stat('pprOverflows'), lost, rig.reporter.faults.length]).toEqual([1, [255], 255]);
  });

  test('devices that are not named are not asked', async () => {
    const rig = new Rig({ rids: [0x10, 0x20] });
    await rig.during(rig.driver.enable());
    for (const id of [0x10, 0x20]) {
      rig.driver.bindDevice(id, id, { ats: fakeAts() });
      await rig.during(rig.driver.attach(id, { kind: 'identity', domain: id }));
    }
    const from = rig.commandTail;
    await rig.completing(rig.driver.fenceEventQueue([0x20, 0x30]));
    await rig.completing(rig.driver.fenceEventQueue());
    await rig.completing(rig.driver.fenceResponses());
    expect(rig.commandsSince(from)).toEqual(['IOTLB 32', 'WAIT', 'IOTLB 16', 'IOTLB 32', 'WAIT', 'WAIT']);
  });
});
