import { describe, expect, test } from 'vitest';
import { REQUEST_LAST, REQUEST_PASID_VALID, REQUEST_READ } from '../pcie/index.ts';
import { describeInvalidation, NO_PASID, type VtdDomain } from './index.ts';
import { VTD_GSTS, VTD_IQA, VTD_IQT } from './layout.ts';
import { contextOf, entryOf } from './testing/driver-state.ts';
import { hex } from './testing/records.ts';
import { DEVICE, PASID, RID, VtdRig, type VtdRigConfig } from './testing/vtd-rig.ts';

const PLAIN = REQUEST_READ | REQUEST_LAST;
const up = (config?: VtdRigConfig): Promise<VtdRig> => new VtdRig(config).up();

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
    expect(rig.received()).toMatchObject([{ prgi: 1, code: 1 }]);
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

  test('the descriptors of a drain, bit by bit', async () => {
    const rig = await up();
    const queue = (rig.register(VTD_IQA) & ~0xfff) / 4;
    for (const [pasid, did, expected] of [
      // RID 8. IOTLB of the whole PASID: 6 | 2 << 4 | did << 16 | PASID << 32; PASID device-TLB: 8 | RID << 16 | PASID << 32, every address
      [PASID, 1, ['0000000500010026', '0000000000000000', '0000000500080008', '7ffffffffffff800']],
      // IOTLB by domain, draining reads and writes: 2 | 2 << 4 | 3 << 6 | did << 16; device-TLB: 3 | RID << 32, every address
      [NO_PASID, 2, ['00000000000200e2', '0000000000000000', '0000000800000003', '7ffffffffffff001']],
    ] as const) {
      const first = rig.register(VTD_IQT) + 32; // behind the wait that stands for the read of PQT
      await rig.during(rig.driver.drain(RID, pasid, did));
      const at = (i: number): string[] =>
        hex(rig.words.slice(queue + ((first / 4 + i * 8) & 1023), queue + ((first / 4 + i * 8) & 1023) + 4));
      expect(at(0)).toEqual(['0000000000000045', '0000000000000000']); // FN alone
      expect([...at(1), ...at(2)]).toEqual(expected);
      expect(at(3)[0].slice(8)).toBe('000000a5'); // SW and PD
      expect(rig.register(VTD_IQT)).toBe((first + 4 * 32) % 4096);
    }
  });

  test('letting the first page requests in: the context cache before the PASID cache, one wait', async () => {
    const rig = new VtdRig();
    await rig.during(rig.driver.enable());
    await rig.during(rig.driver.attachDevice(RID, DEVICE));
    const attach = (pasid: number) => (): Promise<void> =>
      rig.driver.attach(RID, pasid, { kind: 'first-level', did: 1, faults: true });
    expect(await descriptors(rig, attach(PASID))).toEqual(['CONTEXT_CACHE', 'PASID_CACHE', 'WAIT sw']);
    expect(await descriptors(rig, attach(9))).toEqual(['PASID_CACHE', 'WAIT sw']);
  });

  test('replacing a domain, and turning PRI off: classes of invalidations in their order, one wait each', async () => {
    const rig = await up();
    const drain = (iotlb: string, device: string): string[] => ['WAIT sw+pd', 'WAIT fn', iotlb, device, 'WAIT sw+pd'];
    expect(
      await descriptors(rig, () => rig.driver.replace(RID, PASID, { kind: 'nested', did: 3, faults: true })),
    ).toEqual([
      ...['PASID_CACHE', 'PASID_IOTLB', 'PASID_DEVICE_TLB', 'WAIT sw'],
      ...drain('PASID_IOTLB', 'PASID_DEVICE_TLB'),
    ]);
    expect(await descriptors(rig, () => rig.driver.blockDevice(RID))).toEqual([
      ...['PASID_CACHE', 'PASID_CACHE', 'IOTLB', 'IOTLB', 'PASID_DEVICE_TLB', 'DEVICE_TLB', 'WAIT sw'],
    ]);
    expect(await descriptors(rig, () => rig.driver.fenceEventQueue(RID))).toEqual([
      ...drain('PASID_IOTLB', 'PASID_DEVICE_TLB'),
      ...drain('IOTLB', 'DEVICE_TLB'),
    ]);
    expect(await descriptors(rig, () => rig.driver.fenceResponses(RID))).toEqual(['DEVICE_TLB', 'WAIT sw']);
    expect(await descriptors(rig, () => rig.driver.disablePri(RID))).toEqual(['CONTEXT_CACHE', 'WAIT sw']);
    expect(await descriptors(rig, () => rig.driver.detachDevice(RID))).toEqual([
      'CONTEXT_CACHE',
      'DEVICE_TLB',
      'WAIT sw',
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
