import { describe, expect, test } from 'vitest';
import { type AmdAttach, dteFor, NestedDomainIds } from './attach.ts';
import { fakeAts } from './capabilities.test-help.ts';
import { decodeDte, encodeDte, gcr3Page } from './dte.ts';
import { AMD_EFR, deviceEntryAt, gcr3TableAt } from './layout.ts';
import { Rig } from './rig.test-help.ts';

const dteOf = (rig: Rig, id: number): Record<string, number> =>
  decodeDte(rig.words, deviceEntryAt(rig.words, rig.base, id));

describe('attach', () => {
  test('a device is bound once, inside the table', async () => {
    const rig = await Rig.on();
    expect(() => rig.driver.bindDevice(0x10, 1)).toThrow('(EBUSY)');
    expect(() => rig.driver.bindDevice(64, 1)).toThrow('(ENODEV)');
    expect(() => rig.driver.bindDevice(1, 1, { maxPasids: 513 })).toThrow('maxPasids = 513');
    await expect(rig.driver.attach(1, { kind: 'blocking' })).rejects.toThrow('deviceId = 1: has no driver (ENODEV)');
    await rig.during(rig.driver.unbindDevice(0x10));
    rig.driver.bindDevice(0x10, 1);
  });

  test('blocking, identity, paging: what the entry says', async () => {
    const rig = await Rig.on();
    expect(dteOf(rig, 0x11)).toMatchObject({ v: 1, tv: 0, ir: 0, iw: 0, ppr: 0 });
    expect(dteOf(rig, 0x10)).toMatchObject({ v: 1, tv: 1, mode: 0, ir: 1, iw: 1, ppr: 1, gv: 1, domain: 1 });
    rig.driver.bindDevice(0x12, 1);
    const paging: AmdAttach = { kind: 'paging', domain: 7, rootPage: 0x1234567890, levels: 4 };
    await rig.during(rig.driver.attach(0x12, paging));
    expect(dteOf(rig, 0x12)).toMatchObject({
      mode: 4,
      rootLo: 0x67890000,
      rootHi: 0x12345,
      domain: 7,
      gv: 0,
      iotlb: 0,
    });
    expect(() => dteFor({ ...paging, levels: 7 }, { ppr: false, iotlb: false, gcr3: -1 })).toThrow('levels = 7');
    expect(() => dteFor({ ...paging, domain: 0 }, { ppr: false, iotlb: false, gcr3: -1 })).toThrow('domain = 0');
  });

  test('paging by a guest table: that of PASID 0, named by a GCR3 table of the device', async () => {
    const rig = new Rig();
    await rig.during(rig.driver.enable());
    rig.driver.bindDevice(0x10, 1);
    const v2 = (rootPage: number, levels: number): AmdAttach => ({ kind: 'paging-v2', domain: 7, rootPage, levels });
    await expect(rig.driver.attach(0x10, v2(1, 3))).rejects.toThrow('levels = 3');
    await expect(rig.driver.attach(0x10, v2(0, 4))).rejects.toThrow('rootPage = 0');
    await rig.during(rig.driver.attach(0x10, v2(0x123456789a, 5)));
    const table = gcr3TableAt(rig.words, rig.base, 0);
    expect(dteOf(rig, 0x10)).toMatchObject({
      ...{ v: 1, tv: 1, mode: 0, rootLo: 0, rootHi: 0, ir: 1, iw: 1, domain: 7, gv: 1, giov: 1, glx: 0, guestMode: 1 },
    });
    expect(gcr3Page(dteOf(rig, 0x10))).toBe(table / 1024);
    expect(Array.from(rig.words.subarray(table, table + 2), (w) => w >>> 0)).toEqual([0x6789a001, 0x12345]);
    await rig.during(rig.driver.attach(0x10, v2(0x2000, 4)));
    expect([dteOf(rig, 0x10).guestMode, rig.words[table]]).toEqual([0, (0x2000 << 12) | 1]);
    await rig.during(rig.driver.attachPasid(0x10, 3, 0x3000)); // PASIDs go with it
    expect(rig.words[table + 6]).toBe((0x3000 << 12) | 1);
    await rig.during(rig.driver.attach(0x10, { kind: 'identity', domain: 8 }));
    expect([dteOf(rig, 0x10).giov, dteOf(rig, 0x10).gv, rig.words[table], rig.words[table + 6]]).toEqual([
      ...[0, 1, 0, (0x3000 << 12) | 1],
    ]);
    rig.words[rig.base + AMD_EFR + 1] &= ~(1 << 16);
    await expect(rig.driver.attach(0x10, v2(1, 4))).rejects.toThrow('kind = "paging-v2": the IOMMU does not offer it');
  });

  test('ATS goes on with the first attach, and off when the device is given up', async () => {
    const rig = new Rig();
    await rig.during(rig.driver.enable());
    const ats = fakeAts();
    rig.driver.bindDevice(0x10, 1, { ats });
    expect(ats.enabled).toBe(false);
    await rig.during(rig.driver.attach(0x10, { kind: 'identity', domain: 1 }));
    expect([ats.enabled, dteOf(rig, 0x10).iotlb]).toEqual([true, 1]);
    await rig.completing(rig.driver.attach(0x10, { kind: 'blocking' }));
    expect([ats.enabled, dteOf(rig, 0x10)]).toMatchObject([true, { v: 1, tv: 0, iotlb: 0 }]); // a fence still needs it
    await rig.completing(rig.driver.unbindDevice(0x10));
    expect(ats.enabled).toBe(false);
  });

  test('the hardware goes by what it read until it is told to read again', async () => {
    const rig = await Rig.on();
    rig.words[deviceEntryAt(rig.words, rig.base, 0x10) + 1] = 0;
    rig.post(1);
    rig.settle();
    expect(rig.reporter.faults.length).toBe(1);
    rig.ops.invalidateDevtabEntry(0x10);
    await rig.during(rig.ops.syncAsync());
    rig.post(2);
    rig.settle();
    expect([rig.reporter.faults.length, rig.received()]).toEqual([1, [{ prgi: 2, code: 1, pasid: 1 }]]);
  });

  test('PASIDs: a GCR3 table for the first, an entry for each, cleared when detached', async () => {
    const rig = await Rig.on();
    const table = gcr3TableAt(rig.words, rig.base, 0);
    expect(gcr3Page(dteOf(rig, 0x10))).toBe(table / 1024);
    expect(Array.from(rig.words.subarray(table + 2, table + 4))).toEqual([(0x1000 << 12) | 1, 0]);
    await rig.during(rig.driver.attachPasid(0x10, 5, 0x123456789a));
    expect(Array.from(rig.words.subarray(table + 10, table + 12), (w) => w >>> 0)).toEqual([0x6789a001, 0x12345]);
    await expect(rig.driver.attachPasid(0x10, 5, 1)).rejects.toThrow('pasid = 5: has a page table (EBUSY)');
    await expect(rig.driver.attachPasid(0x10, 16, 1)).rejects.toThrow('pasid = 16');
    await expect(rig.driver.attachPasid(0x10, 0, 1)).rejects.toThrow('pasid = 0');
    await rig.during(rig.driver.detachPasid(0x10, 5));
    expect(Array.from(rig.words.subarray(table + 10, table + 12))).toEqual([0, 0]);
    await expect(rig.driver.detachPasid(0x10, 5)).rejects.toThrow('(ENOENT)');
    rig.driver.bindDevice(0x12, 1);
    await expect(rig.driver.attachPasid(0x12, 1, 1)).rejects.toThrow('is attached blocking (EOPNOTSUPP)');
    await rig.during(rig.driver.attach(0x12, { kind: 'identity', domain: 9 }));
    await expect(rig.driver.attachPasid(0x12, 1, 1)).rejects.toThrow('(ENOSPC)');
  });

  test('PRI is refused on a blocked device, and twice', async () => {
    const rig = await Rig.on();
    await expect(rig.driver.enablePri(0x10)).rejects.toThrow('may send page requests already (EBUSY)');
    rig.driver.bindDevice(0x12, 1);
    await expect(rig.driver.enablePri(0x12)).rejects.toThrow('is blocked (EINVAL)');
  });
});

describe('nested attach', () => {
  const nested = (values: Record<string, number>): AmdAttach => {
    const guest = new Int32Array(8);
    encodeDte(guest, 0, { v: 1, gv: 1, gcr3_30_15: 5, ...values });
    return { kind: 'nested', domain: 3, rootPage: 0x55, levels: 4, guest };
  };
  const none = { ppr: false, iotlb: true, gcr3: -1 };

  test('guest translation and PPR are the guest’s, the rest the host’s', () => {
    expect(dteFor(nested({ ppr: 1, giov: 1, guestMode: 1, ir: 0, domain: 99 }), none)).toMatchObject({
      ...{ v: 1, tv: 1, ir: 1, iw: 1, mode: 4, rootLo: 0x55000, domain: 3, iotlb: 1 },
      ...{ gv: 1, giov: 1, glx: 0, gcr3_30_15: 5, guestMode: 1, ppr: 1 },
    });
  });

  test.each([
    [{ mode: 1 }, 'guest mode'],
    [{ rootLo: 0x1000 }, 'guest root'],
    [{ glx: 3 }, 'guest glx'],
    [{ guestMode: 2 }, 'guest guestMode'],
    [{ gcr3_30_15: 0 }, 'guest gcr3'],
  ])('%j is refused', (wrong, field) => {
    expect(() => dteFor(nested(wrong), none)).toThrow(`attach: ${field} = `);
  });

  test('not with a GCR3 table of the host’s', () => {
    expect(() => dteFor(nested({}), { ...none, gcr3: 9 })).toThrow('(EBUSY)');
  });

  test('domain ids of a guest: one host id each, as long as it is used', () => {
    const ids = new NestedDomainIds(100, 101);
    expect([ids.get(5), ids.get(5), ids.get(9)]).toEqual([100, 100, 101]);
    expect(() => ids.get(7)).toThrow('(ENOSPC)');
    ids.put(5);
    expect(ids.get(5)).toBe(100);
    ids.put(5);
    ids.put(5);
    expect(ids.get(7)).toBe(100);
    expect(() => ids.put(5)).toThrow('(ENOENT)');
  });

  test('bits of the guest’s that are not ours to judge go no further', () => {
    const attach = nested({}) as AmdAttach & { guest: Int32Array };
    attach.guest[4] = -1; // interrupt remapping
    attach.guest[7] = -1;
    const values = dteFor(attach, none);
    expect(Object.keys(values).sort()).not.toContain('intRoot');
    expect(values).toMatchObject({ gv: 1, gcr3_30_15: 5, domain: 3 });
  });

  test('by the driver: page requests are let through where the guest says so, and PASIDs are the guest’s', async () => {
    const rig = new Rig({ rids: [0x10] });
    await rig.during(rig.driver.enable());
    rig.driver.bindDevice(0x10, 1, { maxPasids: 16 });
    await rig.during(rig.driver.attach(0x10, nested({ ppr: 0 })));
    await expect(rig.driver.attachPasid(0x10, 2, 1)).rejects.toThrow('is attached nested (EOPNOTSUPP)');
    rig.post(1);
    rig.settle();
    expect([rig.reporter.faults.length, rig.received()]).toEqual([0, [{ prgi: 1, code: 1, pasid: 1 }]]);
    await rig.during(rig.driver.attach(0x10, nested({ ppr: 1 })));
    rig.post(2);
    rig.settle();
    expect(rig.reporter.faults.map(({ grpid }) => grpid)).toEqual([2]);
    await expect(rig.driver.attach(0x10, nested({ glx: 3 }))).rejects.toThrow('guest glx');
    rig.post(3); // attached as before
    rig.settle();
    expect(rig.reporter.faults.map(({ grpid }) => grpid)).toEqual([2, 3]);
  });

  test('not while a PASID is attached; from a guest table of the host’s at once', async () => {
    const rig = await Rig.on();
    await expect(rig.driver.attach(0x10, nested({}))).rejects.toThrow('(EBUSY)');
    expect(dteOf(rig, 0x10)).toMatchObject({ domain: 1, gv: 1, ppr: 1 });
    await rig.during(rig.driver.detachPasid(0x10, 1));
    await rig.during(rig.driver.attach(0x10, { kind: 'paging-v2', domain: 4, rootPage: 9, levels: 4 }));
    await rig.during(rig.driver.attach(0x10, nested({ gcr3_30_15: 6 })));
    expect(dteOf(rig, 0x10)).toMatchObject({ domain: 3, mode: 4, gcr3_30_15: 6, giov: 0, ppr: 0 });
    expect(rig.words[gcr3TableAt(rig.words, rig.base, 0)]).toBe(0);
  });
});
