import { describe, expect, test } from 'vitest';
import { REQUEST_LAST, REQUEST_PASID_VALID, REQUEST_READ } from '../pcie/index.ts';
import { getFields } from '../smmu-v3/fields.ts';
import {
  CONTEXT_FIELDS,
  describeInvalidation,
  NO_PASID,
  PASID_ENTRY_FIELDS,
  readVtdStats,
  type VtdDomain,
} from './index.ts';
import { VTD_CONTEXT, VTD_DIRECTORIES, VTD_GSTS, VTD_IQA, VTD_IQT, VTD_PQH, VTD_PRS } from './layout.ts';
import { PRS_PRO } from './registers.ts';
import { CONTEXT_WORDS } from './tables.ts';
import { DEVICE, PASID, RID, VtdRig, type VtdRigConfig } from './testing/vtd-rig.ts';

const PLAIN = REQUEST_READ | REQUEST_LAST;
const up = (config?: VtdRigConfig): Promise<VtdRig> => new VtdRig(config).up();

function contextOf(rig: VtdRig, rid = RID): Record<string, number> {
  return getFields(rig.words, rig.base + rig.words[rig.base + VTD_CONTEXT] + rid * CONTEXT_WORDS, CONTEXT_FIELDS);
}
function entryOf(rig: VtdRig, pasid: number): Record<string, number> {
  const directory = rig.base + rig.words[rig.base + VTD_DIRECTORIES] + RID * 1024;
  const table = (rig.words[directory + (pasid >> 6) * 2] & ~0xfff) >>> 2;
  return getFields(rig.words, table + (pasid & 63) * 16, PASID_ENTRY_FIELDS);
}
/** Kinds of the descriptors that `work` puts, in order. */
async function descriptors(rig: VtdRig, work: () => Promise<unknown>): Promise<string[]> {
  const queue = (rig.register(VTD_IQA) & ~0xfff) / 4;
  const first = rig.register(VTD_IQT);
  await rig.during(work());
  const kinds: string[] = [];
  for (let at = first; at !== rig.register(VTD_IQT); at = (at + 32) % 4096) {
    const { kind, fields } = describeInvalidation(rig.words, queue + at / 4);
    const flags = ['fn', 'sw', 'pd'].filter((flag) => fields[flag] === 1).join('+');
    kinds.push(kind === 'WAIT' ? `WAIT ${flags}` : kind);
  }
  return kinds;
}

describe('attaching', () => {
  test('a device is let in blocking; its first domain with a fault handler lets page requests in, the last one’s end does not', async () => {
    const rig = new VtdRig();
    await rig.during(rig.driver.enable());
    await rig.during(rig.driver.attachDevice(RID, DEVICE));
    expect(contextOf(rig)).toMatchObject({ p: 1, dte: 1, paside: 1, pre: 0, pdts: 0, ridPasid: 0 });
    await rig.during(rig.driver.attach(RID, 7, { kind: 'identity', did: 9 }));
    expect([contextOf(rig).pre, entryOf(rig, 7)]).toMatchObject([0, { p: 1, pgtt: 4, did: 9 }]);
    await rig.during(
      rig.driver.attach(RID, PASID, { kind: 'first-level', did: 1, firstLevelLo: 0x5000, faults: true }),
    );
    expect([contextOf(rig).pre, entryOf(rig, PASID)]).toMatchObject([
      1,
      { p: 1, pgtt: 1, did: 1, firstLevelLo: 0x5000 },
    ]);
    await rig.during(rig.driver.attach(RID, 70, { kind: 'nested', did: 2, faults: true }).catch((error) => error));
    await rig.during(rig.driver.detach(RID, PASID));
    expect(entryOf(rig, PASID).p).toBe(0);
    await rig.during(rig.driver.detachDevice(RID));
    expect(contextOf(rig)).toMatchObject({ p: 0, pre: 0 });
  });

  test.each<[VtdDomain['kind'], number]>([
    ['first-level', 1],
    ['second-level', 2],
    ['nested', 3],
    ['identity', 4],
  ])('%s is translation type %i', async (kind, pgtt) => {
    const rig = await up();
    await rig.during(rig.driver.attach(RID, 9, { kind, did: 3 }));
    expect(entryOf(rig, 9)).toMatchObject({ p: 1, pgtt, did: 3 });
    rig.ports[0].post(1, 0, PLAIN | REQUEST_PASID_VALID, 9, 1, 0);
    rig.ports[0].publish();
    rig.hw.pump(64);
    expect(rig.queued).toBe(kind === 'identity' ? 0 : 1);
  });

  test('refusals name the field', async () => {
    const rig = await up({ rids: 16, pasidTables: 1 });
    const identity: VtdDomain = { kind: 'identity', did: 1 };
    await expect(rig.during(rig.driver.attachDevice(RID, 1))).rejects.toThrow(
      'attachDevice: rid = 8: has a driver already (EBUSY)',
    );
    await expect(rig.during(rig.driver.attachDevice(99, 1))).rejects.toThrow(
      'rid = 99: outside the context table (ENODEV)',
    );
    await expect(rig.during(rig.driver.attach(2, PASID, identity))).rejects.toThrow(
      'attach: rid = 2: is not attached (ENODEV)',
    );
    await expect(rig.during(rig.driver.attach(RID, PASID, identity))).rejects.toThrow(
      'pasid = 5: is attached already (EBUSY)',
    );
    await expect(rig.during(rig.driver.attach(RID, 1 << 13, identity))).rejects.toThrow('pasid = 8192');
    await expect(rig.during(rig.driver.attach(RID, 64, identity))).rejects.toThrow(
      'every PASID table is in use (ENOSPC)',
    );
    await expect(rig.during(rig.driver.detach(RID, 9))).rejects.toThrow(
      'detach: pasid = 9: nothing is attached there (ENOENT)',
    );
    await expect(rig.during(rig.driver.replace(RID, 9, identity))).rejects.toThrow('(ENOENT)');
    await expect(rig.during(rig.driver.attach(RID, 9, { kind: 'identity', did: 2 ** 16 }))).rejects.toThrow(
      'did = 65536',
    );
  });

  test('a hardware that does not run is a time-out', async () => {
    const rig = new VtdRig({ timeoutMs: 50 });
    await expect(rig.driver.enable()).rejects.toThrow(
      'GCMD: timeoutMs = 50: the other side did not answer (ETIMEDOUT)',
    );
  });

  test('switching off takes what is in the queue first, and lets no request in', async () => {
    const rig = await up();
    rig.ops[0].respond(RID, PASID, 1, 0);
    rig.ops[0].flushResponses();
    await rig.during(rig.driver.disable());
    expect([rig.register(VTD_GSTS), rig.received().length]).toEqual([0, 1]);
    rig.request(1);
    rig.hw.pump(64);
    expect(rig.received()).toMatchObject([{ index: 1, code: 1 }]);
    await rig.during(rig.driver.enable());
    rig.request(2);
    rig.hw.pump(64);
    expect(rig.queued).toBe(1);
  });
});

describe('order', () => {
  test('detaching: PASID cache, IOTLB, device-TLB; then the drain', async () => {
    const rig = await up();
    expect(await descriptors(rig, () => rig.driver.detach(RID, PASID))).toEqual([
      'PASID_CACHE',
      'PASID_IOTLB',
      'PASID_DEVICE_TLB',
      'WAIT sw',
      'WAIT sw+pd', // stands for the read of PQT
      'WAIT fn',
      'PASID_IOTLB',
      'PASID_DEVICE_TLB',
      'WAIT sw+pd',
    ]);
  });

  test('detaching the device’s own domain: by domain, and every translation of the device', async () => {
    const rig = await up();
    expect(await descriptors(rig, () => rig.driver.blockRid(RID))).toEqual([
      'PASID_CACHE',
      'IOTLB',
      'DEVICE_TLB',
      'WAIT sw',
      'WAIT sw+pd',
      'WAIT fn',
      'IOTLB',
      'DEVICE_TLB',
      'WAIT sw+pd',
    ]);
    expect(contextOf(rig).pre).toBe(1); // the PASID's domain still has faults
  });

  test('a domain without a fault handler is not drained', async () => {
    const rig = new VtdRig();
    await rig.during(rig.driver.enable());
    await rig.during(rig.driver.attachDevice(RID, DEVICE));
    await rig.during(rig.driver.attach(RID, PASID, { kind: 'first-level', did: 1 }));
    expect(await rig.during(rig.driver.drain(RID, PASID, 1))).toBe(false);
    expect(await descriptors(rig, () => rig.driver.detach(RID, PASID))).toEqual([
      'PASID_CACHE',
      'PASID_IOTLB',
      'PASID_DEVICE_TLB',
      'WAIT sw',
    ]);
  });
});

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
        if (one.kind !== 'invalidation') continue;
        if (!sent) rig.ports[0].post(9, 0, PLAIN | REQUEST_PASID_VALID, PASID, 9, 0);
        sent = true;
        rig.complete(one.index);
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
    expect(rig.received().filter((one) => one.kind === 'response').length).toBe(4);
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
