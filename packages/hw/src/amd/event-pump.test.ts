import { TICKS_PER_MS } from '@faultline/core/sync';
import { describe, expect, test } from 'vitest';
import {
  REQUEST_EXEC,
  REQUEST_LAST,
  REQUEST_PASID_VALID,
  REQUEST_PRIV,
  REQUEST_READ,
  REQUEST_STOP_MARKER,
  REQUEST_WRITE,
} from '../pcie/pri-port.layout.ts';
import { AMD_EVT_TAIL, AMD_EVTLOG, AMD_STATUS } from './layout.ts';
import { encodePprEntry } from './ppr-log.ts';
import { STATUS_EVT_OVERFLOW, STATUS_EVT_RUN, STATUS_PPR_OVERFLOW, STATUS_W1C } from './registers.ts';
import { Rig } from './rig.test-help.ts';
import type { RigConfig } from './rig-parts.test-help.ts';

const READ = REQUEST_READ | REQUEST_PASID_VALID;

describe('reports', () => {
  test('every field, and the flags that AMD always sets', async () => {
    const rig = await Rig.on();
    rig.post(0x1a5, { page: 0xfedcba9876543, flags: READ | REQUEST_EXEC | REQUEST_PRIV, pasid: 7 });
    rig.post(0x1a5, { page: 1, flags: REQUEST_WRITE | REQUEST_PASID_VALID | REQUEST_LAST, pasid: 7 });
    rig.settle();
    const common = { device: 10, pasid: 7, grpid: 0x1a5, token: 0x10 };
    expect(rig.reporter.take()).toMatchObject([
      { ...common, flags: 1 | 4, perm: 1 | 4 | 8, pageLo: 0xa9876543 | 0, pageHi: 0xfedcb },
      { ...common, flags: 1 | 2 | 4, perm: 2, pageLo: 1, pageHi: 0 },
    ]);
  });

  test('the entry is zeroed and given back before it is handled', async () => {
    const seen: number[][] = [];
    const rig = await Rig.on();
    const { reportDeviceFault } = rig.reporter;
    rig.reporter.reportDeviceFault = (at) => {
      seen.push([rig.head, ...rig.words.subarray(rig.pprEntry(0), rig.pprEntry(1))]);
      return reportDeviceFault.call(rig.reporter, at);
    };
    rig.post(1);
    rig.settle();
    expect(seen).toEqual([[16, 0, 0, 0, 0]]);
  });

  test('a request that the core refuses is the core’s to answer', async () => {
    const rig = await Rig.on();
    rig.reporter.verdict = -22;
    rig.post(1);
    rig.settle();
    expect(rig.pump.counts()).toMatchObject({ reported: 0, refused: 1 });
    expect(rig.received()).toEqual([]);
  });

  test('answers go back with the PASID, in the codes of PCIe', async () => {
    const rig = await Rig.on();
    for (const prgi of [1, 2, 3]) rig.post(prgi, { pasid: prgi });
    rig.settle();
    const [a, b, c] = rig.reporter.take();
    rig.answer(a, 0);
    rig.answer(b, 1);
    rig.answer(c, 2);
    rig.ops.flushResponses();
    rig.hw.pump(64);
    expect(rig.received()).toEqual([
      { prgi: 1, code: 0, pasid: 1 },
      { prgi: 2, code: 1, pasid: 2 },
      { prgi: 3, code: 15, pasid: 3 },
    ]);
  });

  test('batches of 64', async () => {
    const rig = await Rig.on();
    for (let i = 0; i < 130; i++) rig.post(i);
    rig.hw.pump(1000);
    expect(rig.pump.pump(1000)).toBe(130);
    expect(rig.reporter.batches).toBe(3);
  });
});

describe('refusals', () => {
  const cases: [string, number, number, number][] = [
    ['noPasid', REQUEST_READ, 0, -1],
    ['badPasid', READ, 0, 0],
    ['badPasid', READ, 16, 16],
  ];

  test.each(cases)('%s: Failure for the group, once', async (outcome, flags, pasid, back) => {
    const rig = await Rig.on();
    rig.post(3, { flags, pasid });
    rig.post(3, { flags, pasid });
    rig.post(3, { flags: flags | REQUEST_LAST, pasid });
    rig.settle();
    rig.hw.pump(64);
    expect(rig.received()).toEqual([{ prgi: 3, code: 15, pasid: back }]);
    expect(rig.pump.counts()).toMatchObject({ [outcome]: 3, reported: 0 });
    expect(rig.notes).toEqual([outcome, outcome, outcome]);
  });

  test.each(cases)('%s as Linux has it: Failure for every entry', async (_outcome, flags, pasid, back) => {
    const rig = await Rig.on({ asLinux: true });
    rig.post(3, { flags, pasid });
    rig.post(3, { flags: flags | REQUEST_LAST, pasid });
    rig.settle();
    rig.hw.pump(64);
    expect(rig.received()).toEqual([
      { prgi: 3, code: 15, pasid: back },
      { prgi: 3, code: 15, pasid: back },
    ]);
  });

  async function withEntry(config: RigConfig, values: Record<string, number>, type: number = 1): Promise<Rig> {
    const rig = await Rig.on(config);
    const entry = new Int32Array(4);
    encodePprEntry(entry, 0, 1, { device: 0x10, pasidLo: 1, gn: 1, last: 1, prgIndex: 9, read: 1, ...values });
    entry[1] = (entry[1] & 0x0fffffff) | (type << 28);
    rig.inject(Array.from(entry));
    rig.pump.pump(64);
    rig.hw.pump(64);
    return rig;
  }

  test('a reserved bit: Failure', async () => {
    const rig = await withEntry({}, { reservedNonzero: 1 });
    expect(rig.received()).toEqual([{ prgi: 9, code: 15, pasid: 1 }]);
    expect(rig.pump.counts().malformed).toBe(1);
  });

  test('an unknown type: nothing to answer', async () => {
    const rig = await withEntry({}, {}, 2);
    expect([rig.received(), rig.pump.counts().unknownEntry]).toEqual([[], 1]);
  });

  test('a device without a driver: Failure; no answer as Linux has it', async () => {
    const ours = await withEntry({ rids: [0x10, 0x11] }, { device: 0x12 });
    expect([ours.pump.counts().unknownDevice, ours.stat('strays')]).toEqual([1, 1]); // answered, and nobody there
    const linux = await withEntry({ asLinux: true }, { device: 0x12 });
    expect([linux.pump.counts().unknownDevice, linux.stat('strays')]).toEqual([1, 0]);
    const outside = await withEntry({}, { device: 0xffff });
    expect(outside.pump.counts().unknownDevice).toBe(1);
  });

  test('stop markers are never answered, whatever their PASID', async () => {
    const rig = await Rig.on();
    rig.post(3, { flags: REQUEST_LAST | REQUEST_PASID_VALID | REQUEST_STOP_MARKER, pasid: 0 });
    rig.settle();
    rig.hw.pump(64);
    expect([rig.pump.counts().stopMarkers, rig.received(), rig.reporter.faults]).toEqual([1, [], []]);
  });
});

describe('entries that are late', () => {
  test('the tail moves first: the entry is waited for, and nothing is lost', async () => {
    const rig = await Rig.on({ lateEntries: true });
    for (let i = 0; i < 300; i++) rig.post(i, { page: i });
    rig.hw.pump(64);
    expect([rig.tail, rig.words[rig.pprEntry(0) + 1]]).toEqual([16, 0]);
    expect([rig.pump.pump(64), rig.pump.needsWork()]).toEqual([0, true]);
    while (rig.hw.needsWork()) {
      rig.hw.pump(64);
      rig.pump.pump(64);
    }
    expect(rig.reporter.take().map((fault) => fault.pageLo)).toEqual(Array.from({ length: 300 }, (_, i) => i));
    expect(rig.pump.counts().missing).toBe(0);
  });

  test('one that does not come is passed over after 100 ms', async () => {
    const rig = await Rig.on();
    rig.inject([0, 0, 0, 0]);
    rig.pump.pump(64);
    rig.tick += 100 * TICKS_PER_MS - 1;
    expect([rig.pump.pump(64), rig.head]).toEqual([0, 0]);
    rig.tick += 1;
    expect([rig.pump.pump(64), rig.head]).toEqual([1, 16]);
    expect(rig.pump.counts().missing).toBe(1);
  });
});

describe('the event log', () => {
  test('an overflow loses the event, stops the log, and is recovered from', async () => {
    const rig = await Rig.on({ eventEntries: 256 });
    await rig.during(rig.driver.disablePri(0x10));
    for (let i = 0; i < 300; i++) rig.post(i, { flags: READ });
    rig.hw.pump(1000);
    expect([rig.stat('events'), rig.stat('eventsLost')]).toEqual([255, 45]);
    expect(rig.status & (STATUS_EVT_OVERFLOW | STATUS_EVT_RUN)).toBe(STATUS_EVT_OVERFLOW);
    rig.settle();
    expect(rig.pump.counts()).toMatchObject({ events: 255, eventOverflows: 1 });
    expect(rig.status & (STATUS_EVT_OVERFLOW | STATUS_EVT_RUN)).toBe(STATUS_EVT_RUN);
    rig.post(1, { flags: READ });
    rig.settle();
    expect(rig.pump.counts().events).toBe(256);
  });

  test('a log that stopped goes on only when it is drained; whatever room there is before', async () => {
    const rig = await Rig.on({ eventEntries: 256 });
    await rig.during(rig.driver.disablePri(0x10));
    for (let i = 0; i < 300; i++) rig.post(i, { flags: READ });
    rig.hw.pump(1000);
    expect(rig.pump.pump(100)).toBe(100);
    rig.hw.pump(1000);
    expect(rig.status & STATUS_EVT_RUN).toBe(0); // room is no reason to go on
    expect([rig.pump.needsWork(), rig.pump.pump(1000)]).toEqual([true, 155]);
    rig.hw.pump(1000);
    expect([rig.status & STATUS_EVT_RUN, rig.pump.counts().eventOverflows]).toEqual([STATUS_EVT_RUN, 1]);
  });

  test('an event of a type that is left out is counted', async () => {
    const rig = await Rig.on();
    const at = rig.base + rig.words[rig.base + AMD_EVTLOG] + Atomics.load(rig.words, rig.base + AMD_EVT_TAIL) / 4;
    rig.words[at + 1] = 0xc0000000 | 0;
    Atomics.add(rig.words, rig.base + AMD_EVT_TAIL, 16);
    rig.pump.pump(64);
    expect(rig.pump.counts()).toMatchObject({ unknownEvents: 1, events: 0 });
  });
});

describe('the interrupt loop', () => {
  test('bits that are set while the logs are drained are seen before it ends (ERBT1312)', async () => {
    const rig = await Rig.on();
    const { reportDeviceFault } = rig.reporter;
    rig.reporter.reportDeviceFault = (at) => {
      if (rig.reporter.faults.length < 5) {
        rig.post(100 + rig.reporter.faults.length); // arrives while the one before is reported
        rig.hw.pump(64);
      }
      return reportDeviceFault.call(rig.reporter, at);
    };
    rig.post(1);
    rig.hw.pump(64);
    expect(rig.pump.pump(1000)).toBe(6);
    expect([rig.status & STATUS_W1C, rig.pump.needsWork()]).toEqual([0, false]);
  });

  test('a spurious interrupt: bits are cleared, nothing is taken', async () => {
    const rig = await Rig.on();
    Atomics.or(rig.words, rig.base + AMD_STATUS, STATUS_W1C & ~STATUS_EVT_OVERFLOW & ~STATUS_PPR_OVERFLOW);
    expect([rig.pump.pump(64), rig.status & STATUS_W1C]).toEqual([0, 0]);
  });
});
