import { IommuError } from '@faultline/core/errors';
import { describeLayout } from '@faultline/core/memory';
import { LINE } from '@faultline/core/sync';
import { describe, expect, test } from 'vitest';
import {
  REQUEST_EXEC,
  REQUEST_LAST,
  REQUEST_PASID_VALID,
  REQUEST_PRIV,
  REQUEST_READ,
  REQUEST_WRITE,
} from '../pcie/index.ts';
import {
  decodeFaultRecord,
  decodePageRequest,
  FAULT_CONTEXT_DTE_CLEAR,
  FAULT_CONTEXT_NOT_PRESENT,
  FAULT_CONTEXT_PASIDE_CLEAR,
  FAULT_CONTEXT_PRE_CLEAR,
  FAULT_DIRECTORY_ACCESS,
  FAULT_DIRECTORY_NOT_PRESENT,
  FAULT_PASID_ACCESS,
  FAULT_PASID_ERE_CLEAR,
  FAULT_PASID_INVALID,
  FAULT_PASID_NOT_PRESENT,
  FAULT_PASID_SRE_CLEAR,
  FAULT_PASID_TOO_LARGE,
  FSTS_PFO,
  FSTS_PPF,
  initVtd,
  PRS_PPR,
  PRS_PRO,
  readVtdStats,
  VtdHardware,
  type VtdStatName,
  vtdAnnounceBase,
  vtdLayout,
  vtdWords,
} from './index.ts';
import {
  VTD_CONTEXT,
  VTD_DIRECTORIES,
  VTD_FRCD,
  VTD_IQA,
  VTD_PQA,
  VTD_PQH,
  VTD_PQT,
  VTD_PRS,
  VTD_STAT_NAMES,
} from './layout.ts';
import { CONTEXT_WORDS } from './tables.ts';
import { PASID, RID, VtdRig, type VtdRigConfig } from './testing/vtd-rig.ts';

const LAST_READ = REQUEST_READ | REQUEST_LAST | REQUEST_PASID_VALID;
const READ = REQUEST_READ | REQUEST_PASID_VALID;
const STOP = REQUEST_LAST | REQUEST_PASID_VALID;
const stat = (rig: VtdRig, name: VtdStatName): number => readVtdStats(rig.words, rig.base)[name];
const response = (index: number, code: number, pasid = PASID): object => ({ kind: 'response', index, code, pasid });
const up = (config?: VtdRigConfig): Promise<VtdRig> => new VtdRig(config).up();

/** Posts `count` last requests, taken by the hardware in portions that fit the port. */
function flood(rig: VtdRig, count: number, flags = LAST_READ): void {
  for (let i = 0; i < count; i++) {
    rig.request(i % 512, flags, 0x1000 + i);
    rig.hw.pump(64);
  }
}

describe('configuration', () => {
  const good = { requestOrder: 0, invalidationOrder: 0, rids: 4, ports: 1, threads: 1 };
  test.each([
    ['requestOrder', 8],
    ['invalidationOrder', -1],
    ['rids', 0],
    ['pasidBits', 12],
    ['pasidTables', 0],
    ['ports', 1.5],
    ['threads', 0],
    ['faultRecords', 257],
  ])('%s = %d is refused by name', (field, value) => {
    expect(() => vtdWords({ ...good, [field]: value })).toThrow(`vtdWords: ${field} = ${value}`);
    expect(() => vtdWords({ ...good, [field]: value })).toThrow(IommuError);
  });

  test('the layout table names every register once; the queues lie on pages wherever the unit does', () => {
    expect(describeLayout(vtdLayout)).toContain('IQERCD');
    expect(VTD_STAT_NAMES.length).toBeLessThanOrEqual(LINE);
    const words = new Int32Array(new SharedArrayBuffer(4 * (vtdWords(good) + 1024)));
    for (const base of [LINE, 5 * LINE, 31 * LINE]) {
      initVtd(words, base, good);
      for (const offset of [VTD_CONTEXT, VTD_DIRECTORIES]) expect((base + words[base + offset]) % 1024).toBe(0);
    }
    expect(() => initVtd(words, 33, good)).toThrow('base = 33');
    expect(() => vtdAnnounceBase(words, 2 * LINE)).toThrow('no VT-d unit was laid out here');
  });

  test('registers hold byte addresses, orders and widths', async () => {
    const rig = await up({ requestOrder: 2, invalidationOrder: 1 });
    const iqa = rig.register(VTD_IQA);
    expect([iqa & 7, (iqa >>> 11) & 1, rig.register(VTD_PQA) & 7]).toEqual([1, 1, 2]);
    expect(rig.register(VTD_PQA) & ~0xfff).toBe(rig.requestsAt * 4);
  });

  test('hardware is not opened where nothing was laid out, nor with a bad time-out', () => {
    const rig = new VtdRig();
    const config = { ports: [], irq: rig.irq, clock: () => 0 };
    expect(() => new VtdHardware(rig.words, rig.base + LINE, config)).toThrow('no VT-d unit');
    expect(() => new VtdHardware(rig.words, rig.base, { ...config, invalidationTimeoutTicks: 0 })).toThrow('Ticks = 0');
    expect(() => new VtdHardware(rig.words, rig.base, { ...config, ports: [1, 2, 3] })).toThrow('ports.length = 3');
  });
});

describe('a request that is let in', () => {
  test('stands in the queue bit by bit, and PPR with it', async () => {
    const rig = await up();
    rig.request(0x155, REQUEST_READ | REQUEST_WRITE | REQUEST_LAST | REQUEST_PASID_VALID, 0x7ffff_1234567);
    expect([rig.queued, rig.prs]).toEqual([0, 0]);
    expect(rig.hw.needsWork()).toBe(true);
    expect(rig.hw.pump(64)).toBe(1);
    expect([rig.queued, rig.prs, rig.hw.needsWork()]).toEqual([1, PRS_PPR, false]);
    expect(decodePageRequest(rig.words, rig.requestsAt).fields).toMatchObject({
      rid: RID,
      pasid: PASID,
      rd: 1,
      wr: 1,
      lpig: 1,
      prgi: 0x155,
      addressLo: 0x34567000,
      addressHi: 0x7ffff12,
    });
    expect(stat(rig, 'implicitInvalidations')).toBe(1);
    expect(rig.received()).toEqual([]);
  });

  test('without a PASID goes by what is attached for traffic without one', async () => {
    const rig = await up();
    rig.request(1, REQUEST_WRITE | REQUEST_LAST | REQUEST_EXEC | REQUEST_PRIV);
    rig.hw.pump(64);
    expect(decodePageRequest(rig.words, rig.requestsAt).fields).toMatchObject({
      pasidPresent: 0,
      pasid: 0,
      exe: 0,
      priv: 0,
      wr: 1,
    });
  });

  test('the queue wraps, and is full with one descriptor short of its size', async () => {
    const rig = await up();
    flood(rig, 127);
    expect([rig.queued, rig.prs, stat(rig, 'overflows')]).toEqual([127, PRS_PPR, 0]);
    rig.pump.pump(1000);
    flood(rig, 127);
    expect([rig.queued, rig.register(VTD_PQH), rig.register(VTD_PQT)]).toEqual([127, 127 * 32, 126 * 32]);
    expect(rig.pump.pump(1000)).toBe(127);
    expect(rig.reporter.faults.length).toBe(254);
    expect(rig.reporter.faults.map((fault) => fault.page)).toEqual(
      [0, 1].flatMap(() => Array.from({ length: 127 }, (_, i) => 0x1000 + i)),
    );
    expect(stat(rig, 'peakQueued')).toBe(127);
  });
});

describe('overflow', () => {
  test('the request that finds the queue full sets PRO: last ones get Success, others nothing', async () => {
    const rig = await up();
    flood(rig, 127);
    rig.received();
    rig.request(200, READ);
    rig.hw.pump(64);
    expect([rig.prs, rig.received()]).toEqual([PRS_PPR | PRS_PRO, []]);
    rig.request(200, LAST_READ);
    rig.request(201, REQUEST_READ | REQUEST_LAST);
    rig.request(0, STOP);
    rig.hw.pump(64);
    expect(rig.received()).toMatchObject([response(200, 0), response(201, 0, -1)]);
    expect(readVtdStats(rig.words, rig.base)).toMatchObject({ overflows: 1, autoSuccess: 2, dropped: 2, queued: 127 });
  });

  test('while PRO is set nothing is queued, even with room, and nothing interrupts', async () => {
    const rig = await up();
    flood(rig, 128);
    rig.received();
    const head = rig.register(VTD_PQT);
    Atomics.store(rig.words, rig.base + VTD_PQH, head); // the handler took all, and left PRO
    Atomics.and(rig.words, rig.base + VTD_PRS, ~PRS_PPR);
    const rings = rig.irq.rings();
    rig.request(7);
    rig.hw.pump(64);
    expect([rig.queued, rig.received(), rig.irq.rings() - rings]).toMatchObject([0, [response(7, 0)], 0]);
  });

  test('is acknowledged by the handler once the queue is empty: partial groups are dropped first, and requests come in again', async () => {
    const rig = await up();
    flood(rig, 128);
    expect(rig.pump.pump(1000)).toBe(127);
    expect(rig.prs).toBe(0);
    expect(rig.reporter.discarded).toEqual([3]);
    expect(rig.pump.counts()).toMatchObject({ overflows: 1, discarded: 1, reported: 127 });
    rig.request(9);
    rig.hw.pump(64);
    expect([rig.queued, rig.prs]).toEqual([1, PRS_PPR]);
  });

  test('is left for the next pass while the queue is not empty', async () => {
    const rig = await up();
    flood(rig, 128);
    rig.pump.pump(100);
    expect([rig.prs & PRS_PRO, rig.reporter.discarded]).toEqual([PRS_PRO, []]);
    expect(rig.pump.counts().overflowsLeft).toBe(1);
    expect(rig.pump.needsWork()).toBe(true);
    rig.pump.pump(100);
    expect([rig.prs, rig.reporter.discarded, rig.pump.needsWork()]).toEqual([0, [3], false]);
  });

  test('the full queue is visible before PRO is', async () => {
    const rig = await up();
    const atRing: [number, number][] = [];
    const ring = rig.irq.ring.bind(rig.irq);
    rig.irq.ring = () => {
      atRing.push([rig.queued, rig.prs]);
      ring();
    };
    for (let i = 0; i < 4; i++) for (let j = 0; j < 32; j++) rig.request(j);
    rig.hw.pump(1000); // all 128 in one pump: nothing was published before
    expect([atRing, rig.prs]).toEqual([[[127, PRS_PPR]], PRS_PPR | PRS_PRO]);
  });
});

describe('interrupts', () => {
  test('one on the first of PPR and PRO, none while either is set', async () => {
    const rig = await up();
    const rings = rig.irq.rings();
    flood(rig, 130);
    expect([rig.irq.rings() - rings, stat(rig, 'interrupts')]).toEqual([1, 1]);
    rig.pump.pump(1000);
    flood(rig, 1);
    expect(rig.irq.rings() - rings).toBe(2);
  });

  test('a masked one is pending until unmasked', async () => {
    const rig = await up();
    rig.driver.maskPageRequests(true);
    const rings = rig.irq.rings();
    flood(rig, 3);
    expect([rig.irq.rings() - rings, rig.prs]).toEqual([0, PRS_PPR]);
    rig.driver.maskPageRequests(false);
    expect(rig.hw.needsWork()).toBe(true);
    rig.hw.pump(64);
    expect([rig.irq.rings() - rings, rig.hw.needsWork()]).toEqual([1, false]);
  });

  test('a masked one is dropped when software clears what it was for', async () => {
    const rig = await up();
    rig.driver.maskPageRequests(true);
    const rings = rig.irq.rings();
    flood(rig, 3);
    rig.pump.pump(64);
    rig.driver.maskPageRequests(false);
    rig.hw.pump(64);
    expect(rig.irq.rings() - rings).toBe(0);
    flood(rig, 1);
    expect(rig.irq.rings() - rings).toBe(1);
  });
});

describe('a table error', () => {
  const context = (rig: VtdRig): number => rig.base + rig.words[rig.base + VTD_CONTEXT] + RID * CONTEXT_WORDS;
  const directory = (rig: VtdRig): number => rig.base + rig.words[rig.base + VTD_DIRECTORIES] + RID * 1024;
  const table = (rig: VtdRig): number => (rig.words[directory(rig)] & ~0xfff) >>> 2;
  const at = (rig: VtdRig): number => table(rig) + PASID * 16;
  const set =
    (where: (rig: VtdRig) => number, bits: number, on: boolean) =>
    (rig: VtdRig): void => {
      if (on) rig.words[where(rig)] |= bits;
      else rig.words[where(rig)] &= ~bits;
    };

  test.each<[string, number, (rig: VtdRig) => void, number?]>([
    ['context entry not present', FAULT_CONTEXT_NOT_PRESENT, set(context, 1, false)],
    ['DTE clear', FAULT_CONTEXT_DTE_CLEAR, set(context, 4, false)],
    ['PRE clear', FAULT_CONTEXT_PRE_CLEAR, set(context, 16, false)],
    ['PASIDE clear', FAULT_CONTEXT_PASIDE_CLEAR, set(context, 8, false)],
    [
      'directory pointer outside memory',
      FAULT_DIRECTORY_ACCESS,
      (rig) => void rig.words.fill(-4096, context(rig) + 1, context(rig) + 2),
    ],
    ['directory entry not present', FAULT_DIRECTORY_NOT_PRESENT, set(directory, 1, false)],
    [
      'table pointer outside memory',
      FAULT_PASID_ACCESS,
      (rig) => void rig.words.fill(0xfffff, directory(rig) + 1, directory(rig) + 2),
    ],
    ['PASID entry not present', FAULT_PASID_NOT_PRESENT, set(at, 1, false)],
    ['translation type 0', FAULT_PASID_INVALID, set(at, 7 << 6, false)],
    ['execute without ERE', FAULT_PASID_ERE_CLEAR, () => {}, LAST_READ | REQUEST_EXEC],
    ['supervisor without SRE', FAULT_PASID_SRE_CLEAR, () => {}, LAST_READ | REQUEST_PRIV],
  ])('%s: Invalid, and a fault record', async (_name, reason, breakIt, flags = LAST_READ) => {
    const rig = await up();
    breakIt(rig);
    rig.request(1, flags & ~REQUEST_LAST, 0x5000);
    rig.request(1, flags, 0x5001);
    rig.request(0, STOP);
    rig.hw.pump(64);
    expect(rig.received()).toMatchObject([response(1, 1)]);
    const record = rig.base + rig.words[rig.base + VTD_FRCD];
    expect(decodeFaultRecord(rig.words, record).fields).toMatchObject({
      reason,
      sid: RID,
      pasid: PASID,
      addressLo: 0x5000000,
    });
    expect(rig.fsts & FSTS_PPF).toBe(FSTS_PPF);
    rig.pump.pump(64);
    expect(rig.fsts).toBe(0);
    // The stop marker has neither EXEC nor PRIV, so where only those are refused it is queued, and skipped by the driver.
    const refused = reason === FAULT_PASID_ERE_CLEAR || reason === FAULT_PASID_SRE_CLEAR ? 2 : 3;
    expect(rig.pump.counts()).toMatchObject({ faults: refused, stopMarkers: 3 - refused, reported: 0 });
  });

  test('a PASID beyond the directory, and a requester outside the table', async () => {
    const rig = await up({ portRids: [RID, 200] });
    rig.ports[0].post(1, 0, LAST_READ, 1 << 13, 1, 0);
    rig.ports[0].publish();
    rig.request(2, LAST_READ, 0x1000, 1);
    rig.hw.pump(64);
    expect([rig.received(0), rig.received(1)]).toMatchObject([[response(1, 1, 1 << 13)], [response(2, 1)]]);
    const record = rig.base + rig.words[rig.base + VTD_FRCD];
    expect(decodeFaultRecord(rig.words, record).fields.reason).toBe(FAULT_PASID_TOO_LARGE);
    expect(decodeFaultRecord(rig.words, record + 4).fields).toMatchObject({
      reason: FAULT_CONTEXT_NOT_PRESENT,
      sid: 200,
    });
  });

  test('FPD keeps it out of the records, not out of the answers', async () => {
    const rig = await up();
    set(context, 2, true)(rig);
    set(at, 1, false)(rig);
    rig.request(1);
    rig.hw.pump(64);
    expect(rig.received()).toMatchObject([response(1, 1)]);
    expect([rig.fsts, stat(rig, 'tableErrors'), stat(rig, 'faultsRecorded')]).toEqual([0, 1, 0]);
  });

  test('more errors than records set PFO; the rest is lost until the handler has been there', async () => {
    const rig = await up({ faultRecords: 2 });
    const rings = rig.irq.rings();
    set(context, 16, false)(rig);
    flood(rig, 5);
    expect([rig.fsts, stat(rig, 'faultsRecorded'), stat(rig, 'faultsLost'), stat(rig, 'faultEvents')]).toEqual([
      FSTS_PPF | FSTS_PFO,
      2,
      3,
      1,
    ]);
    expect(rig.irq.rings() - rings).toBe(1);
    expect(rig.received().length).toBe(5);
    rig.pump.pump(64);
    expect([rig.fsts, rig.pump.counts().faults, rig.pump.counts().faultOverflows]).toEqual([0, 2, 1]);
    flood(rig, 1);
    expect(stat(rig, 'faultsRecorded')).toBe(3);
    rig.pump.pump(64);
    expect(rig.pump.counts().faults).toBe(3);
  });

  test('with translation off every last request is answered Invalid', () => {
    const rig = new VtdRig();
    rig.request(1, READ);
    rig.request(1);
    rig.hw.pump(64);
    expect(rig.received()).toMatchObject([response(1, 1)]);
    expect([rig.fsts, rig.queued]).toEqual([0, 0]);
  });

  test('entries that were read are kept until they are invalidated', async () => {
    const rig = await up();
    rig.request(1);
    rig.hw.pump(64);
    set(at, 1, false)(rig);
    set(context, 16, false)(rig);
    rig.request(2);
    rig.hw.pump(64);
    expect([rig.queued, rig.received()]).toEqual([2, []]);
    rig.ops[0].invalidateContext(RID);
    await rig.during(rig.ops[0].syncAsync());
    rig.request(3);
    rig.hw.pump(64);
    expect(rig.received()).toMatchObject([response(3, 1)]);
    set(context, 16, true)(rig); // the entry without PRE is present, and kept as well
    rig.ops[0].invalidateContext(RID);
    await rig.during(rig.ops[0].syncAsync());
    rig.request(4);
    rig.hw.pump(64);
    expect(rig.received()).toEqual([]); // the PASID entry is still there
    rig.ops[0].invalidatePasid(1, PASID);
    await rig.during(rig.ops[0].syncAsync());
    rig.request(5);
    rig.hw.pump(64);
    expect(rig.received()).toMatchObject([response(5, 1)]);
  });

  test.each([
    ['another device', (rig: VtdRig) => rig.ops[0].invalidateContext(RID ^ 1), false],
    ['this device by function mask', (rig: VtdRig) => rig.ops[0].issue(1, { g: 3, sid: RID ^ 5, fm: 3 }), true],
    ['another function by a narrower mask', (rig: VtdRig) => rig.ops[0].issue(1, { g: 3, sid: RID ^ 1, fm: 2 }), false],
    ['all devices', (rig: VtdRig) => rig.ops[0].invalidateContext(-1), true],
    ['a domain, which is all', (rig: VtdRig) => rig.ops[0].issue(1, { g: 2, did: 99 }), true],
  ])('context-cache invalidation of %s', async (_name, invalidate, reached) => {
    const rig = await up();
    rig.request(1);
    rig.hw.pump(64);
    set(context, 16, false)(rig);
    invalidate(rig);
    await rig.during(rig.ops[0].syncAsync());
    rig.request(2);
    rig.hw.pump(64);
    expect(rig.received().length).toBe(reached ? 1 : 0);
  });

  test.each([
    ['another domain', { g: 0, did: 9 }, false],
    ['its domain', { g: 0, did: 1 }, true],
    ['another PASID', { g: 1, did: 1, pasid: 6 }, false],
    ['its PASID', { g: 1, did: 1, pasid: PASID }, true],
    ['everything', { g: 3 }, true],
  ])('PASID-cache invalidation of %s', async (_name, values, reached) => {
    const rig = await up();
    rig.request(1);
    rig.hw.pump(64);
    set(at, 1, false)(rig);
    rig.ops[0].issue(7, values);
    await rig.during(rig.ops[0].syncAsync());
    rig.request(2);
    rig.hw.pump(64);
    expect(rig.received().length).toBe(reached ? 1 : 0);
  });
});
