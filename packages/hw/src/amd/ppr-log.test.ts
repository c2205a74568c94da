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
import { clearControl, setControl } from './control.ts';
import { AMD_PPR_HEAD } from './layout.ts';
import {
  CONTROL_PPR_EN,
  CONTROL_PPRINT_EN,
  STATUS_PPR_EARLY,
  STATUS_PPR_INT,
  STATUS_PPR_OVERFLOW,
  STATUS_PPR_RUN,
} from './registers.ts';
import { Rig } from './rig.test-help.ts';

const READ = REQUEST_READ | REQUEST_PASID_VALID;
const MARKER = REQUEST_LAST | REQUEST_PASID_VALID | REQUEST_STOP_MARKER;
const BITS = STATUS_PPR_INT | STATUS_PPR_OVERFLOW | STATUS_PPR_RUN | STATUS_PPR_EARLY;
function posts(rig: Rig, count: number, flags?: number): void {
  for (let i = 0; i < count; i++) rig.post(i % 512, flags === undefined ? { page: i } : { page: i, flags });
}

describe('what the log takes', () => {
  test('a request becomes an entry, the tail moves, one interrupt', async () => {
    const rig = await Rig.on();
    const rings = rig.irq.rings();
    rig.post(0x1a5, { page: 0xfedcba9876543, flags: READ | REQUEST_EXEC | REQUEST_PRIV | REQUEST_LAST });
    rig.hw.pump(64);
    expect(Array.from(rig.words.subarray(rig.pprEntry(0), rig.pprEntry(1)), (w) => (w >>> 0).toString(16))).toEqual([
      '10010',
      '110603a5',
      '76543000',
      'fedcba98',
    ]);
    expect([rig.head, rig.tail]).toEqual([0, 16]);
    expect(rig.status & BITS).toBe(STATUS_PPR_INT | STATUS_PPR_RUN);
    expect(rig.irq.rings() - rings).toBe(1);
    rig.post(1);
    rig.hw.pump(64);
    expect(rig.irq.rings() - rings).toBe(1); // the bit is set already: whoever clears it looks at the tail after that
  });

  test('no interrupt while they are off; one for what waits when they are on again', async () => {
    const rig = await Rig.on();
    clearControl(rig.words, rig.base, CONTROL_PPRINT_EN);
    rig.hw.pump(1);
    const rings = rig.irq.rings();
    rig.post(1);
    rig.hw.pump(64);
    expect(rig.irq.rings()).toBe(rings);
    setControl(rig.words, rig.base, CONTROL_PPRINT_EN);
    rig.hw.pump(1);
    expect(rig.irq.rings() - rings).toBe(1);
  });

  test('it wraps', async () => {
    const rig = await Rig.on({ pprEntries: 256 });
    for (let round = 0; round < 5; round++) {
      posts(rig, 100);
      rig.settle();
    }
    expect([rig.head, rig.tail]).toEqual([(500 % 256) * 16, (500 % 256) * 16]);
    const faults = rig.reporter.take();
    expect(faults.length).toBe(500);
    expect(faults.every((fault, i) => fault.pageLo === i % 100 && fault.grpid === i % 100)).toBe(true);
  });

  test('a head that is nonsense is taken modulo the log', async () => {
    const rig = await Rig.on({ pprEntries: 256 });
    Atomics.store(rig.words, rig.base + AMD_PPR_HEAD, 256 * 16 * 7 + 5); // means 0
    posts(rig, 255);
    rig.hw.pump(1000);
    expect([rig.stat('logged'), rig.stat('pprOverflows')]).toEqual([255, 0]);
    rig.post(1);
    rig.hw.pump(64);
    expect(rig.stat('pprOverflows')).toBe(1);
  });
});

describe('what the hardware refuses', () => {
  const invalid = { prgi: 3, code: 1, pasid: 1 };

  test.each([
    ['PPR off in the device table entry', async (rig: Rig) => rig.during(rig.driver.disablePri(0x10)), invalid],
    ['a blocked device', async (rig: Rig) => rig.during(rig.driver.blockDevice(0x10)), invalid],
  ])('%s: Invalid for the last, an event for each', async (_name, how, answer) => {
    const rig = await Rig.on();
    await how(rig);
    rig.post(3, { flags: READ });
    rig.post(3);
    rig.post(4, { flags: MARKER });
    rig.settle();
    expect(rig.received()).toEqual([answer]);
    expect(rig.events.map((event) => [event.name, event.values.prgIndex, event.values.last])).toEqual([
      ['INVALID_PPR_REQUEST', 3, 0],
      ['INVALID_PPR_REQUEST', 3, 1],
      ['INVALID_PPR_REQUEST', 4, 1],
    ]);
    expect([rig.stat('rejected'), rig.stat('stopMarkers'), rig.stat('logged')]).toEqual([2, 1, 0]);
  });

  test('a PASID without guest translation, and a device outside the table', async () => {
    const rig = new Rig({ rids: [0x11, 0xffff] });
    await rig.during(rig.driver.enable());
    rig.driver.bindDevice(0x11, 1);
    await rig.during(rig.driver.attach(0x11, { kind: 'identity', domain: 1 }));
    await rig.during(rig.driver.enablePri(0x11));
    rig.post(3);
    rig.post(4, { flags: REQUEST_WRITE | REQUEST_LAST });
    rig.post(5, { port: 1 });
    rig.hw.pump(64);
    expect(rig.received(0)).toEqual([{ prgi: 3, code: 1, pasid: 1 }]);
    expect(rig.received(1)).toEqual([{ prgi: 5, code: 1, pasid: 1 }]);
    expect(rig.stat('logged')).toBe(1); // the one without a PASID: the pump refuses it
  });

  test('PPR processing off: Failure, without an event', async () => {
    const rig = await Rig.on();
    clearControl(rig.words, rig.base, CONTROL_PPR_EN);
    rig.post(3, { flags: READ });
    rig.post(3);
    rig.settle();
    expect(rig.received()).toEqual([{ prgi: 3, code: 15, pasid: 1 }]);
    expect(rig.events).toEqual([]);
  });

  test('the IOMMU off: Failure', async () => {
    const rig = await Rig.on();
    await rig.during(rig.driver.disable());
    rig.post(3);
    rig.settle();
    expect(rig.received()).toEqual([{ prgi: 3, code: 15, pasid: 1 }]);
  });

  test('stop markers, when they are blocked', async () => {
    const rig = await Rig.on({ enable: { blockStopMarkers: true } });
    rig.post(3, { flags: MARKER });
    rig.settle();
    expect([rig.stat('stopMarkers'), rig.stat('logged'), rig.received()]).toEqual([1, 0, []]);
  });
});
