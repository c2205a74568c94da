import { describe, expect, test } from 'vitest';
import { type AmdAttach, dteFor, NestedDomainIds } from './attach.ts';
import { decodeDte, encodeDte, gcr3Page } from './dte.ts';
import { AMD_EFR, amdLayout, amdWords, deviceEntryAt, gcr3TableAt, initAmd } from './layout.ts';
import { baseWordAt, STATUS_CMD_RUN, STATUS_EVT_RUN, STATUS_PPR_RUN } from './registers.ts';
import { Rig } from './rig.test-help.ts';

const CONFIG = { pprEntries: 512, eventEntries: 256, commandEntries: 512, devices: 64, ports: 1, gcr3Tables: 2 };
const dteOf = (rig: Rig, id: number): Record<string, number> =>
  decodeDte(rig.words, deviceEntryAt(rig.words, rig.base, id));

/** A device's ATS capability as the driver sees it. */
function fakeAts(): {
  enabled: boolean;
  invalidateDepth: number;
  enable(): void;
  disable(): void;
  isEnabled(): boolean;
} {
  return {
    enabled: false,
    invalidateDepth: 8,
    enable() {
      this.enabled = true;
    },
    disable() {
      this.enabled = false;
    },
    isEnabled() {
      return this.enabled;
    },
  };
}

describe('layout', () => {
  test('rings and tables are 4 KiB aligned wherever the base is, and end inside', () => {
    for (const base of [32, 1024, 1056, 5000 * 32]) {
      const words = new Int32Array(new SharedArrayBuffer((base + amdWords(CONFIG)) * 4));
      initAmd(words, base, CONFIG);
      for (let part = 11; part <= 15; part++) expect((base + words[base + part]) % 1024).toBe(0);
      expect(words[base + 15] + CONFIG.pprEntries * 4).toBeLessThanOrEqual(amdWords(CONFIG));
    }
    expect(amdLayout.words).toBeLessThanOrEqual(16 * 32);
  });

  test.each([
    [{ pprEntries: 128 }, 'pprEntries'],
    [{ eventEntries: 65536 }, 'eventEntries'],
    [{ commandEntries: 300 }, 'commandEntries'],
    [{ devices: 0 }, 'devices'],
    [{ ports: 0 }, 'ports'],
    [{ gcr3Tables: -1 }, 'gcr3Tables'],
  ])('%j is refused', (wrong, field) => {
    expect(() => amdWords({ ...CONFIG, ...wrong })).toThrow(`amdWords: ${field} = `);
  });
});

describe('probe and switches', () => {
  test('features are what the register says', async () => {
    const rig = new Rig();
    expect(rig.driver.probe()).toEqual({
      ...{ ppr: true, guestTranslation: true, invalidateAll: true, pasidBits: 9, gcr3Levels: 1 },
      ...{ autoResponse: true, earlyWarning: true, blockStopMarkers: true, guestIo: true },
    });
    rig.words[rig.base + AMD_EFR + 1] = 8;
    await expect(rig.driver.enable()).rejects.toThrow('autoResponse = true: the IOMMU does not offer it (EOPNOTSUPP)');
    rig.words[rig.base + AMD_EFR] = 0;
    expect(() => rig.driver.probe()).toThrow('(ENODEV)');
  });

  test('all rings run once it is on, none once it is off, and go on where they were', async () => {
    const rig = await Rig.on();
    const running = STATUS_CMD_RUN | STATUS_EVT_RUN | STATUS_PPR_RUN;
    rig.post(1);
    rig.settle();
    expect(rig.status & running).toBe(running);
    await rig.during(rig.driver.disable());
    expect(rig.status & running).toBe(0);
    await rig.during(rig.driver.enable());
    rig.post(2);
    rig.settle();
    expect(rig.reporter.faults.map((fault) => fault.grpid)).toEqual([1, 2]);
  });

  test('page requests off and on for all', async () => {
    const rig = await Rig.on();
    await rig.during(rig.driver.switchPageRequests(false));
    rig.post(1);
    rig.settle();
    expect(rig.received()).toEqual([{ prgi: 1, code: 15, pasid: 1 }]);
    await rig.during(rig.driver.switchPageRequests(true));
    rig.post(1);
    rig.settle();
    expect(rig.reporter.faults.length).toBe(1);
  });

  test('a hardware that does not run', async () => {
    await expect(new Rig().driver.enable()).rejects.toThrow('AmdDriver.enable: timeoutMs = 1000');
  });
});

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
});

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
    const rig = await Rig.on();
    rig.post(1);
    const fenced = rig.driver.fenceEventQueue();
    for (let i = 0; i < 3; i++) rig.hw.pump(64);
    await expect(fenced).rejects.toThrow('AmdDriver.fenceEventQueue: timeoutMs = 1000');
    rig.settle();
    await rig.during(rig.driver.fenceEventQueue());
  });

  test('base registers name where the rings are', async () => {
    const rig = await Rig.on();
    expect(rig.pprEntry(0)).toBe(baseWordAt(rig.words, rig.base + 32 + 6));
  });
});
