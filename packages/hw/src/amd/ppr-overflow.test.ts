import { describe, expect, test } from 'vitest';
import { REQUEST_LAST, REQUEST_PASID_VALID, REQUEST_READ, REQUEST_STOP_MARKER } from '../pcie/pri-port.layout.ts';
import { clearControl, clearStatus, restartLog, setControl } from './control.ts';
import { AMD_CONTROL, AMD_PPR_AUTO_RESPONSE, AMD_PPR_HEAD, AMD_PPR_STARTS } from './layout.ts';
import {
  CONTROL_HI_PPR_AUTO_RSP_AON,
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

  test('the restart procedure, register by register: not while it runs, not while it is off', async () => {
    const rig = await Rig.on({ pprEntries: 256 });
    const control = (): number =>
      Atomics.load(rig.words, rig.base + AMD_CONTROL) & (CONTROL_PPRLOG_EN | CONTROL_PPRINT_EN);
    const starts = (): number => Atomics.load(rig.words, rig.base + AMD_PPR_STARTS);
    const restart = (): boolean =>
      restartLog(
        ...([rig.words, rig.base, CONTROL_PPRLOG_EN, CONTROL_PPRINT_EN, STATUS_PPR_RUN, STATUS_PPR_OVERFLOW] as const),
      );
    const before = starts();
    expect([restart(), starts() - before]).toEqual([false, 0]);
    posts(rig, 256);
    rig.hw.pump(1000);
    expect([restart(), starts() - before]).toEqual([true, 1]); // 0, then 1
    expect([control(), rig.status & STATUS_PPR_OVERFLOW]).toEqual([CONTROL_PPRLOG_EN | CONTROL_PPRINT_EN, 0]);
    clearControl(rig.words, rig.base, CONTROL_PPRLOG_EN);
    expect([restart(), control()]).toEqual([false, CONTROL_PPRINT_EN]);
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
