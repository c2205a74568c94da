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
import { clearControl, clearStatus, setControl } from './control.ts';
import { AMD_PPR_AUTO_RESPONSE, AMD_PPR_HEAD } from './layout.ts';
import {
  CONTROL_HI_PPR_AUTO_RSP_AON,
  CONTROL_PPR_EN,
  CONTROL_PPRINT_EN,
  CONTROL_PPRLOG_EN,
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

describe('overflow', () => {
  test('one entry stays unused; the next request stops the log, however much room there is then', async () => {
    const rig = await Rig.on({ pprEntries: 256 });
    posts(rig, 255);
    rig.hw.pump(1000);
    expect([rig.stat('logged'), rig.status & BITS]).toEqual([255, STATUS_PPR_INT | STATUS_PPR_RUN]);
    rig.post(7, { flags: READ });
    rig.hw.pump(64);
    expect(rig.status & BITS).toBe(STATUS_PPR_INT | STATUS_PPR_OVERFLOW);
    Atomics.store(rig.words, rig.base + AMD_PPR_HEAD, 100 * 16);
    posts(rig, 3);
    rig.hw.pump(64);
    expect([rig.stat('logged'), rig.stat('pprOverflows'), rig.stat('discarded'), rig.stat('autoAnswered')]).toEqual([
      255, 1, 1, 3,
    ]);
  });

  test('last requests are answered Success, with their PASID; others and stop markers are dropped', async () => {
    const rig = await Rig.on({ pprEntries: 256 });
    posts(rig, 255, READ);
    rig.post(1, { flags: READ });
    rig.post(1, { flags: READ | REQUEST_LAST, pasid: 5 });
    rig.post(2, { flags: MARKER });
    rig.hw.pump(1000);
    expect(rig.received()).toEqual([{ prgi: 1, code: 0, pasid: 5 }]);
    expect(rig.stat('discarded')).toBe(2);
  });

  test('the answer is what software put into the register', async () => {
    const rig = await Rig.on({ pprEntries: 256 });
    rig.words[rig.base + AMD_PPR_AUTO_RESPONSE] = 0x1f; // Response Failure, without the PASID
    posts(rig, 256);
    rig.hw.pump(1000);
    expect(rig.received()).toEqual([{ prgi: 255, code: 15, pasid: -1 }]);
  });

  test('without automatic responses nothing is answered, as Linux has it', async () => {
    const rig = await Rig.on({ pprEntries: 256, enable: { autoResponse: false } });
    posts(rig, 258);
    rig.hw.pump(1000);
    expect(rig.received()).toEqual([]);
    expect(rig.stat('discarded')).toBe(3);
  });

  test('clearing the bit alone does not restart; nor does writing the enable bit 1 over 1; off and on does', async () => {
    const rig = await Rig.on({ pprEntries: 256 });
    posts(rig, 256);
    rig.hw.pump(1000);
    Atomics.store(rig.words, rig.base + AMD_PPR_HEAD, rig.tail);
    clearStatus(rig.words, rig.base, STATUS_PPR_OVERFLOW);
    setControl(rig.words, rig.base, CONTROL_PPRLOG_EN);
    rig.hw.pump(64);
    expect(rig.status & STATUS_PPR_RUN).toBe(0);
    clearControl(rig.words, rig.base, CONTROL_PPRLOG_EN);
    setControl(rig.words, rig.base, CONTROL_PPRLOG_EN);
    rig.hw.pump(64);
    expect(rig.status & STATUS_PPR_RUN).toBe(STATUS_PPR_RUN);
    rig.post(1);
    rig.hw.pump(64);
    expect(rig.stat('logged')).toBe(256);
  });

  test('off and on with the overflow bit set does not restart', async () => {
    const rig = await Rig.on({ pprEntries: 256 });
    posts(rig, 256);
    rig.hw.pump(1000);
    clearControl(rig.words, rig.base, CONTROL_PPRLOG_EN);
    setControl(rig.words, rig.base, CONTROL_PPRLOG_EN);
    rig.hw.pump(64);
    expect(rig.status & STATUS_PPR_RUN).toBe(0);
  });

  test('clearing STATUS touches the bits that writing 1 clears, and no other', async () => {
    const rig = await Rig.on();
    rig.post(1);
    rig.hw.pump(64);
    clearStatus(rig.words, rig.base, -1);
    expect(rig.status & BITS).toBe(STATUS_PPR_RUN);
  });

  test('the pump drains, tells of the loss once, and restarts: nothing reported is lost', async () => {
    const order: string[] = [];
    const rig = await Rig.on({ pprEntries: 256, onLost: () => order.push(`lost after ${rig.reporter.faults.length}`) });
    posts(rig, 300);
    rig.hw.pump(1000);
    rig.settle();
    expect(order).toEqual(['lost after 255']);
    expect(rig.status & BITS).toBe(STATUS_PPR_RUN);
    expect(rig.pump.counts()).toMatchObject({ reported: 255, pprOverflows: 1 });
    expect(rig.received().length).toBe(45);
    rig.post(9);
    rig.settle();
    expect(rig.reporter.faults.length).toBe(256);
  });

  test('a budget that ends with the last entry leaves the restart to the next pump', async () => {
    const rig = await Rig.on({ pprEntries: 256 });
    posts(rig, 256);
    rig.hw.pump(1000);
    expect(rig.pump.pump(255)).toBe(255);
    expect(rig.pump.needsWork()).toBe(true);
    rig.pump.pump(1);
    rig.hw.pump(1);
    expect(rig.status & STATUS_PPR_RUN).toBe(STATUS_PPR_RUN);
    expect(rig.pump.needsWork()).toBe(false);
  });

  test('a log that the driver switched off is not switched on by the pump', async () => {
    const rig = await Rig.on({ pprEntries: 256 });
    posts(rig, 256);
    rig.hw.pump(1000);
    clearControl(rig.words, rig.base, CONTROL_PPRLOG_EN);
    rig.settle();
    expect([rig.status & STATUS_PPR_RUN, rig.pump.counts().pprOverflows, rig.lost]).toEqual([0, 0, 1]);
  });
});

describe('before it overflows', () => {
  test('past the threshold it warns once, answers by itself, and goes on when there is room', async () => {
    const rig = await Rig.on({ pprEntries: 256, enable: { earlyThreshold: 10 } });
    const rings = rig.irq.rings();
    posts(rig, 9);
    rig.hw.pump(64);
    expect(rig.status & STATUS_PPR_EARLY).toBe(0);
    posts(rig, 3);
    rig.hw.pump(64);
    expect(rig.status & BITS).toBe(STATUS_PPR_EARLY | STATUS_PPR_INT | STATUS_PPR_RUN);
    expect(rig.irq.rings() - rings).toBe(2);
    expect([rig.stat('logged'), rig.stat('autoAnswered'), rig.stat('earlyWarnings')]).toEqual([10, 2, 1]);
    rig.settle();
    expect(rig.pump.counts()).toMatchObject({ reported: 10, earlyWarnings: 1, pprOverflows: 0 });
    expect(rig.lost).toBe(1);
    posts(rig, 1);
    rig.settle();
    expect(rig.stat('logged')).toBe(11);
  });

  test('without automatic responses it warns and logs on', async () => {
    const rig = await Rig.on({ pprEntries: 256, enable: { earlyThreshold: 10, autoResponse: false } });
    posts(rig, 20);
    rig.hw.pump(64);
    expect([rig.stat('logged'), rig.stat('earlyWarnings')]).toEqual([20, 1]);
  });

  test('always on: every last request is answered, none is logged', async () => {
    const rig = await Rig.on();
    setControl(rig.words, rig.base, 0, CONTROL_HI_PPR_AUTO_RSP_AON);
    posts(rig, 3);
    rig.hw.pump(64);
    expect([rig.stat('logged'), rig.received().length]).toEqual([0, 3]);
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
