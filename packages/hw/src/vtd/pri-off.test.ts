import { describe, expect, test } from 'vitest';
import { REQUEST_LAST, REQUEST_PASID_VALID, REQUEST_READ } from '../pcie/index.ts';
import { NO_PASID, readVtdStats } from './index.ts';
import { VTD_PQH, VTD_PRS } from './layout.ts';
import { PRS_PRO } from './registers.ts';
import { contextOf, entryOf } from './testing/driver-state.ts';
import { DEVICE, PASID, RID, VtdRig, type VtdRigConfig } from './testing/vtd-rig.ts';

const PLAIN = REQUEST_READ | REQUEST_LAST;
const up = (config?: VtdRigConfig): Promise<VtdRig> => new VtdRig(config).up();

describe('the drain', () => {
  test('waits for the pump to be through with the requester’s requests, and flushes the work before the hardware', async () => {
    const events: string[] = [];
    const rig = await up({
      driver: {
        flushWork: async (device) => {
          events.push(`flush ${device} with ${rig.reporter.faults.length} reported`);
        },
      },
    });
    for (let i = 0; i < 5; i++) rig.request(i);
    rig.hw.pump(64);
    const drained = rig.driver.drain(RID, PASID, 1);
    let over = false;
    void drained.then(() => {
      over = true;
    });
    for (let i = 0; i < 5; i++) {
      rig.hw.pump(64);
      rig.poll();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect([over, events]).toEqual([false, []]); // nobody pumps
    expect(await rig.during(drained)).toBe(true);
    expect(events).toEqual(['flush 3 with 5 reported']);
  });

  test('does not wait for other requesters’ or PASIDs’ requests', async () => {
    const rig = await up();
    rig.request(1, PLAIN); // without a PASID
    rig.hw.pump(64);
    expect(await rig.during(rig.driver.drain(RID, PASID, 1), false)).toBe(true);
    expect(rig.queued).toBe(1);
    const plain = rig.driver.drain(RID, NO_PASID, 2);
    let over = false;
    void plain.then(() => {
      over = true;
    });
    await rig.during(new Promise<void>((resolve) => setTimeout(resolve, 30)), false);
    expect(over).toBe(false);
    await rig.during(plain);
    expect(rig.reporter.faults.length).toBe(1);
  });

  test('requests on their way are in the queue when it ends: the device’s completion pushes them', async () => {
    const rig = await up();
    rig.completing = false;
    const drained = rig.driver.detach(RID, PASID);
    let sent = false;
    const device = (): void => {
      for (const one of rig.received()) {
        if (one.invalidate !== true) continue;
        if (!sent) rig.ports[0].post(9, 0, PLAIN | REQUEST_PASID_VALID, PASID, 9, 0);
        sent = true;
        rig.complete(one.prgi);
      }
    };
    const clock = setInterval(device, 0);
    await rig.during(drained);
    clearInterval(clock);
    expect(sent).toBe(true);
    rig.hw.pump(64);
    // It came after P was cleared and the caches were told: refused by the hardware, reported to nobody.
    expect([rig.reporter.faults.length, rig.queued]).toEqual([0, 0]);
    expect(readVtdStats(rig.words, rig.base).autoInvalid).toBe(1);
  });

  test('after an overflow is repeated once the handler has acknowledged it', async () => {
    const rig = await up();
    for (let i = 0; i < 130; i++) {
      rig.request(i, PLAIN);
      rig.hw.pump(64);
    }
    const before = readVtdStats(rig.words, rig.base).drains;
    const drained = rig.driver.drain(RID, PASID, 1);
    let over = false;
    void drained.then(() => {
      over = true;
    });
    await rig.during(new Promise<void>((resolve) => setTimeout(resolve, 30)), false);
    expect([over, rig.prs & PRS_PRO]).toEqual([false, PRS_PRO]);
    await rig.during(drained);
    expect(readVtdStats(rig.words, rig.base).drains - before).toBe(3); // PQT, then twice
    expect([rig.prs, rig.register(VTD_PRS)]).toEqual([0, 0]);
  });

  test('gives up on a pump that stands still', async () => {
    const rig = await up({ driver: { timeoutMs: 60 } });
    rig.request(1);
    rig.hw.pump(64);
    await expect(rig.during(rig.driver.drain(RID, PASID, 1), false)).rejects.toThrow('drain: timeoutMs = 60');
  });
});

describe('a device’s own domain gives way to blocking while a request of it waits in the queue', () => {
  const orders = ['fence-first', 'remove-first'] as const;
  test.each(orders)('%s', async (order) => {
    const reportedAtRemoval: number[] = [];
    const rig: VtdRig = new VtdRig({
      driver: {
        removeFaults: () => {
          reportedAtRemoval.push(rig.reporter.faults.length);
          return undefined;
        },
      },
    });
    await rig.during(rig.driver.enable());
    await rig.during(rig.driver.attachDevice(RID, DEVICE));
    await rig.during(rig.driver.attach(RID, NO_PASID, { kind: 'second-level', did: 2, faults: true }));
    rig.request(1, PLAIN);
    rig.hw.pump(64);
    const blocked = rig.driver.blockRid(RID, order);
    if (order === 'fence-first') {
      await rig.during(blocked);
      expect(reportedAtRemoval).toEqual([1]); // the device was forgotten after its last report
      return;
    }
    await rig.during(blocked, false); // the drain inside had no fault user, so it waited for nobody
    expect([reportedAtRemoval, rig.queued]).toEqual([[0], 1]);
    rig.pump.pump(64);
    expect(rig.reporter.faults.length).toBe(1); // a report for a device that was forgotten, and detached
  });
});

describe('turning PRI off, as core asks for it', () => {
  test('after the fence nothing is reported; after the responses’ fence the device has them; then PRE is off', async () => {
    const rig = await up();
    for (let i = 0; i < 4; i++) rig.request(i, i % 2 === 0 ? PLAIN : PLAIN | REQUEST_PASID_VALID);
    rig.hw.pump(64);
    await rig.during(rig.driver.blockDevice(RID));
    await rig.during(rig.driver.fenceEventQueue(RID));
    expect(rig.reporter.faults.length).toBe(4);
    rig.request(5);
    rig.hw.pump(64);
    expect([rig.queued, rig.register(VTD_PQH)]).toEqual([0, 4 * 32]);
    rig.received();
    for (let i = 0; i < 4; i++) rig.ops[0].respond(RID, i % 2 === 0 ? -1 : PASID, i, 1);
    rig.ops[0].flushResponses();
    await rig.during(rig.driver.fenceResponses(RID));
    expect(rig.received().filter((one) => one.invalidate !== true).length).toBe(4);
    await rig.during(rig.driver.disablePri(RID));
    expect(contextOf(rig).pre).toBe(0);
    await rig.during(rig.driver.attach(RID, PASID, { kind: 'first-level', did: 1, faults: true }));
    rig.request(6);
    rig.hw.pump(64);
    expect([contextOf(rig).pre, rig.queued]).toEqual([1, 1]);
  });

  test('replacing a domain drains the old one’s requests; the new one’s are let in', async () => {
    const rig = await up();
    rig.request(1);
    rig.hw.pump(64);
    await rig.during(rig.driver.replace(RID, PASID, { kind: 'first-level', did: 7, faults: true }));
    expect([rig.reporter.faults.length, entryOf(rig, PASID).did, contextOf(rig).pre]).toEqual([1, 7, 1]);
    rig.request(2);
    rig.hw.pump(64);
    expect(rig.queued).toBe(1);
    await rig.during(rig.driver.replace(RID, PASID, { kind: 'identity', did: 8 }));
    await rig.during(rig.driver.replace(RID, NO_PASID, { kind: 'identity', did: 8 }));
    expect(contextOf(rig).pre).toBe(0);
  });
});
