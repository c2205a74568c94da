import { TICKS_PER_MS } from '@faultline/core/sync';
import { describe, expect, test } from 'vitest';
import {
  CERROR_ILL,
  CMD_CFGI_CD,
  CMD_SYNC,
  CMD_TLBI_NH_ASID,
  CMDQ_ERR_FLAG,
  CMDQ_ERR_MASK,
  decodeCommand,
  GERROR_CMDQ,
  GERROR_MSI_CMDQ,
  readSmmuStats,
  STALL_ABORT,
  STALL_RETRY,
} from './index.ts';
import { CMDQ_CONS, CMDQ_ENTRIES, CMDQ_MSI, CMDQ_PROD, commandQueueBase, SMMU_GERROR, SMMU_GERRORN } from './layout.ts';
import { Rig } from './rig.test-help.ts';

const cons = (rig: Rig, queue: number): number =>
  Atomics.load(rig.words, commandQueueBase(rig.words, rig.base, queue) + CMDQ_CONS);
const errors = (rig: Rig): number =>
  Atomics.load(rig.words, rig.base + SMMU_GERROR) ^ Atomics.load(rig.words, rig.base + SMMU_GERRORN);

describe('CMD_SYNC', () => {
  test('completes by a write of MSIData, after what came before it', () => {
    const rig = new Rig();
    rig.post(0, 1);
    rig.hw.pump(64);
    rig.pump.pump(64);
    rig.answer(rig.reporter.faults[0]);
    rig.ops[0].issue(CMD_SYNC, { cs: 1, msiData: 0xcafe, msiAddressLo: rig.spareAt * 4 });
    rig.ops[0].flushResponses();
    expect(Atomics.load(rig.words, rig.spareAt)).not.toBe(0xcafe);
    rig.hw.pump(1); // the RESUME
    expect(rig.ports[0].isDone()).toBe(true);
    expect(Atomics.load(rig.words, rig.spareAt)).not.toBe(0xcafe);
    rig.hw.pump(1);
    expect(Atomics.load(rig.words, rig.spareAt)).toBe(0xcafe);
    expect(cons(rig, 0)).toBe(2);
  });

  test('events recorded before it are visible when it completes', async () => {
    const rig = new Rig();
    rig.post(0, 3);
    const synced = rig.ops[1].syncAsync();
    rig.hw.pump(64);
    await synced;
    const seen = rig.prod;
    expect(seen).toBe(3);
  });

  test('times out on a hardware that does not run', async () => {
    const rig = new Rig();
    await expect(rig.ops[0].syncAsync()).rejects.toThrow('SmmuOps.syncAsync: timeoutMs = 300');
    expect(() => rig.ops[1].sync({ id: 1, spins: 10 })).toThrow('(ETIMEDOUT)');
    expect(TICKS_PER_MS).toBe(10_000);
  });

  test('with an address outside memory aborts the write, says so, and goes on', () => {
    const rig = new Rig();
    rig.ops[0].issue(CMD_SYNC, { cs: 1, msiAddressLo: 0xfffffffc, msiAddressHi: 0xf });
    rig.ops[0].issue(CMD_SYNC, { cs: 0 });
    rig.ops[0].flushResponses();
    expect(rig.hw.pump(64)).toBe(2);
    expect(errors(rig)).toBe(GERROR_MSI_CMDQ);
    rig.ops[0].flushResponses();
    expect(errors(rig)).toBe(0);
  });
});

describe('a command error', () => {
  test('stops that queue alone until acknowledged; the driver skips the command', () => {
    const rig = new Rig();
    rig.post(0, 2);
    rig.hw.pump(64);
    rig.pump.pump(64);
    const [first, second] = rig.reporter.faults;
    rig.answer(first);
    rig.ops[0].issueRaw(0xff, 0, 0, 0);
    rig.answer(second);
    rig.ops[0].flushResponses();
    expect(rig.hw.pump(64)).toBe(1);
    expect(cons(rig, 0) & CMDQ_ERR_MASK).toBe(CERROR_ILL);
    expect(cons(rig, 0) & 0xffff).toBe(1); // at the bad command
    expect(errors(rig)).toBe(GERROR_CMDQ);
    expect(rig.hw.pump(64)).toBe(0);
    expect(rig.hw.needsWork()).toBe(false);
    rig.ops[1].issue(CMD_TLBI_NH_ASID, { asid: 1 });
    rig.ops[1].flushResponses();
    expect(rig.hw.pump(64)).toBe(1); // the other queue goes on
    rig.ops[0].flushResponses();
    expect(errors(rig)).toBe(0);
    expect(rig.ops[0].recovered).toBe(1);
    expect(rig.hw.pump(64)).toBe(2);
    expect(rig.ports[0].isDone()).toBe(true);
    expect(readSmmuStats(rig.words, rig.base)).toMatchObject({ commandErrors: 1, retried: 2 });
  });

  test('in two queues at once is raised again for the second', () => {
    const rig = new Rig();
    for (const ops of rig.ops) {
      ops.issueRaw(CMD_SYNC | (3 << 12), 0, 0, 0); // CS = 3 is illegal
      ops.flushResponses();
    }
    rig.hw.pump(64);
    expect(errors(rig)).toBe(GERROR_CMDQ);
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    expect(errors(rig)).toBe(GERROR_CMDQ);
    rig.ops[1].flushResponses();
    rig.hw.pump(64);
    expect(errors(rig)).toBe(0);
    expect(rig.ops.map((ops) => ops.recovered)).toEqual([1, 1]);
    expect(cons(rig, 1) & CMDQ_ERR_FLAG).toBe(CMDQ_ERR_FLAG); // toggled, acknowledged
  });

  test('an inconsistent PROD is not consumed', () => {
    const rig = new Rig();
    Atomics.store(rig.words, commandQueueBase(rig.words, rig.base, 0) + CMDQ_PROD, 100); // of 64 entries
    expect(rig.hw.pump(64)).toBe(0);
    expect(rig.hw.needsWork()).toBe(false);
  });
});

describe('the queue', () => {
  test('wraps', () => {
    const rig = new Rig({ commandQueueEntries: 4 });
    for (let i = 0; i < 11; i++) {
      rig.ops[0].issue(CMD_CFGI_CD, { streamId: i });
      rig.ops[0].flushResponses();
      expect(rig.hw.pump(64)).toBe(1);
    }
    expect(readSmmuStats(rig.words, rig.base).commands).toBe(11);
  });

  test('full: publishes what it has, waits a bounded time, and loses nothing', () => {
    const rig = new Rig({ commandQueueEntries: 2 });
    rig.post(0, 3);
    rig.hw.pump(64);
    rig.pump.pump(64);
    const [a, b, c] = rig.reporter.faults;
    rig.answer(a);
    rig.answer(b);
    expect(() => rig.answer(c)).toThrow('SmmuOps.issue: timeoutMs = 300: the hardware consumed nothing (ETIMEDOUT)');
    expect(rig.hw.pump(64)).toBe(2); // they were published
    rig.answer(c);
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    expect(rig.results(0)).toEqual([STALL_RETRY, STALL_RETRY, STALL_RETRY]);
  });

  test('a budget is kept, and starves no queue', () => {
    const rig = new Rig();
    for (let i = 0; i < 40; i++) rig.ops[0].issue(CMD_CFGI_CD, { streamId: i });
    rig.ops[1].issue(CMD_CFGI_CD, {});
    for (const ops of rig.ops) ops.flushResponses();
    expect(rig.hw.pump(4)).toBe(4);
    expect(rig.hw.pump(4)).toBe(4);
    expect(cons(rig, 1)).toBe(1);
  });
});

describe('invalidation', () => {
  const commands = (rig: Rig, from: number, to: number): { name: string; values: Record<string, number> }[] => {
    const entries = commandQueueBase(rig.words, rig.base, 0) + CMDQ_ENTRIES;
    return Array.from({ length: to - from }, (_, i) => decodeCommand(rig.words, entries + (from + i) * 4));
  };

  test.each([1, 2, 31, 32, 33, 100, 511])('of %d pages covers them, each once', (pages) => {
    const rig = new Rig();
    rig.ops[0].invalidateRange(3, 0xfffffffe | 0, 1, pages); // across the words of the page number
    rig.ops[0].flushResponses();
    const count = rig.hw.pump(64);
    let next = 2 * 2 ** 32 - 2;
    for (const { name, values } of commands(rig, 0, count)) {
      expect(name).toBe('TLBI_NH_VA');
      expect(values).toMatchObject({ asid: 3, tg: 1, leaf: 1 });
      expect((values.addressHi * 2 ** 32 + values.addressLo) / 4096).toBe(next);
      next += (values.num + 1) * 2 ** values.scale;
    }
    expect(next).toBe(2 * 2 ** 32 - 2 + pages);
    expect(readSmmuStats(rig.words, rig.base).invalidations).toBe(count);
  });

  test('of 512 pages or more takes the ASID', () => {
    const rig = new Rig();
    rig.ops[0].invalidateRange(3, 0, 0, 512);
    expect(commands(rig, 0, 1)).toEqual([{ name: 'TLBI_NH_ASID', values: { op: CMD_TLBI_NH_ASID, asid: 3, vmid: 0 } }]);
  });
});

describe('STALL_TERM', () => {
  test('ends every stall of the stream, recorded or waiting, and no other', () => {
    const rig = new Rig({ stallMax: 4, portList: [1, 2].map((streamId) => ({ streamId, substreamId: 1 })) });
    rig.post(1, 1);
    rig.hw.pump(64);
    rig.post(0, 5);
    rig.hw.pump(64); // three recorded, two wait for a tag
    rig.pump.pump(64);
    const faults = rig.reporter.take();
    rig.ops[0].stallTerm(1);
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    expect(rig.results(0)).toEqual([1, 2, 3, 4, 5].map(() => STALL_ABORT));
    expect(rig.ports[0].isDone()).toBe(true);
    expect(rig.ports[1].isDone()).toBe(false);
    for (const fault of faults) rig.answer(fault);
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    expect(rig.ports[1].isDone()).toBe(true);
    expect(readSmmuStats(rig.words, rig.base)).toMatchObject({ terminated: 5, retried: 1, strays: 3 });
    expect(rig.hw.outstanding).toBe(0);
    rig.ports[0].reset();
    rig.post(0, 1); // the port is not stuck
    expect(rig.hw.pump(64)).toBe(1);
  });
});

test('MSI words are the queues own', () => {
  const rig = new Rig();
  const words = [0, 1].map((q) => commandQueueBase(rig.words, rig.base, q) + CMDQ_MSI);
  expect(new Set(words).size).toBe(2);
  expect(() => commandQueueBase(rig.words, rig.base, 2)).toThrow('queue = 2');
});
