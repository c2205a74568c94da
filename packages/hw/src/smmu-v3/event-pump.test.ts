import {
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  FAULT_PERM_EXEC,
  FAULT_PERM_READ,
  FAULT_PERM_WRITE,
} from '@faultline/core/iopf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { queueEmpty } from '../queue/index.ts';
import { readSmmuStats, STALL_ABORT, STALL_RETRY } from './index.ts';
import { SMMU_EVTQ, SMMU_EVTQ_PROD } from './layout.ts';
import { Rig } from './rig.test-help.ts';

describe('a fault, round trip on one thread', () => {
  test('arrives as the device posted it, and its answer goes back', () => {
    const rig = new Rig({
      portList: [
        { streamId: 3, substreamId: 7 },
        { streamId: 4, substreamId: -1 },
      ],
    });
    rig.ports[0].post(0x9abcdef0 | 0, 0xfffff, FAULT_PERM_READ | FAULT_PERM_EXEC, 0);
    rig.ports[0].post(0x12, 0, FAULT_PERM_READ | FAULT_PERM_WRITE, 0);
    rig.ports[0].publish();
    rig.ports[1].post(1, 0, 0, 0);
    rig.ports[1].publish();
    expect(rig.hw.pump(64)).toBe(3);
    rig.words[rig.base + rig.words[rig.base + SMMU_EVTQ] + 4] |= 0xabc; // the model's devices stall on pages, others on addresses
    expect(rig.pump.pump(64)).toBe(3);
    expect(rig.reporter.faults).toMatchObject([
      {
        device: 13,
        flags: FAULT_FLAG_LAST_PAGE | FAULT_FLAG_PASID_VALID,
        pasid: 7,
        perm: FAULT_PERM_READ | FAULT_PERM_EXEC,
        pageLo: 0x9abcdef0 | 0,
        pageHi: 0xfffff,
        offset: 0xabc,
        token: 3,
      },
      { device: 13, pasid: 7, perm: FAULT_PERM_WRITE, pageLo: 0x12, pageHi: 0, offset: 0, token: 3 },
      { device: 14, flags: FAULT_FLAG_LAST_PAGE, pasid: 0, perm: FAULT_PERM_READ, pageLo: 1, token: 4 },
    ]);
    expect(rig.reporter.batches).toBe(1);
    expect(rig.answerAll()).toBe(3);
    expect(rig.hw.pump(64)).toBe(3);
    expect(rig.ports.map((port) => port.isDone())).toEqual([true, true]);
    expect([...rig.results(0), ...rig.results(1)]).toEqual([STALL_RETRY, STALL_RETRY, STALL_RETRY]);
    expect(rig.pump.counts()).toMatchObject({ reported: 3 });
    expect(rig.notes).toEqual([]);
  });

  test('any sequence of posts, pumps and answers ends with every access answered once', () => {
    const step = fc.record({
      port: fc.nat(3),
      count: fc.integer({ min: 1, max: 8 }),
      budget: fc.integer({ min: 1, max: 6 }),
      what: fc.constantFrom('post', 'hardware', 'pump', 'answer'),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 120 }),
        fc.constantFrom(1, 2, 8),
        fc.constantFrom(1, 3, 100),
        (steps, eventQueueEntries, stallMax) => {
          const streams = [1, 2, 99, 3]; // 99 is outside the table
          const rig = new Rig({
            eventQueueEntries,
            stallMax,
            portCapacity: 8,
            portList: streams.map((streamId) => ({ streamId, substreamId: 1 })),
          });
          let posted = 0;
          const settle = (port: number): void => {
            if (!rig.ports[port].isDone()) return;
            for (const result of rig.results(port))
              expect(result).toBe(streams[port] === 99 ? STALL_ABORT : STALL_RETRY);
            rig.ports[port].reset();
          };
          for (const { what, port, count, budget } of steps) {
            settle(port);
            if (what === 'post' && rig.ports[port].isDone()) {
              posted += count;
              rig.post(port, count, posted);
            } else if (what === 'hardware') rig.hw.pump(budget);
            else if (what === 'pump') rig.pump.pump(budget);
            else if (what === 'answer') rig.answerAll();
            expect(rig.hw.outstanding).toBeLessThanOrEqual(stallMax);
          }
          for (let i = 0; i < 200; i++) {
            rig.hw.pump(64);
            rig.pump.pump(64);
            rig.answerAll();
          }
          expect(rig.ports.every((port) => port.isDone())).toBe(true);
          [0, 1, 2, 3].forEach(settle);
          const stats = readSmmuStats(rig.words, rig.base);
          expect(stats.retried + stats.terminated).toBe(posted);
          expect(stats).toMatchObject({ stalls: stats.retried, strays: 0, aborted: 0 });
          expect(rig.pump.counts()).toMatchObject({ reported: stats.stalls, events: stats.events - stats.stalls });
          expect(rig.hw.outstanding).toBe(0);
          expect(rig.hw.needsWork()).toBe(false);
          expect(queueEmpty(rig.prod, rig.cons, Math.log2(eventQueueEntries))).toBe(true);
          expect((rig.prod ^ rig.cons) < 0).toBe(false); // overflows are acknowledged
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('malformed records', () => {
  const STALL = 0x80000000 | 0;
  test.each([
    ['an unknown event', [0x99, 1, 0, 0], 'unknownEvent', 0],
    ['an unknown event that says Stall', [0x99, 1, STALL | 5, 0], 'unknownEvent', 1],
    ['a stall of a stream outside the table', [0x10, 99, STALL | 5, 0], 'unknownStream', 1],
    ['a stall of a stream without a driver', [0x13, 2, STALL | 5, 0], 'unknownStream', 1],
    ['Stall on an event that may not stall', [0x02, 1, STALL | 5, 0], 'illegalStall', 1],
    ['a configuration error', [0x0a, 1, 0, 0], 'events', 0],
    ['a terminated fault', [0x12, 1, 0, 0], 'events', 0],
  ])('%s', (_name, record, outcome, answers) => {
    const rig = new Rig({ off: true });
    rig.enable();
    rig.inject([...record, 0, 0, 0, 0]);
    expect(rig.pump.pump(64)).toBe(1);
    expect(rig.notes).toEqual([outcome]);
    expect(rig.pump.counts()[outcome as 'events']).toBe(1);
    expect(rig.reporter.faults).toEqual([]);
    expect(rig.hw.pump(64)).toBe(answers); // a RESUME for whoever asked for one
    expect(readSmmuStats(rig.words, rig.base).strays).toBe(answers);
  });

  test('a stall whose stream lost its driver is aborted at the device', async () => {
    const rig = new Rig();
    rig.post(0, 1);
    rig.hw.pump(64);
    await rig.during(rig.driver.detachStream(1));
    rig.hw.pump(64);
    expect(rig.results(0)).toEqual([STALL_ABORT]);
  });

  test('a refusal of the core is counted, and never answered again', () => {
    const rig = new Rig();
    rig.reporter.verdict = -22;
    rig.post(0, 2);
    rig.hw.pump(64);
    rig.pump.pump(64);
    expect(rig.pump.counts()).toMatchObject({ refused: 2, reported: 0 });
    expect(rig.hw.pump(64)).toBe(0);
  });

  test('an inconsistent PROD offers nothing, and keeps nobody awake', () => {
    const rig = new Rig();
    Atomics.store(rig.words, rig.base + SMMU_EVTQ_PROD, 20); // of 16 entries
    expect(rig.pump.pump(64)).toBe(0);
    expect(rig.pump.needsWork()).toBe(false);
    expect(rig.pump.counts().inconsistent).toBe(1);
  });
});

describe('the driver', () => {
  test('attaches, blocks and detaches streams', async () => {
    const rig = new Rig({ off: true, portList: [{ streamId: 6, substreamId: 2 }] });
    await rig.during(rig.driver.enable());
    await rig.during(rig.driver.attachStream(6, 41, { stall: true, substreams: 4 }));
    await expect(rig.driver.attachStream(6, 42, { stall: true })).rejects.toThrow(
      'streamId = 6: has a driver already (EBUSY)',
    );
    await expect(rig.driver.blockStream(8)).rejects.toThrow('streamId = 8: outside the stream table (ENODEV)');
    rig.post(0, 1);
    rig.hw.pump(64);
    rig.pump.pump(64);
    expect(rig.reporter.faults).toMatchObject([{ device: 41, pasid: 2 }]);
    rig.answerAll();
    rig.hw.pump(64);
    rig.ports[0].reset();
    await rig.during(rig.driver.blockStream(6));
    rig.post(0, 1);
    rig.hw.pump(64);
    expect(rig.results(0)).toEqual([STALL_ABORT]);
    await rig.during(rig.driver.detachStream(6));
    await rig.during(rig.driver.attachStream(6, 42, { stall: true }));
  });

  test('the fence holds until older records are reported', async () => {
    const rig = new Rig();
    rig.post(0, 5);
    rig.hw.pump(64);
    let done = false;
    const fence = rig.driver.fenceEventQueue().then(() => {
      done = true;
    });
    for (let i = 0; i < 20; i++) {
      rig.hw.pump(64);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect(done).toBe(false);
    rig.pump.pump(4);
    for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => setImmediate(resolve));
    expect(done).toBe(false);
    rig.pump.pump(4);
    await fence;
    expect(rig.reporter.faults).toHaveLength(5);
  });

  test('the fence asks the hardware first: an empty queue alone proves nothing', async () => {
    const rig = new Rig();
    await expect(rig.driver.fenceEventQueue()).rejects.toThrow('SmmuOps.syncAsync');
  });

  test('switches the event queue off and on', async () => {
    const rig = new Rig();
    rig.post(0, 2);
    await rig.during(rig.driver.disableEventQueue());
    rig.hw.pump(64);
    const seen = rig.reporter.faults.length;
    await rig.during(rig.driver.enableEventQueue());
    rig.hw.pump(64);
    rig.pump.pump(64);
    expect([seen, rig.reporter.faults.length]).toEqual([0, 2]);
    await rig.during(rig.driver.disable());
    expect(rig.results(0)).toEqual([STALL_ABORT, STALL_ABORT]);
  });

  test('gives up on a hardware that does not run', async () => {
    const rig = new Rig();
    await expect(rig.driver.disableEventQueue()).rejects.toThrow('(ETIMEDOUT)');
  });
});
