import { describe, expect, test } from 'vitest';
import { REQUEST_EXEC, REQUEST_LAST, REQUEST_PASID_VALID, REQUEST_PRIV, REQUEST_READ } from '../pcie/index.ts';
import {
  decodeFaultRecord,
  EventPump,
  FAULT_CONTEXT_DTE_CLEAR,
  FAULT_CONTEXT_NOT_PRESENT,
  FAULT_CONTEXT_PASIDE_CLEAR,
  FAULT_CONTEXT_PRE_CLEAR,
  FAULT_CONTEXT_RESERVED,
  FAULT_DIRECTORY_ACCESS,
  FAULT_DIRECTORY_NOT_PRESENT,
  FAULT_DIRECTORY_RESERVED,
  FAULT_PASID_ACCESS,
  FAULT_PASID_ERE_CLEAR,
  FAULT_PASID_INVALID,
  FAULT_PASID_NOT_PRESENT,
  FAULT_PASID_RESERVED,
  FAULT_PASID_SRE_CLEAR,
  FAULT_PASID_TOO_LARGE,
  FAULT_RID_PASID,
  FSTS_FRI_MASK,
  FSTS_FRI_SHIFT,
  FSTS_PFO,
  FSTS_PPF,
  readVtdStats,
  type VtdStatName,
} from './index.ts';
import { VTD_CONTEXT, VTD_DIRECTORIES, VTD_FRCD } from './layout.ts';

import { CONTEXT_WORDS } from './tables.ts';
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
    ['a reserved bit in the context entry', FAULT_CONTEXT_RESERVED, set(context, 1 << 5, true)],
    [
      'a reserved word in the context entry',
      FAULT_CONTEXT_RESERVED,
      (rig) => void rig.words.fill(1, context(rig) + 7, context(rig) + 8),
    ],
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
    ['a reserved bit in the directory entry', FAULT_DIRECTORY_RESERVED, set(directory, 1 << 2, true)],
    ['a reserved bit in w0 of the PASID entry', FAULT_PASID_RESERVED, set(at, 1 << 10, true)],
    ['a reserved bit in w1 of the PASID entry', FAULT_PASID_RESERVED, set((rig) => at(rig) + 2, 1 << 16, true)],
    ['a reserved bit in w2 of the PASID entry', FAULT_PASID_RESERVED, set((rig) => at(rig) + 4, 1 << 8, true)],
    ['PASID entry not present', FAULT_PASID_NOT_PRESENT, set(at, 1, false)],
    ['translation type 0', FAULT_PASID_INVALID, set(at, 7 << 6, false)],
    ['translation type 5', FAULT_PASID_INVALID, set(at, 5 << 6, true)],
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
    expect(rig.fsts & FSTS_PPF).toBe(0);
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

  test('RID_PASID beyond the directory, for a request without a PASID', async () => {
    const rig = await up();
    rig.words[context(rig) + 2] = 1 << 13;
    rig.request(1, REQUEST_READ | REQUEST_LAST);
    rig.hw.pump(64);
    expect(rig.received()).toMatchObject([response(1, 1, -1)]);
    const record = rig.base + rig.words[rig.base + VTD_FRCD];
    expect(decodeFaultRecord(rig.words, record).fields).toMatchObject({ reason: FAULT_RID_PASID, pasidPresent: 0 });
  });

  const unset = set(at, 1, false);
  test.each<[string, ...((rig: VtdRig) => void)[]]>([
    ['the context entry', unset, set(context, 2, true)],
    ['a context entry that is not present', set(context, 2, true), set(context, 1, false)],
    ['the directory entry', unset, set(directory, 2, true)],
    ['a directory entry that is not present', set(directory, 2, true), set(directory, 1, false)],
    ['a PASID entry that is not present', unset, set(at, 2, true)],
    ['a PASID entry without SRE', set(at, 2, true)],
  ])('FPD in %s keeps it out of the records, not out of the answers', async (_name, ...breaks) => {
    const rig = await up();
    for (const breakIt of breaks) breakIt(rig);
    rig.request(1, LAST_READ | REQUEST_PRIV);
    rig.hw.pump(64);
    expect(rig.received()).toMatchObject([response(1, 1)]);
    expect([rig.fsts, stat(rig, 'tableErrors'), stat(rig, 'faultsRecorded')]).toEqual([0, 1, 0]);
  });

  test('FPD does not keep an entry that cannot be read out of the records', async () => {
    const rig = await up();
    set(context, 2, true)(rig);
    rig.words.fill(0xfffff, directory(rig) + 1, directory(rig) + 2);
    rig.request(1);
    rig.hw.pump(64);
    expect([rig.fsts, stat(rig, 'faultsRecorded')]).toEqual([FSTS_PPF, 1]);
  });

  test('EXE and PRIV of the request are in the record', async () => {
    const rig = await up();
    rig.request(1, LAST_READ | REQUEST_EXEC | REQUEST_PRIV);
    rig.hw.pump(64);
    const record = rig.base + rig.words[rig.base + VTD_FRCD];
    expect(decodeFaultRecord(rig.words, record).fields).toMatchObject({ exe: 1, priv: 1, t1: 0, t2: 1, at: 0 });
  });

  test('FRI names the record that set PPF, and the driver starts there', async () => {
    const rig = await up({ faultRecords: 4 });
    set(context, 16, false)(rig);
    const fri = (): number => (rig.fsts & FSTS_FRI_MASK) >>> FSTS_FRI_SHIFT;
    flood(rig, 3);
    expect([rig.fsts & FSTS_PPF, fri()]).toEqual([FSTS_PPF, 0]); // the two that came later change nothing
    rig.pump.pump(64);
    flood(rig, 2); // records 3 and 0
    expect([rig.fsts & FSTS_PPF, fri(), stat(rig, 'faultEvents')]).toEqual([FSTS_PPF, 3, 2]);
    const later = new EventPump(rig.words, rig.base, { reporter: rig.reporter, ops: rig.ops[0] }); // knows nothing of the first three
    later.pump(64);
    expect([later.counts().faults, rig.fsts & FSTS_PPF]).toEqual([2, 0]);
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
