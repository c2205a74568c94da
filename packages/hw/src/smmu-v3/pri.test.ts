import { FAULT_FLAG_LAST_PAGE, FAULT_FLAG_PASID_VALID, FAULT_FLAG_RESPONSE_NEEDS_PASID } from '@faultline/core/iopf';
import { describe, expect, test } from 'vitest';
import {
  PRG_FAILURE,
  PRG_INVALID,
  PRG_SUCCESS,
  REQUEST_EXEC,
  REQUEST_LAST,
  REQUEST_PRIV,
  REQUEST_READ,
  REQUEST_WRITE,
} from '../pcie/index.ts';
import { queueOverflowed } from '../queue/index.ts';
import {
  CMD_PRI_RESP,
  CR2_REC_CFG_ATS,
  decodeEvent,
  decodePriqRecord,
  PRI_RESP_FAILURE,
  PRI_RESP_INVALID,
  PRI_RESP_SUCCESS,
  PRI_TOKEN,
  PRIQ_IRQ_LO,
  PriqPump,
  readSmmuStats,
  SmmuOps,
} from './index.ts';
import { SMMU_CR0, SMMU_CR2, SMMU_PRIQ, SMMU_PRIQ_CONS, SMMU_PRIQ_IRQ_CFG2, SMMU_PRIQ_PROD } from './layout.ts';
import { CR0_CMDQEN, CR0_EVTQEN, CR0_PRIQEN, CR0_SMMUEN, CR2_RECINVSID } from './registers.ts';
import { Rig, type RigConfig } from './rig.test-help.ts';

const LAST = REQUEST_LAST;
const READ = REQUEST_READ;
const open = (config: RigConfig = {}): Rig => new Rig({ functions: [3], priQueueEntries: 4, ...config });
const priq = (rig: Rig, slot: number): Record<string, number> =>
  decodePriqRecord(rig.words, rig.base + rig.words[rig.base + SMMU_PRIQ] + slot * 4);
const prod = (rig: Rig): number => Atomics.load(rig.words, rig.base + SMMU_PRIQ_PROD);
const cons = (rig: Rig): number => Atomics.load(rig.words, rig.base + SMMU_PRIQ_CONS);
/** Four requests without Last: the queue is full. */
const fill = (rig: Rig): void => {
  for (let i = 0; i < 4; i++) rig.request(0, READ, -1, 1, 0x100 + i);
  rig.hw.pump(64);
};

describe('page requests in the queue', () => {
  test('as the function sent them', () => {
    const rig = open();
    rig.request(0, READ | REQUEST_EXEC | REQUEST_PRIV, 0x12345, 511, 0x89abcdef | 0);
    rig.request(0, REQUEST_WRITE | REQUEST_EXEC | REQUEST_PRIV | LAST, -1, 7);
    rig.request(0, LAST, 9, 0); // a stop marker
    rig.hw.pump(64);
    expect(prod(rig)).toBe(3);
    expect(priq(rig, 0)).toMatchObject({
      streamId: 3,
      ssv: 1,
      substreamId: 0x12345,
      read: 1,
      exec: 1,
      priv: 1,
      prgIndex: 511,
    });
    expect(priq(rig, 0)).toMatchObject({ addressLo: 0xbcdef000, addressHi: 0x89a, last: 0, write: 0 });
    expect(priq(rig, 1)).toMatchObject({ ssv: 0, substreamId: 0, write: 1, exec: 0, priv: 0, last: 1, prgIndex: 7 });
    expect(priq(rig, 2)).toMatchObject({ ssv: 1, substreamId: 9, last: 1, read: 0, write: 0 });
    expect(readSmmuStats(rig.words, rig.base)).toMatchObject({ pageRequests: 3, priInterrupts: 1 });
    expect(rig.hw.needsWork()).toBe(false);
  });

  test('interrupts at empty to non-empty, or with LO at each Last', () => {
    const rig = open();
    rig.request(0, READ, -1, 1);
    rig.hw.pump(64);
    rig.request(0, READ | LAST, -1, 1);
    rig.hw.pump(64);
    expect(rig.irq.rings()).toBe(1);
    const lo = open();
    Atomics.store(lo.words, lo.base + SMMU_PRIQ_IRQ_CFG2, PRIQ_IRQ_LO);
    lo.request(0, READ, -1, 1);
    lo.hw.pump(64);
    expect(lo.irq.rings()).toBe(0);
    lo.request(0, READ | LAST, -1, 1);
    lo.hw.pump(64);
    lo.request(0, READ | LAST, -1, 2);
    lo.hw.pump(64);
    expect(lo.irq.rings()).toBe(2);
    lo.request(0, READ, -1, 3);
    lo.hw.pump(64);
    lo.request(0, READ | LAST, -1, 4); // lost, and interrupts all the same
    lo.hw.pump(64);
    expect(lo.irq.rings()).toBe(3);
    expect(queueOverflowed(prod(lo), cons(lo))).toBe(true);
  });
});

describe('an overflow', () => {
  test('records nothing until acknowledged, even with room; answers Last, and nothing else', () => {
    const rig = open();
    fill(rig);
    expect(queueOverflowed(prod(rig), cons(rig))).toBe(false);
    rig.request(0, READ, -1, 2);
    rig.request(0, READ | LAST, -1, 2);
    rig.request(0, LAST, 5, 0); // a stop marker
    rig.request(0, LAST, -1, 6); // without a PASID: a request
    rig.hw.pump(64);
    expect(queueOverflowed(prod(rig), cons(rig))).toBe(true);
    expect(rig.received(0)).toMatchObject([
      { prgi: 2, code: PRG_SUCCESS, pasid: -1 },
      { prgi: 6, code: PRG_SUCCESS, pasid: -1 },
    ]);
    Atomics.store(rig.words, rig.base + SMMU_PRIQ_CONS, 4); // room, but no acknowledgement
    rig.request(0, READ | LAST, -1, 3);
    rig.hw.pump(64);
    expect(rig.received(0)).toMatchObject([{ prgi: 3, code: PRG_SUCCESS }]);
    expect(prod(rig) & 7).toBe(4);
    Atomics.store(rig.words, rig.base + SMMU_PRIQ_CONS, 4 | (1 << 31));
    rig.request(0, READ | LAST, -1, 4);
    rig.hw.pump(64);
    expect(rig.received(0)).toEqual([]);
    expect(prod(rig) & 7).toBe(5);
    expect(readSmmuStats(rig.words, rig.base)).toMatchObject({
      priOverflows: 1,
      autoSuccess: 3,
      autoFailure: 0,
      priLost: 2,
    });
  });

  test.each([
    ['PPS: the same PASID', { pps: 1 }, {}, { code: PRG_SUCCESS, pasid: 5 }],
    ['PPAR set', {}, { ppar: 1 }, { code: PRG_SUCCESS, pasid: 5 }],
    ['PPAR clear', {}, { ppar: 0 }, { code: PRG_SUCCESS, pasid: -1 }],
    ['abort, which is a valid entry', {}, { config: 0, ppar: 1 }, { code: PRG_SUCCESS, pasid: 5 }],
    ['no valid entry', {}, { v: 0, ppar: 1 }, { code: PRG_FAILURE, pasid: -1 }],
    ['PPS, whatever the entry', { pps: 1 }, { v: 0 }, { code: PRG_SUCCESS, pasid: 5 }],
  ])('a request with PASID: %s', (_name, identification, ste, expected) => {
    const rig = open({ identification });
    rig.setSte(3, { v: 1, config: 4, ...ste });
    rig.ops[0].invalidateStream(3);
    rig.ops[0].flushResponses();
    fill(rig);
    rig.request(0, READ | LAST, 5, 2);
    rig.hw.pump(64);
    expect(rig.received(0)).toMatchObject([{ prgi: 2, ...expected }]);
  });

  test('a stream outside the table: Failure, and C_BAD_STREAMID where software wants to know', () => {
    const rig = open({ functions: [99] });
    fill(rig);
    rig.request(0, READ | LAST, 5, 2);
    rig.hw.pump(64);
    expect(rig.prod).toBe(0);
    Atomics.store(rig.words, rig.base + SMMU_CR2, CR2_RECINVSID | CR2_REC_CFG_ATS);
    rig.request(0, READ | LAST, 5, 2);
    rig.hw.pump(64);
    expect(rig.received(0)).toMatchObject([
      { code: PRG_FAILURE, pasid: -1 },
      { code: PRG_FAILURE, pasid: -1 },
    ]);
    expect(decodeEvent(rig.words, rig.entry(0))).toMatchObject({
      name: 'C_BAD_STREAMID',
      values: { streamId: 99, substreamId: 5 },
    });
  });

  test('that the pump did not see when it found the queue empty is announced', () => {
    const rig = open();
    fill(rig);
    const rung = rig.irq.rings();
    // Between the hardware's last look at CONS and its toggle the pump drains: what a full queue in the hardware's eyes amounts to.
    const load = Atomics.load;
    let looks = 0;
    rig.request(0, READ | LAST, -1, 2);
    Atomics.load = ((words: Int32Array, at: number): number => {
      const seen = load(words, at);
      if (at === rig.base + SMMU_PRIQ_CONS && looks++ === 0) Atomics.store(words, at, 4);
      return seen;
    }) as typeof Atomics.load;
    try {
      rig.hw.pump(64);
    } finally {
      Atomics.load = load;
    }
    expect(looks).toBeGreaterThan(0);
    expect(queueOverflowed(prod(rig), cons(rig))).toBe(true);
    expect(rig.irq.rings()).toBeGreaterThan(rung);
  });
});

describe('a queue that takes nothing', () => {
  test.each([
    ['PRIQEN off', CR0_SMMUEN | CR0_EVTQEN | CR0_CMDQEN],
    ['SMMUEN off, which turns PRIQEN off', CR0_PRIQEN | CR0_EVTQEN | CR0_CMDQEN],
  ])('%s: Failure for every request without PASID, silence for a stop marker, no overflow', (_name, cr0) => {
    const rig = open();
    Atomics.store(rig.words, rig.base + SMMU_CR0, cr0);
    rig.request(0, READ, 5, 2);
    rig.request(0, READ | LAST, 5, 2);
    rig.request(0, LAST, 5, 0);
    rig.hw.pump(64);
    expect(rig.received(0)).toMatchObject([
      { prgi: 2, code: PRG_FAILURE, pasid: -1 },
      { prgi: 2, code: PRG_FAILURE, pasid: -1 },
    ]);
    expect(prod(rig)).toBe(0);
  });

  test.each(['synchronous', 'asynchronous'] as const)('an abort that is %s, until acknowledged', async (kind) => {
    const rig = open();
    rig.request(0, READ, 5, 1);
    rig.hw.pump(64);
    rig.hw.injectPriAbort(kind);
    rig.request(0, READ, 5, 2);
    rig.request(0, READ | LAST, 5, 3);
    rig.hw.pump(64);
    const aborted = kind === 'synchronous' ? [{ prgi: 2, code: PRG_FAILURE, pasid: -1 }] : [];
    expect(rig.received(0)).toMatchObject([...aborted, { prgi: 3, code: PRG_FAILURE, pasid: -1 }]);
    expect(prod(rig)).toBe(1); // what was written before is valid
    expect(rig.errorIrq.rings()).toBe(1);
    expect(await rig.driver.handleGlobalErrors()).toEqual(['PRIQ_ABT']);
    rig.request(0, READ | LAST, 5, 4);
    rig.hw.pump(64);
    expect(prod(rig)).toBe(2);
  });
});

describe('CMD_PRI_RESP', () => {
  test('goes to the function that uses the group index, in the wire’s own codes', () => {
    const rig = open();
    rig.ops[0].priResponse(3, -1, 1, PRI_RESP_SUCCESS);
    rig.ops[0].priResponse(3, 0x12345, 511, PRI_RESP_INVALID);
    rig.ops[0].priResponse(3, -1, 2, PRI_RESP_FAILURE);
    rig.ops[0].priResponse(4, -1, 2, PRI_RESP_SUCCESS); // nobody's
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    expect(rig.received(0)).toMatchObject([
      { prgi: 1, code: PRG_SUCCESS, pasid: -1 },
      { prgi: 511, code: PRG_INVALID, pasid: 0x12345 },
      { prgi: 2, code: PRG_FAILURE, pasid: -1 },
    ]);
    expect(readSmmuStats(rig.words, rig.base)).toMatchObject({ priResponses: 3, priStrays: 1 });
  });

  test('with Resp = 3, or on an SMMU without PRI, is illegal', () => {
    for (const rig of [open(), new Rig()]) {
      rig.ops[0].issue(CMD_PRI_RESP, { streamId: 3, resp: rig.functions.length > 0 ? 3 : 2 });
      rig.ops[0].flushResponses();
      rig.hw.pump(64);
      expect(readSmmuStats(rig.words, rig.base).commandErrors).toBe(1);
    }
  });
});

describe('the pump', () => {
  test('mainline’s: denies every group, a stop marker too, and says nothing to a request that is not the last', () => {
    const rig = open();
    const pump = new PriqPump(rig.words, rig.base, { ops: rig.ops[0] });
    rig.request(0, READ, 5, 2);
    rig.request(0, READ | LAST, 5, 2);
    rig.request(0, READ | LAST, -1, 3);
    rig.request(0, LAST, 6, 0);
    rig.hw.pump(64);
    expect(pump.pump(64)).toBe(4);
    expect(cons(rig)).toBe(4);
    rig.hw.pump(64);
    expect(rig.received(0)).toMatchObject([
      { prgi: 2, code: PRG_FAILURE, pasid: 5 },
      { prgi: 3, code: PRG_FAILURE, pasid: -1 },
      { prgi: 0, code: PRG_FAILURE, pasid: 6 },
    ]);
    expect(pump.counts()).toMatchObject({ denied: 3, ignored: 1, stopMarkers: 0, reported: 0 });
  });

  test('gives an entry back before its answer goes out, however full the command queue is: the answer returns a credit', () => {
    const rig = open({ commandQueueEntries: 2 });
    const seen: number[] = [];
    const ring = (): void => {
      seen.push(cons(rig) - readSmmuStats(rig.words, rig.base).priResponses);
      rig.hw.pump(64);
    };
    const ops = new SmmuOps(rig.words, rig.base, 0, { hardwareDoorbell: { ring }, timeoutMs: 300 });
    const pump = new PriqPump(rig.words, rig.base, { ops });
    for (let i = 0; i < 4; i++) rig.request(0, READ | LAST, -1, i);
    rig.hw.pump(64);
    expect(pump.pump(64)).toBe(4);
    expect(seen).toEqual([3, 2]); // entries given back, less answers that are out: at least the two of this ring
    expect(rig.received(0)).toHaveLength(4);
  });

  test('reports what the core needs, and its answer finds the way back', () => {
    const rig = open({ identification: { pps: 0 } });
    rig.setSte(3, { v: 1, config: 4, ppar: 1 });
    const notes: string[] = [];
    const { reporter } = rig;
    const pump = new PriqPump(rig.words, rig.base, { reporter, ops: rig.ops[0], onRecord: (what) => notes.push(what) });
    rig.request(0, READ | REQUEST_WRITE, 5, 2, 0x89abcdef | 0);
    rig.request(0, READ | REQUEST_EXEC | LAST, 5, 2);
    rig.request(0, LAST, 5, 0);
    rig.hw.pump(64);
    expect(pump.pump(64)).toBe(3);
    const token = 3 | PRI_TOKEN;
    const flags = FAULT_FLAG_PASID_VALID | FAULT_FLAG_RESPONSE_NEEDS_PASID;
    expect(reporter.faults).toMatchObject([
      { device: 13, flags, pasid: 5, grpid: 2, perm: 3, pageLo: 0x89abcdef | 0, pageHi: 0, token },
      { device: 13, flags: flags | FAULT_FLAG_LAST_PAGE, pasid: 5, grpid: 2, perm: 5, pageLo: 0x1000, token },
    ]);
    expect(reporter.batches).toBe(1);
    expect(notes).toEqual(['stopMarkers']);
    rig.ops[0].pageResponse(reporter.faults[1].at, 0);
    rig.ops[0].pageResponse(reporter.faults[1].at, 1);
    rig.ops[0].pageResponse(reporter.faults[1].at, 2);
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    expect(rig.received(0)).toMatchObject(
      [PRG_SUCCESS, PRG_INVALID, PRG_FAILURE].map((code) => ({ prgi: 2, code, pasid: 5 })),
    );
  });

  test('acknowledges an overflow once all is taken, and drops what was set aside first', () => {
    const rig = open();
    const order: string[] = [];
    const reporter = Object.assign(rig.reporter, {
      discardPartial: (device: number): number => {
        order.push(`discard ${device} while ${queueOverflowed(prod(rig), cons(rig)) ? 'overflowed' : 'acknowledged'}`);
        return device === 13 ? 4 : 0;
      },
    });
    const pump = new PriqPump(rig.words, rig.base, { reporter, ops: rig.ops[0] });
    fill(rig);
    rig.request(0, READ | LAST, -1, 1);
    rig.hw.pump(64);
    expect(pump.needsWork()).toBe(true);
    expect(pump.pump(2)).toBe(2);
    expect(queueOverflowed(prod(rig), cons(rig))).toBe(true);
    expect(pump.pump(64)).toBe(2);
    expect(queueOverflowed(prod(rig), cons(rig))).toBe(false);
    expect(pump.needsWork()).toBe(false);
    expect(order).toContain('discard 13 while overflowed');
    expect(pump.counts()).toMatchObject({ overflows: 1, discarded: 4, reported: 4 });
  });

  test('denies a stream without a driver or outside the table; an inconsistent PROD offers nothing', () => {
    const rig = new Rig({ functions: [3, 99], off: true });
    rig.enable();
    const pump = new PriqPump(rig.words, rig.base, { reporter: rig.reporter, ops: rig.ops[0] });
    rig.request(0, READ | LAST, -1, 1);
    rig.request(1, READ | LAST, 4, 2);
    rig.request(1, READ, 4, 3);
    rig.hw.pump(64);
    pump.pump(64);
    rig.hw.pump(64);
    expect(rig.reporter.faults).toEqual([]);
    expect(pump.counts()).toMatchObject({ denied: 2, ignored: 1 });
    expect(rig.received(0)).toMatchObject([{ prgi: 1, code: PRG_FAILURE }]);
    expect(rig.received(1)).toMatchObject([{ prgi: 2, code: PRG_FAILURE, pasid: 4 }]);
    Atomics.store(rig.words, rig.base + SMMU_PRIQ_PROD, 31); // of 16 entries
    expect(pump.pump(64)).toBe(0);
    expect(pump.needsWork()).toBe(false);
    expect(pump.counts().inconsistent).toBe(1);
  });

  test('is not for an SMMU without a queue', () => {
    const rig = new Rig();
    expect(() => new PriqPump(rig.words, rig.base, { ops: rig.ops[0] })).toThrow('has no PRI queue (EOPNOTSUPP)');
  });

  test('the fence holds until what the function had sent is reported', async () => {
    const rig = open({ priQueueEntries: 16 });
    const pump = new PriqPump(rig.words, rig.base, { reporter: rig.reporter, ops: rig.ops[0] });
    for (let i = 0; i < 5; i++) rig.request(0, READ, -1, i);
    let done = false;
    const fence = rig.driver.fencePriQueue(3).then(() => {
      done = true;
    });
    const turn = async (): Promise<void> => {
      rig.hw.pump(64);
      rig.complete(0);
      await new Promise<void>((resolve) => setImmediate(resolve));
    };
    for (let i = 0; i < 20; i++) await turn();
    expect(done).toBe(false);
    pump.pump(4);
    for (let i = 0; i < 20; i++) await turn();
    expect(done).toBe(false);
    pump.pump(4);
    await fence;
    expect(rig.reporter.faults).toHaveLength(5);
  });
});
