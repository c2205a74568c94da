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
  decodePageRequest,
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
import { VTD_CONTEXT, VTD_DIRECTORIES, VTD_IQA, VTD_PQA, VTD_PQH, VTD_PQT, VTD_PRS } from './layout.ts';
import { VTD_STAT_NAMES } from './stats.ts';

import { PASID, RID, VtdRig, type VtdRigConfig } from './testing/vtd-rig.ts';

const LAST_READ = REQUEST_READ | REQUEST_LAST | REQUEST_PASID_VALID;
const READ = REQUEST_READ | REQUEST_PASID_VALID;
const STOP = REQUEST_LAST | REQUEST_PASID_VALID;
const stat = (rig: VtdRig, name: VtdStatName): number => readVtdStats(rig.words, rig.base)[name];
const response = (prgi: number, code: number, pasid = PASID): object => ({ prgi, code, pasid });
const up = (config?: VtdRigConfig): Promise<VtdRig> => new VtdRig(config).up();

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
    expect(rig.reporter.faults.map((fault) => fault.pageLo)).toEqual(
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
