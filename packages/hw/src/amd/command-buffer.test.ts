import { describe, expect, test } from 'vitest';
import { CMD_COMPLETION_WAIT } from './commands.ts';
import { setControl } from './control.ts';
import { AMD_CMD_HEAD, AMD_CMD_SERIAL, AMD_CMD_STORE, AMD_CMD_TAIL } from './layout.ts';
import { CONTROL_COMWAITINT_EN, STATUS_CMD_RUN, STATUS_COMWAIT_INT } from './registers.ts';
import { Rig } from './rig.test-help.ts';

const cmdHead = (rig: Rig): number => Atomics.load(rig.words, rig.base + AMD_CMD_HEAD);
const cmdTail = (rig: Rig): number => Atomics.load(rig.words, rig.base + AMD_CMD_TAIL);
const stored = (rig: Rig): number => Atomics.load(rig.words, rig.base + AMD_CMD_STORE);
const runs = (rig: Rig): boolean => (rig.status & STATUS_CMD_RUN) !== 0;

describe('the buffer', () => {
  test('commands gather until they are flushed: one store of TAIL', async () => {
    const rig = await Rig.on();
    const before = cmdTail(rig);
    for (let i = 0; i < 10; i++) rig.ops.completePpr(0x10, 1, i, 0);
    expect(cmdTail(rig)).toBe(before);
    rig.ops.flushResponses();
    expect((cmdTail(rig) - before) & 0x1fff).toBe(160);
    rig.hw.pump(64);
    expect(cmdHead(rig)).toBe(cmdTail(rig));
    expect(rig.received().length).toBe(10);
  });

  test('it wraps, and one entry stays unused', async () => {
    const rig = await Rig.on({ commandEntries: 256, credits: 4000 });
    let sent = 0;
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 60; i++) rig.ops.completePpr(0x10, 1, sent++ % 512, 0);
      rig.ops.flushResponses();
      rig.hw.pump(1000);
    }
    expect(rig.received().map((response) => response.prgi)).toEqual(Array.from({ length: sent }, (_, i) => i % 512));
  });

  test('full: who issues waits, and says so when nothing is consumed; what did not fit is kept', async () => {
    const rig = await Rig.on({ commandEntries: 256 });
    for (let i = 0; i < 255; i++) rig.ops.completePpr(0x10, 1, i, 0);
    rig.ops.flushResponses();
    rig.ops.completePpr(0x10, 1, 300, 0);
    expect(() => rig.ops.flushResponses()).toThrow(
      'AmdOps.flush: timeoutMs = 300: no command was consumed (ETIMEDOUT)',
    );
    rig.hw.pump(1000);
    rig.ops.flushResponses(); // the lock was given back
    rig.hw.pump(1000);
    expect(rig.received().at(-1)?.prgi).toBe(300);
  });

  test('commands handed over before the IOMMU is on are not taken for bad ones', async () => {
    const rig = new Rig();
    rig.ops.completePpr(0x10, 1, 7, 0);
    rig.ops.flushResponses();
    const enabled = rig.driver.enable();
    rig.ops.completePpr(0x10, 1, 8, 0);
    rig.ops.flushResponses();
    await rig.during(enabled);
    await rig.during(rig.ops.syncAsync());
    expect([rig.received().map(({ prgi }) => prgi), rig.ops.recovered]).toEqual([[7, 8], 0]);
  });

  test('a tail that is nonsense is taken modulo the buffer', async () => {
    const rig = await Rig.on();
    rig.ops.completePpr(0x10, 1, 1, 0);
    rig.ops.flushResponses();
    Atomics.store(rig.words, rig.base + AMD_CMD_TAIL, cmdTail(rig) + 512 * 16 * 3 + 7);
    rig.hw.pump(64);
    expect(rig.received().length).toBe(1);
  });
});

describe('COMPLETION_WAIT', () => {
  test('stores once what came before it is done, and not earlier', async () => {
    const rig = await Rig.on();
    const before = stored(rig);
    rig.ops.completePpr(0x10, 1, 5, 0);
    const synced = rig.ops.syncAsync();
    rig.hw.pump(1);
    expect([stored(rig) - before, rig.received().length]).toEqual([0, 1]);
    rig.hw.pump(1);
    await synced;
    expect(stored(rig) - before).toBe(1);
  });

  test('answers are with the device before it is done', async () => {
    const rig = await Rig.on();
    rig.ops.completePpr(0x10, 1, 5, 0);
    const synced = rig.ops.syncAsync();
    rig.hw.pump(2);
    await synced;
    expect(rig.received()).toEqual([{ prgi: 5, code: 0, pasid: 1 }]);
  });

  test('raises its interrupt if that is on', async () => {
    const rig = await Rig.on();
    const wait = (): void => {
      rig.ops.issue(CMD_COMPLETION_WAIT, { i: 1 });
      rig.ops.flushResponses();
      rig.hw.pump(64);
    };
    wait();
    expect(rig.status & STATUS_COMWAIT_INT).toBe(0);
    setControl(rig.words, rig.base, CONTROL_COMWAITINT_EN);
    wait();
    expect(rig.status & STATUS_COMWAIT_INT).toBe(STATUS_COMWAIT_INT);
  });

  test('times out on a hardware that does not run', async () => {
    const rig = await Rig.on();
    await expect(rig.ops.syncAsync()).rejects.toThrow('AmdOps.sync: timeoutMs = 300');
    expect(() => rig.ops.sync()).toThrow('(ETIMEDOUT)');
  });

  test('the data is a counter that wraps: compared as a signed difference', async () => {
    const rig = await Rig.on();
    const [serial, store] = [rig.base + AMD_CMD_SERIAL, rig.base + AMD_CMD_STORE];
    for (const last of [0x7ffffffe, -2]) {
      Atomics.store(rig.words, serial, last);
      Atomics.store(rig.words, store, last);
      for (let i = 1; i <= 3; i++) {
        let isDone = false;
        const synced = rig.ops.syncAsync().then(() => {
          isDone = true;
        });
        await new Promise((resolve) => setImmediate(resolve));
        expect([isDone, Atomics.load(rig.words, store)]).toEqual([false, (last + i - 1) | 0]);
        await rig.during(synced);
        expect(Atomics.load(rig.words, store)).toBe((last + i) | 0);
      }
    }
  });

  test('threads share the serial: each waits for its own', async () => {
    const rig = await Rig.on();
    const other = rig.opsOf(3);
    const first = rig.ops.syncAsync();
    const second = other.syncAsync();
    rig.hw.pump(64);
    await Promise.all([first, second]);
    expect(rig.stat('commandErrors')).toBe(0);
  });
});

describe('errors', () => {
  test('an illegal command stops the buffer at it, is told of, overwritten, and the rest goes on', async () => {
    const rig = await Rig.on();
    const start = cmdTail(rig);
    rig.ops.completePpr(0x10, 1, 1, 0);
    rig.ops.issueRaw(0, 0xf0000000 | 0, 0, 0);
    rig.ops.completePpr(0x10, 1, 2, 0);
    rig.ops.flushResponses();
    rig.hw.pump(64);
    expect([runs(rig), cmdHead(rig)]).toEqual([false, start + 16]);
    expect(rig.received().map((response) => response.prgi)).toEqual([1]);
    rig.hw.pump(64);
    expect(rig.received()).toEqual([]);
    rig.pump.pump(64);
    const { name, values } = rig.events[0];
    expect(name).toBe('ILLEGAL_COMMAND_ERROR');
    expect(rig.words[values.addressLo / 4 + 1]).toBe(0xf0000000 | 0); // byte address of the command
    rig.ops.flushResponses();
    rig.hw.pump(64);
    expect([runs(rig), rig.ops.recovered, rig.received().map((response) => response.prgi)]).toEqual([true, 1, [2]]);
  });

  test('another thread may recover; a waiter does so by itself', async () => {
    const rig = await Rig.on();
    const other = rig.opsOf(3);
    rig.ops.issueRaw(0, 0x60000000, 0, 0); // PREFETCH_IOMMU_PAGES is not offered
    rig.ops.issueRaw(0, 0, 0, 0);
    const synced = rig.ops.syncAsync();
    await rig.during(synced, () => other.flushResponses());
    expect(rig.ops.recovered + other.recovered).toBe(2);
    expect(rig.stat('commandErrors')).toBe(2);
  });

  test('a restart that the hardware has yet to see is not done twice', async () => {
    const rig = await Rig.on();
    rig.ops.issueRaw(0, 0, 0, 0);
    rig.ops.completePpr(0x10, 1, 2, 0);
    rig.ops.flushResponses();
    rig.hw.pump(64);
    rig.ops.flushResponses();
    rig.ops.flushResponses();
    rig.opsOf(3).flushResponses();
    expect(rig.ops.recovered).toBe(1);
    rig.hw.pump(64);
    expect(rig.received().length).toBe(1);
  });

  test('a store outside memory is a hardware error of the command', async () => {
    const rig = await Rig.on();
    rig.ops.issue(CMD_COMPLETION_WAIT, { s: 1, storeLo: 0xfffffff8, storeHi: 0xfffff });
    rig.ops.flushResponses();
    rig.hw.pump(64);
    rig.pump.pump(64);
    expect(runs(rig)).toBe(false);
    expect(rig.events).toMatchObject([
      { name: 'COMMAND_HARDWARE_ERROR', values: { addressLo: 0xfffffff0, addressHi: 0xfffff } },
    ]);
    await rig.during(rig.ops.syncAsync());
    expect(runs(rig)).toBe(true);
  });

  test('an answer for a device or a group that nobody has goes nowhere', async () => {
    const rig = await Rig.on();
    rig.ops.completePpr(0x77, 1, 1, 0);
    rig.ops.flushResponses();
    rig.hw.pump(64);
    expect([rig.stat('strays'), rig.stat('responses'), runs(rig)]).toEqual([1, 0, true]);
  });

  test('an answer goes out with whatever code software wrote, Linux’s 2 for Failure included', async () => {
    const rig = await Rig.on();
    for (const status of [0, 1, 2, 14, 15]) rig.ops.completePpr(0x10, 7, status, status);
    rig.ops.completePpr(0x10, -1, 9, 0);
    rig.ops.flushResponses();
    rig.hw.pump(64);
    expect(rig.received()).toEqual([
      ...[0, 1, 2, 14, 15].map((code) => ({ prgi: code, code, pasid: 7 })),
      { prgi: 9, code: 0, pasid: -1 },
    ]);
  });

  test('a device that takes no answers loses them; the buffer goes on', async () => {
    const rig = await Rig.on({ credits: 1 });
    for (let i = 0; i < 200; i++) rig.ops.completePpr(0x10, 1, i, 0);
    rig.ops.flushResponses();
    rig.hw.pump(1000);
    expect(rig.stat('undelivered')).toBeGreaterThan(0);
    expect(rig.stat('responses') + rig.stat('undelivered')).toBe(200);
    await rig.during(rig.ops.syncAsync());
  });
});
