import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeEvent, setStage2, writeFetchEvent, writeRefusedAddress, writeTranslationFault } from './events.ts';
import { acknowledgeGlobalErrors, GlobalErrors } from './global-errors.ts';
import {
  atcSpanLog2,
  CERROR_ABT,
  CERROR_ATC_INV_SYNC,
  CERROR_ILL,
  CMD_ATC_INV,
  CMD_CFGI_CD,
  CMD_CFGI_CD_ALL,
  CMD_PREFETCH_ADDR,
  CMD_RESUME,
  CMD_STALL_TERM,
  CMD_SYNC,
  CMD_TLBI_EL2_VAA,
  CMD_TLBI_NH_VA,
  CMD_TLBI_S2_IPA,
  CMDQ_ERR_MASK,
  COMMAND_WORDS,
  commandAsid,
  commandLeaf,
  commandVmid,
  decodeCommand,
  EVENT_WORDS,
  EVT_F_CD_FETCH,
  EVT_F_TRANSL_FORBIDDEN,
  GERROR_CMDQ,
  GERROR_EVTQ_ABT,
  GERROR_MSI_CMDQ,
  readSmmuStats,
  STALL_ABORT,
  SYNC_NONE,
  SYNC_SEV,
  tlbiRange,
  tlbiScope,
  writeAtcInv,
  writeCfgiSte,
  writePriResp,
  writeTlbiRange,
} from './index.ts';
import { CMDQ_CONS, commandQueueBase, SMMU_CR0, SMMU_GERROR, SMMU_GERRORN } from './layout.ts';
import { CR0_ATSCHK, CR0_CMDQEN, CR0_EVTQEN, CR0_PRIQEN, CR0_SMMUEN, GERROR_SFM } from './registers.ts';
import { Rig } from './rig.test-help.ts';

const cons = (rig: Rig, queue = 0): number =>
  Atomics.load(rig.words, commandQueueBase(rig.words, rig.base, queue) + CMDQ_CONS);
const active = (rig: Rig): number =>
  Atomics.load(rig.words, rig.base + SMMU_GERROR) ^ Atomics.load(rig.words, rig.base + SMMU_GERRORN);
const hex = (words: Int32Array): string[] => Array.from(words, (w) => (w >>> 0).toString(16).padStart(8, '0'));

describe('records written by hand', () => {
  test('CMD_ATC_INV and CMD_PRI_RESP', () => {
    const words = new Int32Array(COMMAND_WORDS).fill(-1);
    writeAtcInv(words, 0, 0x89abcdef | 0, 0x12345, 0xa9876540 | 0, 0xfedcb, 4);
    expect(hex(words)).toEqual(['12345840', '89abcdef', '76540004', 'fedcba98']);
    writeAtcInv(words, 0, 9, -1, 0, 0, 52);
    expect(hex(words)).toEqual(['00000040', '00000009', '00000034', '00000000']);
    writePriResp(words, 0, 9, 0x12345, 0x1ff, 2);
    expect(hex(words)).toEqual(['12345841', '00000009', '000021ff', '00000000']);
    expect(decodeCommand(words, 0)).toMatchObject({ name: 'PRI_RESP', values: { ssv: 1, resp: 2, prgIndex: 511 } });
  });

  test('CMD_CFGI_STE and the TLBI commands of pages', () => {
    const words = new Int32Array(COMMAND_WORDS).fill(-1);
    writeCfgiSte(words, 0, 0x89abcdef | 0, 1);
    expect(hex(words)).toEqual(['00000003', '89abcdef', '00000001', '00000000']);
    // ASID 0x89ab, VMID 0xcdef; 32 * 2^17 pages of 4 KiB, leaf alone, from page 0xfedcba9876543 on.
    writeTlbiRange(
      words,
      0,
      CMD_TLBI_NH_VA,
      0x89abcdef | 0,
      tlbiRange(31, 17),
      tlbiScope(1, 1),
      0xa9876543 | 0,
      0xfedcb,
    );
    expect(hex(words)).toEqual(['0111f012', '89abcdef', '76543401', 'fedcba98']);
    expect([commandAsid(words, 0), commandVmid(words, 0), commandLeaf(words, 0)]).toEqual([0x89ab, 0xcdef, 1]);
    expect(decodeCommand(words, 0)).toMatchObject({ values: { num: 31, scale: 17, tg: 1, ttl: 0, asid: 0x89ab } });
  });

  test('events', () => {
    const words = new Int32Array(EVENT_WORDS).fill(-1);
    writeFetchEvent(words, 0, EVT_F_CD_FETCH, 7, (3 << 12) | (1 << 11), 0x89abcdef | 0, 0xffedcba9 | 0);
    expect(hex(words)).toEqual([
      '00003809',
      '00000007',
      '00000000',
      '00000000',
      '00000000',
      '00000000',
      '89abcde8',
      '00edcba9',
    ]);
    writeRefusedAddress(words, 0, EVT_F_TRANSL_FORBIDDEN, 7, 0, 1, 0xa9876543 | 0, 0xfedcb);
    expect(hex(words).slice(2)).toEqual(['00000000', '00000008', '76543000', 'fedcba98', '00000000', '00000000']);
    writeTranslationFault(words, 0, 7, -1, 5, 2, 0xa9876543 | 0, 0xfedcb);
    setStage2(words, 0);
    expect(decodeEvent(words, 0).values).toMatchObject({
      s2: 1,
      stall: 1,
      class: 2,
      ipaLo: 0x76543000,
      ipaHi: 0xdcba98,
    });
  });

  test('the span of an ATC invalidation is the smallest aligned power of two that covers the range', () => {
    const page = fc.bigInt({ min: 0n, max: 2n ** 52n - 1n });
    fc.assert(
      fc.property(page, page, (a, b) => {
        const [first, last] = a < b ? [a, b] : [b, a];
        const size = BigInt(atcSpanLog2(Number(first), Number(last)));
        expect(first >> size).toBe(last >> size);
        if (size > 0n) expect(first >> (size - 1n)).not.toBe(last >> (size - 1n));
      }),
    );
    expect(atcSpanLog2(7, 8)).toBe(4);
    expect(atcSpanLog2(8, 8)).toBe(0);
  });
});

describe('illegal commands', () => {
  test.each([
    ['RESUME without stalls', CMD_RESUME, {}, { stallModel: 1 }],
    ['STALL_TERM without stalls', CMD_STALL_TERM, {}, { stallModel: 1 }],
    ['ATC_INV without ATS', CMD_ATC_INV, {}, { ats: 0 }],
    ['ATC_INV of more than everything', CMD_ATC_INV, { size: 53 }, {}],
    ['CFGI_CD without stage 1', CMD_CFGI_CD, {}, { s1p: 0 }],
    ['CFGI_CD_ALL without stage 1', CMD_CFGI_CD_ALL, {}, { s1p: 0 }],
    ['TLBI_NH_VA without stage 1', CMD_TLBI_NH_VA, {}, { s1p: 0 }],
    ['TLBI_S2_IPA without stage 2', CMD_TLBI_S2_IPA, {}, { s2p: 0 }],
    ['TLBI_EL2_VAA without EL2', CMD_TLBI_EL2_VAA, {}, { hyp: 0 }],
    ['SYNC with CS = 3', CMD_SYNC, { cs: 3 }, {}],
  ])('%s', (_name, op, values, identification) => {
    const rig = new Rig({ identification });
    rig.ops[0].issue(op, values);
    rig.ops[0].flushResponses();
    expect(rig.hw.pump(64)).toBe(0);
    expect(cons(rig) & CMDQ_ERR_MASK).toBe(CERROR_ILL);
    expect(active(rig)).toBe(GERROR_CMDQ);
    expect(rig.errorIrq.rings()).toBe(1);
    const legal = new Rig();
    legal.ops[0].issue(op, op === CMD_SYNC ? {} : op === CMD_ATC_INV ? { size: 52 } : values);
    legal.ops[0].flushResponses();
    expect(legal.hw.pump(64)).toBe(1);
  });

  test('a prefetch is a hint, whatever it names', () => {
    const rig = new Rig();
    rig.ops[0].issue(CMD_PREFETCH_ADDR, { streamId: 99, ssv: 1, substreamId: 7, size: 31, addressLo: 0x1000 });
    rig.ops[0].prefetchConfiguration(1);
    rig.ops[0].flushResponses();
    expect(rig.hw.pump(64)).toBe(2);
    expect([rig.prod, active(rig)]).toEqual([0, 0]);
  });
});

describe('a command that could not be read', () => {
  test('is fetched again once acknowledged; those before it are done, those after it are not begun', () => {
    const rig = new Rig();
    rig.post(0, 2);
    rig.hw.pump(64);
    rig.pump.pump(64);
    const [first, second] = rig.reporter.faults;
    rig.answer(first);
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    rig.hw.injectCommandAbort(0);
    rig.answer(second);
    rig.ops[0].flushResponses();
    expect(rig.hw.pump(64)).toBe(0);
    expect(cons(rig) & CMDQ_ERR_MASK).toBe(CERROR_ABT);
    expect(rig.ports[0].isDone()).toBe(false);
    rig.ops[0].flushResponses();
    expect(rig.hw.pump(64)).toBe(1);
    expect(rig.ports[0].isDone()).toBe(true);
    expect([rig.ops[0].refetched, rig.ops[0].recovered, active(rig)]).toEqual([1, 0, 0]);
  });
});

describe('CMD_SYNC', () => {
  test.each([
    ['none', SYNC_NONE],
    ['an event', SYNC_SEV],
  ])('that signals %s is complete when it is consumed', (_name, cs) => {
    const rig = new Rig();
    rig.ops[0].issue(CMD_SYNC, { cs, msiAddressLo: rig.spareAt * 4, msiData: 5 });
    rig.ops[0].flushResponses();
    expect(rig.hw.pump(64)).toBe(1);
    expect(cons(rig) & 0xff).toBe(1);
    expect(Atomics.load(rig.words, rig.spareAt)).toBe(0);
  });

  test('waits for the invalidations of its own queue, not for another’s', async () => {
    const rig = new Rig({ functions: [3] });
    rig.ops[0].invalidateAtc(3, 5, 0x1003, 0, 4); // pages 0x1003 to 0x1006: 8 from 0x1000 on
    const synced = rig.ops[0].syncAsync();
    expect(rig.hw.pump(64)).toBe(1);
    expect(rig.hw.pump(64)).toBe(0);
    const other = rig.ops[1].syncAsync();
    expect(rig.hw.pump(64)).toBe(1);
    await other;
    expect(rig.functions[0].peek()).not.toBe(0);
    expect(rig.received(0)).toEqual([{ prgi: 0, code: 3, pasid: 5, invalidate: true, page: 0x1000 }]);
    rig.functions[0].post(0, 0, 128, 0, 0, 0);
    rig.functions[0].publish();
    rig.hw.pump(64);
    expect(rig.hw.pump(64)).toBe(1);
    await synced;
    expect(readSmmuStats(rig.words, rig.base)).toMatchObject({ atcInvalidations: 1, atcTimeouts: 0 });
  });

  test('fails when a function lets one time out: CERROR_ATC_INV_SYNC, acknowledged and repeated', async () => {
    const rig = new Rig({ functions: [3], atcTimeoutTicks: 100 });
    rig.ops[0].invalidateAtc(3, -1, 0, 0, 0);
    const synced = rig.ops[0].syncAsync();
    rig.hw.pump(64);
    rig.tick += 99;
    rig.hw.pump(64);
    expect(active(rig)).toBe(0);
    rig.tick += 1;
    expect(rig.hw.pump(64)).toBe(0);
    expect(cons(rig) & CMDQ_ERR_MASK).toBe(CERROR_ATC_INV_SYNC);
    expect(cons(rig) & 0xff).toBe(1); // at the SYNC
    rig.ops[0].flushResponses();
    expect(rig.hw.pump(64)).toBe(1);
    await synced;
    expect([rig.ops[0].atcTimeouts, rig.ops[0].recovered, active(rig)]).toEqual([1, 0, 0]);
    expect(rig.complete(0)).toBe(1); // late: takes nobody by surprise
    rig.hw.pump(64);
    rig.ops[0].invalidateAtc(3, -1, 0, 0, 0);
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    expect(rig.received(0)).toMatchObject([{ prgi: 0, code: 52 }]); // its ITAG is free again
  });

  test('ITAGs are waited for; a function that answers none is not', () => {
    const rig = new Rig({ functions: [3], atcTimeoutTicks: 100 });
    for (let i = 0; i < 40; i++) rig.ops[0].invalidateAtc(3, -1, i, 0, 1);
    rig.ops[0].flushResponses();
    expect(rig.hw.pump(64)).toBe(32);
    expect(rig.hw.pump(64)).toBe(0);
    expect(rig.complete(0)).toBe(32);
    rig.hw.pump(64);
    expect(rig.hw.pump(64)).toBe(8);
    for (let i = 0; i < 24; i++) rig.ops[0].invalidateAtc(3, -1, i, 0, 1);
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    rig.tick += 100;
    rig.ops[0].invalidateAtc(3, -1, 1, 0, 1);
    rig.ops[0].issue(CMD_SYNC, {});
    rig.ops[0].flushResponses();
    expect(rig.hw.pump(64)).toBe(1);
    expect(cons(rig) & CMDQ_ERR_MASK).toBe(CERROR_ATC_INV_SYNC);
    expect(readSmmuStats(rig.words, rig.base)).toMatchObject({ atcTimeouts: 33 });
  });

  test('invalidations of functions that are not there, or while translation is off, are ignored', () => {
    const rig = new Rig({ functions: [3] });
    rig.ops[0].invalidateAtc(4, -1, 0, 0, 0);
    rig.ops[0].issue(CMD_SYNC, {});
    rig.ops[0].flushResponses();
    expect(rig.hw.pump(64)).toBe(2);
    Atomics.and(rig.words, rig.base + SMMU_CR0, ~CR0_SMMUEN);
    rig.ops[0].invalidateAtc(3, -1, 0, 0, 0);
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    expect(rig.received(0)).toEqual([]);
  });
});

describe('global errors', () => {
  test('an event queue abort loses records, stalls too; the driver ends every stall and goes on', async () => {
    const rig = new Rig();
    rig.post(0, 2);
    rig.hw.injectEventAbort();
    rig.hw.pump(64);
    expect([rig.prod, active(rig), rig.hw.outstanding]).toEqual([0, GERROR_EVTQ_ABT, 2]);
    expect(await rig.during(rig.driver.handleGlobalErrors())).toEqual(['EVTQ_ABT']);
    expect(rig.results(0)).toEqual([STALL_ABORT, STALL_ABORT]);
    expect([active(rig), rig.hw.outstanding]).toEqual([0, 0]);
    await rig.during(rig.driver.fenceEventQueue()); // counts nothing that is lost
    rig.ports[0].reset();
    rig.post(0, 1);
    rig.hw.pump(64);
    expect(rig.prod).toBe(1);
  });

  test('nothing is delivered while the abort is not acknowledged: a stall waits, other records are dropped', () => {
    const rig = new Rig({
      portList: [
        { streamId: 1, substreamId: 5 },
        { streamId: 99, substreamId: -1 },
      ],
    });
    rig.post(0, 1);
    rig.hw.injectEventAbort();
    rig.hw.pump(64);
    rig.ops[0].stallTerm(1);
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    rig.ports[0].reset();
    rig.post(1, 1);
    rig.hw.pump(64);
    expect(rig.results(1)).toEqual([STALL_ABORT]);
    rig.post(0, 1);
    rig.hw.pump(64);
    expect(rig.ports[0].isDone()).toBe(false);
    expect(rig.prod).toBe(0);
    acknowledgeGlobalErrors(rig.words, rig.base, GERROR_EVTQ_ABT);
    expect(rig.hw.needsWork()).toBe(true);
    rig.hw.pump(64);
    expect(rig.prod).toBe(1);
  });

  test('are toggled only when inactive, and acknowledged once each', () => {
    const rig = new Rig();
    const errors = new GlobalErrors(rig.words, rig.base, rig.errorIrq);
    errors.raise(GERROR_MSI_CMDQ);
    errors.raise(GERROR_MSI_CMDQ); // not logged
    errors.raise(GERROR_EVTQ_ABT);
    expect(rig.errorIrq.rings()).toBe(2);
    expect(acknowledgeGlobalErrors(rig.words, rig.base, GERROR_MSI_CMDQ)).toBe(GERROR_MSI_CMDQ);
    expect(acknowledgeGlobalErrors(rig.words, rig.base, GERROR_MSI_CMDQ)).toBe(0);
    expect(active(rig)).toBe(GERROR_EVTQ_ABT);
    errors.raise(GERROR_MSI_CMDQ);
    expect(active(rig)).toBe(GERROR_EVTQ_ABT | GERROR_MSI_CMDQ);
  });

  test('service failure mode switches the SMMU off', async () => {
    const rig = new Rig();
    new GlobalErrors(rig.words, rig.base, undefined).raise(GERROR_SFM);
    expect(await rig.during(rig.driver.handleGlobalErrors())).toEqual(['SFM']);
    expect(Atomics.load(rig.words, rig.base + SMMU_CR0) & CR0_SMMUEN).toBe(0);
    expect(await rig.driver.handleGlobalErrors()).toEqual([]);
  });
});

describe('the driver', () => {
  test('resets in order: command queue, caches, event queue, PRI queue, checks, translation', async () => {
    const rig = new Rig({ functions: [3], off: true });
    await rig.during(rig.driver.reset());
    expect(rig.commands(1)).toEqual([
      { name: 'CFGI_STE_RANGE', range: 31 },
      { name: 'SYNC', cs: 1 },
      { name: 'TLBI_EL2_ALL' },
      { name: 'TLBI_NSNH_ALL' },
      { name: 'SYNC', cs: 1 },
    ]);
    const all = CR0_SMMUEN | CR0_CMDQEN | CR0_EVTQEN | CR0_PRIQEN | CR0_ATSCHK;
    expect(Atomics.load(rig.words, rig.base + SMMU_CR0)).toBe(all);
  });

  test('switches the PRI queue, where there is one', async () => {
    const rig = new Rig({ functions: [3] });
    await rig.during(rig.driver.disablePriQueue());
    rig.request(0, 1 | 16, -1, 1);
    rig.hw.pump(64);
    expect(rig.received(0)).toMatchObject([{ code: 15 }]);
    await rig.during(rig.driver.enablePriQueue(true));
    await expect(new Rig().driver.enablePriQueue()).rejects.toThrow('has no PRI queue (EOPNOTSUPP)');
  });

  test('fences no function that does not complete', async () => {
    const rig = new Rig({ functions: [3], atcTimeoutTicks: 100 });
    const fence = rig.driver.fencePriQueue(3);
    rig.hw.pump(64);
    rig.tick += 100;
    await expect(rig.during(fence)).rejects.toThrow(
      'fencePriQueue: streamId = 3: completed no invalidation (ETIMEDOUT)',
    );
  });

  test('stage-2 ranges, and everything of a VMID', () => {
    const rig = new Rig();
    rig.ops[0].invalidateStage2Range(5, 0x10, 0, 3);
    rig.ops[0].invalidateStage2Range(5, 0x10, 0, 512);
    rig.ops[0].flushResponses();
    expect(rig.commands(0)).toEqual(
      [
        { name: 'TLBI_S2_IPA', scale: 0, num: 2, vmid: 5, leaf: 1, tg: 1, addressLo: 0x10000 },
        { name: 'TLBI_S12_VMALL', vmid: 5 },
      ].map(({ scale, ...rest }: Record<string, unknown>) => (scale ? { scale, ...rest } : rest)),
    );
  });
});
