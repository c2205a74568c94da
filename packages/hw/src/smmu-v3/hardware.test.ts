import { IommuError } from '@faultline/core/errors';
import { RESPONSE_INVALID } from '@faultline/core/iopf';
import { describeLayout } from '@faultline/core/memory';
import { LINE } from '@faultline/core/sync';
import { describe, expect, test } from 'vitest';
import { QUEUE_OVERFLOW, queueOverflowed } from '../queue/index.ts';
import {
  CFGI_RANGE_ALL,
  CMD_CFGI_STE_RANGE,
  decodeEvent,
  initStallPort,
  readSmmuStats,
  type SmmuConfig,
  SmmuHardware,
  STALL_ABORT,
  STALL_PENDING,
  STALL_RETRY,
  STE_ABORT,
  STE_BYPASS,
  STE_TRANSLATE,
  smmuLayout,
  smmuWords,
  writeStream,
} from './index.ts';
import { SMMU_CR0, SMMU_CR0ACK, SMMU_EVTQ_CONS, SMMU_EVTQ_HELD, SMMU_FIXED, STAT_NAMES } from './layout.ts';
import { Rig } from './rig.test-help.ts';

const GOOD: SmmuConfig = {
  eventQueueEntries: 16,
  commandQueueEntries: 16,
  commandQueues: 1,
  stallMax: 8,
  streams: 4,
  ports: 1,
};

describe('configuration', () => {
  test.each([
    ['eventQueueEntries', 12],
    ['eventQueueEntries', 0],
    ['commandQueueEntries', 3],
    ['commandQueues', 0],
    ['stallMax', 65536],
    ['stallMax', 0],
    ['streams', -1],
    ['ports', 1.5],
  ])('%s = %d is refused by name', (field, value) => {
    expect(() => smmuWords({ ...GOOD, [field]: value })).toThrow(`smmuWords: ${field} = ${value}`);
    expect(() => smmuWords({ ...GOOD, [field]: value })).toThrow(IommuError);
  });

  test('the layout table names every register once', () => {
    expect(describeLayout(smmuLayout)).toContain('EVTQ_PROD');
    expect(smmuLayout.words).toBeLessThanOrEqual(SMMU_FIXED);
    expect(STAT_NAMES.length).toBeLessThanOrEqual(LINE);
  });

  test('hardware is not opened where nothing was laid out, nor with a port out of place', () => {
    const rig = new Rig({
      portList: [
        { streamId: 1, substreamId: 1 },
        { streamId: 1, substreamId: 2 },
      ],
    });
    const config = { ports: [], irq: rig.irq, clock: () => 0 };
    expect(() => new SmmuHardware(rig.words, rig.base + LINE, config)).toThrow('no SMMU was laid out here');
    expect(() => new SmmuHardware(rig.words, rig.base, { ...config, ports: [rig.ports[0].wakeAt] })).toThrow('ports');
    expect(() => new SmmuHardware(rig.words, rig.base, { ...config, ports: [LINE, LINE, LINE] })).toThrow(
      'ports.length = 3',
    );
  });

  test('a stall port refuses nonsense by name', () => {
    const { words } = new Rig();
    const port = {
      capacity: 4,
      port: 0,
      streamId: 0,
      substreamId: 0,
      wakeAt: LINE,
      announceBase: LINE,
      doorbellBase: LINE,
    };
    expect(() => initStallPort(words, LINE, { ...port, capacity: 0 })).toThrow('capacity = 0');
    expect(() => initStallPort(words, LINE, { ...port, substreamId: 2 ** 20 })).toThrow('substreamId = 1048576');
    expect(() => initStallPort(words, LINE, { ...port, streamId: -1 })).toThrow('streamId = -1');
    expect(() => initStallPort(words, words.length, port)).toThrow('base');
  });
});

describe('a stall port', () => {
  test('holds a round, and is done when all of it is', () => {
    const rig = new Rig({ portCapacity: 2 });
    const [port] = rig.ports;
    expect(port.isDone()).toBe(true);
    expect(port.post(1, 0, 1, 50)).toBe(0);
    expect(port.post(2, 0, 1, 60)).toBe(1);
    expect(port.post(3, 0, 1, 70)).toBe(-1); // full
    expect(rig.hw.needsWork()).toBe(false); // not published
    port.publish();
    expect(port.isDone()).toBe(false);
    expect(() => port.reset()).toThrow('stalls are outstanding (EBUSY)');
    rig.hw.pump(64);
    rig.pump.pump(64);
    rig.answer(rig.reporter.faults[0]);
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    expect(port.isDone()).toBe(false); // one of two
    expect(rig.wakeBell.rings()).toBe(0);
    rig.answer(rig.reporter.faults[1], RESPONSE_INVALID);
    rig.ops[0].flushResponses();
    rig.tick = 2000;
    rig.hw.pump(64);
    expect(port.isDone()).toBe(true);
    expect(rig.wakeBell.rings()).toBe(1); // one ring a round
    expect(rig.results(0)).toEqual([STALL_RETRY, STALL_ABORT]);
    expect([port.postedAt(1), port.resumedAt(0), port.resumedAt(1)]).toEqual([60, 1000, 2000]);
    port.reset();
    expect(port.post(9, 0, 1, 80)).toBe(0);
    expect(port.result(0)).toBe(STALL_PENDING);
  });

  test('takes nothing more once published', () => {
    const rig = new Rig();
    rig.post(0, 1);
    expect(rig.ports[0].post(1, 0, 1, 0)).toBe(-1);
    rig.ports[0].publish(); // again: nothing
    expect(rig.hw.pump(64)).toBe(1);
  });
});

describe('the event queue', () => {
  test('a full queue holds stalls back and loses none, without an overflow', () => {
    const rig = new Rig({ eventQueueEntries: 4 });
    rig.post(0, 11);
    expect(rig.hw.pump(64)).toBe(4);
    expect(rig.hw.pump(64)).toBe(0);
    expect(rig.hw.needsWork()).toBe(false); // it may sleep
    expect(Atomics.load(rig.words, rig.base + SMMU_EVTQ_HELD)).toBe(1);
    expect(rig.prod & QUEUE_OVERFLOW).toBe(0);
    const rung = rig.hardwareBell.rings();
    rig.pump.pump(64);
    expect(rig.hardwareBell.rings()).toBeGreaterThan(rung); // the pump wakes it
    expect(rig.hw.needsWork()).toBe(true);
    let pumps = 0;
    while (rig.reporter.faults.length < 11 && pumps++ < 10) {
      rig.hw.pump(64);
      rig.pump.pump(64);
    }
    expect(rig.reporter.faults.map((f) => f.pageLo)).toEqual(Array.from({ length: 11 }, (_, i) => 0x1000 + i));
    expect(Atomics.load(rig.words, rig.base + SMMU_EVTQ_HELD)).toBe(0);
    rig.answerAll();
    rig.hw.pump(64);
    expect(rig.ports[0].isDone()).toBe(true);
    expect(readSmmuStats(rig.words, rig.base)).toMatchObject({
      stalls: 11,
      overflows: 0,
      dropped: 0,
      retried: 11,
      peakStalls: 11,
    });
  });

  test('a record that is no stall is lost when the queue is full; OVFLG is toggled only if acknowledged', () => {
    const rig = new Rig({ eventQueueEntries: 2, portList: [{ streamId: 99, substreamId: -1 }] });
    const lose = (count: number): void => {
      rig.post(0, count);
      rig.hw.pump(64);
      expect(rig.results(0)).toEqual(Array.from({ length: count }, () => STALL_ABORT));
      rig.ports[0].reset();
    };
    lose(2);
    expect(queueOverflowed(rig.prod, rig.cons)).toBe(false);
    lose(1);
    expect(queueOverflowed(rig.prod, rig.cons)).toBe(true);
    const flagged = rig.prod;
    lose(2); // invisible
    expect(rig.prod).toBe(flagged);
    expect(readSmmuStats(rig.words, rig.base)).toMatchObject({ overflows: 1, dropped: 3, events: 2, terminated: 5 });
    expect(rig.pump.pump(1)).toBe(1);
    expect(queueOverflowed(rig.prod, rig.cons)).toBe(true); // acknowledged only when drained
    lose(1); // keeps recording while unacknowledged
    expect(rig.pump.pump(64)).toBe(2);
    expect(queueOverflowed(rig.prod, rig.cons)).toBe(false);
    expect(rig.pump.counts()).toMatchObject({ overflows: 1, events: 3 });
    lose(3);
    expect(queueOverflowed(rig.prod, rig.cons)).toBe(true); // a second one, toggled back
    expect(rig.prod & QUEUE_OVERFLOW).toBe(0);
    expect(readSmmuStats(rig.words, rig.base).overflows).toBe(2);
  });

  test('interrupts only from empty to non-empty', () => {
    const rig = new Rig({ portList: [1, 2, 3].map((s) => ({ streamId: s, substreamId: 1 })) });
    rig.post(0, 2);
    rig.hw.pump(64);
    expect(rig.irq.rings()).toBe(1);
    rig.post(1, 2);
    rig.hw.pump(64);
    expect(rig.irq.rings()).toBe(1); // non-empty already
    expect(rig.pump.pump(64)).toBe(4);
    expect(rig.pump.needsWork()).toBe(false);
    rig.post(2, 1);
    rig.hw.pump(64);
    expect(rig.irq.rings()).toBe(2);
    expect(readSmmuStats(rig.words, rig.base).interrupts).toBe(2);
  });

  test('the pump drains until really empty: records that come while it works need no interrupt', () => {
    const rig = new Rig({ portList: [1, 2].map((s) => ({ streamId: s, substreamId: 1 })) });
    rig.post(0, 3);
    rig.hw.pump(64);
    const { reporter } = rig;
    const report = reporter.reportDeviceFault.bind(reporter);
    reporter.reportDeviceFault = (at): number => {
      const verdict = report(at);
      if (reporter.faults.length === 2) {
        rig.post(1, 4); // while the pump holds a PROD from before
        rig.hw.pump(64);
      }
      return verdict;
    };
    expect(rig.pump.pump(64)).toBe(7);
    expect(rig.irq.rings()).toBe(1);
    expect(rig.pump.needsWork()).toBe(false);
  });

  test('an inconsistent CONS is a full queue', () => {
    const rig = new Rig({ eventQueueEntries: 4 });
    rig.post(0, 5);
    expect(rig.hw.pump(64)).toBe(4); // PROD is entry 0, wrapped
    Atomics.store(rig.words, rig.base + SMMU_EVTQ_CONS, 5); // ahead of PROD
    expect(rig.hw.needsWork()).toBe(false);
    expect(rig.hw.pump(64)).toBe(0);
    Atomics.store(rig.words, rig.base + SMMU_EVTQ_CONS, 4);
    expect(rig.hw.pump(64)).toBe(1);
  });
});

describe('stall tags', () => {
  test('bound the stalls outstanding, and come back with RESUME alone', () => {
    const rig = new Rig({ stallMax: 3, eventQueueEntries: 64 });
    rig.post(0, 8);
    expect(rig.hw.pump(64)).toBe(3);
    rig.pump.pump(64);
    expect(rig.hw.pump(64)).toBe(0); // entries are free, tags are not
    expect(rig.hw.outstanding).toBe(3);
    const first = rig.reporter.take();
    expect(new Set(first.map((f) => f.grpid)).size).toBe(3);
    rig.answer(first[1]);
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    rig.pump.pump(64);
    const next = rig.reporter.take();
    expect(next.map((f) => f.grpid)).toEqual([first[1].grpid]); // the only one that was free
    for (const fault of [first[0], first[2], ...next]) rig.answer(fault);
    rig.ops[0].flushResponses();
    for (let i = 0; i < 10 && !rig.ports[0].isDone(); i++) {
      rig.hw.pump(64);
      rig.pump.pump(64);
      expect(rig.hw.outstanding).toBeLessThanOrEqual(3);
      rig.answerAll();
    }
    expect(rig.ports[0].isDone()).toBe(true);
    expect(readSmmuStats(rig.words, rig.base)).toMatchObject({ peakStalls: 3, retried: 8, strays: 0 });
    expect(readSmmuStats(rig.words, rig.base).heldForTag).toBeGreaterThan(0);
  });

  test('a RESUME that matches no stall does nothing', () => {
    const rig = new Rig();
    rig.post(0, 1);
    rig.hw.pump(64);
    rig.pump.pump(64);
    const [fault] = rig.reporter.faults;
    rig.answer({ token: fault.token + 1, grpid: fault.grpid }); // another stream's
    rig.answer({ token: fault.token, grpid: fault.grpid + 1 }); // no such tag in use
    rig.answer({ token: fault.token, grpid: 0xffff }); // beyond STALL_MAX
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    expect(rig.ports[0].isDone()).toBe(false);
    expect(readSmmuStats(rig.words, rig.base)).toMatchObject({ strays: 3, retried: 0 });
    rig.answer(fault);
    rig.answer(fault); // twice
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    expect(rig.ports[0].isDone()).toBe(true);
    expect(readSmmuStats(rig.words, rig.base)).toMatchObject({ strays: 4, retried: 1 });
  });
});

describe('streams', () => {
  /** Streams 1 and 2 set up, 3 not; then everything on. */
  const eventOf = (rig: Rig): { name: string; values: Record<string, number> } => {
    writeStream(rig.words, rig.base, 1, { config: STE_TRANSLATE, stall: true, substreams: 16, device: 1 });
    writeStream(rig.words, rig.base, 2, { config: STE_TRANSLATE, stall: true, substreams: 0, device: 2 });
    rig.enable();
    rig.ops[0].issue(CMD_CFGI_STE_RANGE, { range: CFGI_RANGE_ALL });
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    return decodeEvent(rig.words, rig.entry(0));
  };

  test.each([
    ['outside the table', 99, 3, 'C_BAD_STREAMID', { ssv: 1, substreamId: 3, streamId: 99 }],
    ['substream out of range', 1, 16, 'C_BAD_SUBSTREAMID', { substreamId: 16, streamId: 1 }],
    ['substream 0', 1, 0, 'F_STREAM_DISABLED', { streamId: 1 }],
    ['substream where there are none', 2, 1, 'C_BAD_SUBSTREAMID', { substreamId: 1, streamId: 2 }],
    ['not set up', 3, -1, 'C_BAD_STE', { ssv: 0, substreamId: 0, streamId: 3 }],
  ])('%s: aborted with its event', (_name, streamId, substreamId, event, values) => {
    const rig = new Rig({ portList: [{ streamId, substreamId }], off: true });
    rig.post(0, 1);
    const { name, values: got } = eventOf(rig);
    expect(name).toBe(event);
    expect(got).toMatchObject(values);
    expect(rig.results(0)).toEqual([STALL_ABORT]);
    rig.pump.pump(64);
    expect(rig.reporter.faults).toEqual([]);
    expect(rig.pump.counts().events).toBe(1);
  });
});

describe('switches', () => {
  test('off: an access ends; EVTQEN off: a stall waits', () => {
    const rig = new Rig();
    const control = Atomics.load(rig.words, rig.base + SMMU_CR0);
    rig.hw.pump(1);
    Atomics.store(rig.words, rig.base + SMMU_CR0, control & ~4);
    rig.post(0, 2);
    expect(rig.hw.pump(64)).toBe(0);
    expect(Atomics.load(rig.words, rig.base + SMMU_CR0ACK)).toBe(control & ~4);
    expect(rig.ports[0].isDone()).toBe(false);
    Atomics.store(rig.words, rig.base + SMMU_CR0, control);
    expect(rig.hw.needsWork()).toBe(true);
    expect(rig.hw.pump(64)).toBe(2);
    Atomics.store(rig.words, rig.base + SMMU_CR0, 0);
    rig.hw.pump(64);
    expect(rig.ports[0].isDone()).toBe(true); // recorded, but not resumed: ended with SMMUEN
    expect(rig.results(0)).toEqual([STALL_ABORT, STALL_ABORT]);
    expect(rig.hw.outstanding).toBe(0);
    rig.ports[0].reset();
    rig.post(0, 1);
    rig.hw.pump(64);
    expect(rig.results(0)).toEqual([STALL_ABORT]);
  });

  test('abort, bypass and no-stall streams', () => {
    const rig = new Rig({ portList: [1, 2, 3].map((streamId) => ({ streamId, substreamId: -1 })) });
    const stream = { stall: true, substreams: 0, device: 0 };
    writeStream(rig.words, rig.base, 1, { ...stream, config: STE_ABORT });
    writeStream(rig.words, rig.base, 2, { ...stream, config: STE_BYPASS });
    writeStream(rig.words, rig.base, 3, { ...stream, config: STE_TRANSLATE, stall: false });
    for (const s of [1, 2, 3]) rig.ops[0].invalidateStream(s);
    rig.ops[0].flushResponses();
    for (const port of [0, 1, 2]) rig.post(port, 1);
    rig.hw.pump(64);
    expect([0, 1, 2].map((port) => rig.ports[port].result(0))).toEqual([STALL_ABORT, STALL_RETRY, STALL_ABORT]);
    expect(rig.pump.pump(64)).toBe(1); // of stream 3 alone: abort is silent
    expect(decodeEvent(rig.words, rig.entry(0))).toMatchObject({
      name: 'F_TRANSLATION',
      values: { stall: 0, streamId: 3 },
    });
    expect(rig.reporter.faults).toEqual([]);
  });

  test('a changed stream counts from CFGI_STE on, and from its range form', () => {
    const rig = new Rig({ portList: [{ streamId: 5, substreamId: 1 }] });
    writeStream(rig.words, rig.base, 5, { config: STE_ABORT, stall: true, substreams: 16, device: 0 });
    rig.post(0, 1);
    rig.hw.pump(64);
    expect(rig.ports[0].isDone()).toBe(false); // still the old entry
    rig.pump.pump(64);
    rig.answerAll();
    rig.ops[0].issue(CMD_CFGI_STE_RANGE, { streamId: 7, range: 1 }); // 4 streams, aligned: 4 to 7
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    rig.ports[0].reset();
    rig.post(0, 1);
    rig.hw.pump(64);
    expect(rig.results(0)).toEqual([STALL_ABORT]);
  });

  test('a busy port starves nobody', () => {
    const rig = new Rig({ eventQueueEntries: 32, portList: [1, 2].map((streamId) => ({ streamId, substreamId: 1 })) });
    rig.post(0, 64);
    rig.post(1, 2);
    rig.hw.pump(64);
    rig.pump.pump(64);
    expect(rig.reporter.faults.filter((f) => f.token === 2)).toHaveLength(2);
  });
});
