import { describe, expect, test } from 'vitest';
import {
  CMD_RESUME,
  CMD_SYNC,
  CONTEXT_DEFAULTS,
  decodeEvent,
  encodeCd,
  type FieldValues,
  readSmmuStats,
  S1DSS_TERMINATE,
  STALL_ABORT,
  STALL_PENDING,
  STALL_RETRY,
  STE_CONFIG_S1,
} from './index.ts';
import { CMDQ_CONS, commandQueueBase, SMMU_CR0, SMMU_CR0ACK } from './layout.ts';
import { Rig } from './rig.test-help.ts';

// Rules of the event queue, of stalls and of CMD_SYNC that no other test holds.

const STREAM = 1;
const control = (rig: Rig, set: number, clear: number): void => {
  Atomics.or(rig.words, rig.base + SMMU_CR0, set);
  Atomics.and(rig.words, rig.base + SMMU_CR0, ~clear);
};

describe('an event queue that is switched off', () => {
  test('has what was recorded before in it, drops what is no stall, and does not overflow', () => {
    const rig = new Rig({ eventQueueEntries: 1, portList: [{ streamId: 99, substreamId: -1 }] });
    rig.post(0, 1);
    rig.hw.pump(64);
    const prod = rig.prod;
    expect(prod).toBe(1);
    control(rig, 0, 4);
    rig.hw.pump(64);
    expect([Atomics.load(rig.words, rig.base + SMMU_CR0ACK) & 4, rig.prod]).toEqual([0, prod]);
    rig.ports[0].reset();
    rig.post(0, 2);
    rig.hw.pump(64);
    expect([rig.prod, rig.results(0)]).toEqual([prod, [STALL_ABORT, STALL_ABORT]]);
    expect(readSmmuStats(rig.words, rig.base)).toMatchObject({ dropped: 2, overflows: 0, events: 1 });
  });
});

describe('as many entries as stalls may be outstanding', () => {
  test('are never filled by stalls: the last tag goes with the last entry', () => {
    const rig = new Rig({ eventQueueEntries: 4, stallMax: 4 });
    rig.post(0, 9);
    expect(rig.hw.pump(64)).toBe(4);
    expect(readSmmuStats(rig.words, rig.base)).toMatchObject({ heldForEntry: 0, heldForTag: 1, overflows: 0 });
  });
});

describe('a stall that found the event queue full', () => {
  test('and was invalidated meanwhile is run anew: under the new configuration, and without a record of the old one', async () => {
    const rig = new Rig({ eventQueueEntries: 1, portList: [1, 1].map((streamId) => ({ streamId, substreamId: 5 })) });
    rig.post(0, 1);
    rig.post(1, 1);
    rig.hw.pump(64);
    expect([rig.prod, rig.ports[1].isDone()]).toEqual([1, false]);
    const blocked = rig.driver.blockStream(STREAM);
    rig.hw.pump(64); // CFGI_STE and CMD_SYNC, while the queue is full
    await blocked;
    rig.pump.pump(64);
    rig.hw.pump(64);
    expect([rig.results(1), rig.prod]).toEqual([[STALL_ABORT], 1]); // abort is silent
    expect(rig.ports[0].isDone()).toBe(false); // the recorded one still waits for its answer
    rig.answerAll();
    rig.hw.pump(64);
    expect(rig.results(0)).toEqual([STALL_RETRY]);
  });
});

describe('an answer', () => {
  const stalled = (): Rig => {
    const rig = new Rig();
    rig.post(0, 2);
    rig.hw.pump(64);
    rig.pump.pump(64);
    return rig;
  };

  test.each([
    ['success', 0, STALL_RETRY],
    ['invalid', 1, STALL_ABORT],
    ['failure', 2, STALL_ABORT],
  ] as const)('of %s', (_name, code, result) => {
    const rig = stalled();
    expect(rig.answerAll(code)).toBe(2);
    rig.hw.pump(64);
    expect(rig.results(0)).toEqual([result, result]);
    expect(rig.commands(0).map(({ name, resp }) => [name, resp])).toEqual([
      ['RESUME', code === 0 ? 1 : 2],
      ['RESUME', code === 0 ? 1 : 2], // and no CMD_SYNC
    ]);
  });

  test('matches by StreamID and STAG alone: Resp 3 is a retry, 0 ends the access, a repeated one does nothing', () => {
    const rig = stalled();
    const [first, second] = rig.reporter.faults;
    for (const [streamId, stag, resp] of [
      [2, first.grpid, 1], // another stream's
      [1, 200, 1], // nobody's
      [1, first.grpid, 3],
      [1, first.grpid, 2], // again
      [1, second.grpid, 0],
    ])
      rig.ops[0].issue(CMD_RESUME, { streamId, stag, resp });
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    expect(rig.results(0)).toEqual([STALL_RETRY, STALL_ABORT]);
    expect(readSmmuStats(rig.words, rig.base)).toMatchObject({ strays: 3, retried: 1, aborted: 1 });
  });

  test('that retries may lead to a new fault with a new record', () => {
    const rig = stalled();
    rig.answerAll(0);
    rig.hw.pump(64);
    rig.ports[0].reset();
    rig.post(0, 1);
    rig.hw.pump(64);
    rig.pump.pump(64);
    expect(rig.reporter.take()).toHaveLength(1);
  });
});

describe('CMD_SYNC', () => {
  test('does not resume a stall that is recorded', async () => {
    const rig = new Rig();
    rig.post(0, 1);
    rig.hw.pump(64);
    await rig.during(rig.ops[1].syncAsync());
    expect([rig.ports[0].isDone(), rig.hw.outstanding]).toEqual([false, 1]);
  });

  test('holds back what comes after it in its own queue', () => {
    const rig = new Rig({ functions: [3] });
    rig.post(0, 1);
    rig.hw.pump(64);
    rig.pump.pump(64);
    const [{ grpid }] = rig.reporter.faults;
    rig.ops[0].invalidateAtc(3, -1, 0, 0, 0);
    rig.ops[0].issue(CMD_SYNC, {});
    rig.ops[0].resume(STREAM, grpid, 1);
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    const cons = (): number => Atomics.load(rig.words, commandQueueBase(rig.words, rig.base, 0) + CMDQ_CONS);
    expect([cons(), rig.ports[0].isDone()]).toEqual([1, false]);
    rig.complete(0);
    rig.hw.pump(64);
    rig.hw.pump(64);
    expect([cons(), rig.ports[0].isDone()]).toEqual([3, true]);
  });
});

describe('errors of one access', () => {
  // The architecture's order: StreamID, entry, SubstreamID, stream disabled, descriptor fetch, descriptor (7.3.22). Each row has an error and all
  // those after it as well, as far as they go together.
  test.each([
    ['C_BAD_STREAMID', 99, 9, {}],
    ['C_BAD_STE', STREAM, 9, { v: 0 }],
    ['C_BAD_SUBSTREAMID', STREAM, 9, { s1ContextPtrHi: 0xff }],
    ['F_STREAM_DISABLED', STREAM, -1, { s1ContextPtrHi: 0xff }],
    ['F_CD_FETCH', STREAM, 1, { s1ContextPtrHi: 0xff }],
    ['C_BAD_CD', STREAM, 1, {}],
  ] as [string, number, number, FieldValues][])('%s comes first', (name, streamId, substreamId, ste) => {
    const rig = new Rig({ off: true, contextLog2: 2, portList: [{ streamId, substreamId }] });
    const contextsAt = rig.contextsAt(STREAM);
    encodeCd(rig.words, contextsAt + 16, { ...CONTEXT_DEFAULTS, v: 0 });
    rig.setSte(STREAM, {
      ...{ v: 1, config: STE_CONFIG_S1, s1CDMax: 2, s1DSS: S1DSS_TERMINATE },
      ...{ s1ContextPtrLo: (contextsAt << 2) >>> 0, s1ContextPtrHi: contextsAt >>> 30 },
      ...ste,
    });
    rig.enable();
    rig.ops[0].invalidateStream(STREAM);
    rig.ops[0].flushResponses();
    rig.post(0, 1);
    rig.hw.pump(64);
    expect(decodeEvent(rig.words, rig.entry(0)).name).toBe(name);
    expect(rig.results(0)).not.toEqual([STALL_PENDING]);
  });
});
