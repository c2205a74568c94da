import { describe, expect, test } from 'vitest';
import {
  FSTS_ICE,
  FSTS_IQE,
  FSTS_ITE,
  IQEI_FETCH,
  IQEI_RESERVED,
  IQEI_TAIL,
  IQEI_TAIL_MISALIGNED,
  IQEI_TYPE,
  IQEI_WIDTH,
  readVtdStats,
  type VtdStatName,
} from './index.ts';
import { VTD_IQA, VTD_IQERCD, VTD_IQH, VTD_IQT } from './layout.ts';
import { PASID, RID, VtdRig, type VtdRigConfig } from './testing/vtd-rig.ts';

const stat = (rig: VtdRig, name: VtdStatName): number => readVtdStats(rig.words, rig.base)[name];
const up = (config?: VtdRigConfig): Promise<VtdRig> => new VtdRig(config).up();
const spare = (rig: VtdRig): number => Atomics.load(rig.words, rig.spareAt);
/** Waits that write `data` to the spare word. */
const waitFor = (rig: VtdRig, data: number, flags: Record<string, number> = {}): void =>
  rig.ops[0].issue(5, { sw: 1, statusData: data, statusAddressLo: rig.spareAt * 4, ...flags });
/** Publishes the batch of thread 0 with its wait, and hands back what becomes of it. */
function submit(rig: VtdRig): { readonly over: () => boolean; readonly promise: Promise<void> } {
  let over = false;
  const promise = rig.ops[0].syncAsync();
  promise.then(
    () => {
      over = true;
    },
    () => {
      over = true;
    },
  );
  return { over: () => over, promise };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('an invalidation queue error', () => {
  test.each([
    ['a type that is none', [0xf], IQEI_TYPE],
    ['a reserved bit', [7, 1 << 31], IQEI_RESERVED],
    ['a reserved granularity', [2], IQEI_RESERVED],
  ])(
    '%s: earlier ones take effect, the head stays, the queue stands still until it is acknowledged',
    async (_name, bad, reason) => {
      const rig = await up();
      const head = rig.register(VTD_IQH);
      const rings = rig.irq.rings();
      waitFor(rig, 1);
      rig.ops[0].issueRaw([...bad, ...new Array(8 - bad.length).fill(0)]);
      waitFor(rig, 2);
      const { promise } = submit(rig);
      promise.catch(() => {});
      rig.hw.pump(64);
      expect([spare(rig), rig.fsts, rig.register(VTD_IQERCD)]).toEqual([1, FSTS_IQE, reason]);
      expect((rig.register(VTD_IQH) - head + 4096) % 4096).toBe(32);
      expect([rig.hw.pump(64), rig.hw.needsWork(), rig.irq.rings() - rings]).toEqual([0, false, 1]);
      expect(rig.ops[1].recover()).toBe(true); // another thread finds it
      expect([rig.fsts, rig.hw.needsWork()]).toEqual([0, true]);
      rig.hw.pump(64);
      expect(spare(rig)).toBe(2);
      await expect(promise).rejects.toThrow('descriptor = 1: the hardware refused it');
      expect([rig.ops[0].refused, rig.ops[1].refused, rig.ops[1].recover()]).toEqual([1, 0, false]);
    },
  );

  test('is found by who waits, and by the pump of the fault event', async () => {
    const rig = await up();
    rig.ops[0].issueRaw([0xf, 0, 0, 0, 0, 0, 0, 0]);
    await expect(rig.during(rig.ops[0].syncAsync(), false)).rejects.toThrow('(EINVAL)');
    rig.ops[1].issueRaw([0xe, 0, 0, 0, 0, 0, 0, 0]);
    await expect(rig.during(rig.ops[1].syncAsync())).rejects.toThrow('(type 14) (EINVAL)');
    rig.hw.pump(64);
    rig.pump.pump(64);
    expect([rig.fsts, stat(rig, 'queueErrors')]).toEqual([0, 2]);
  });

  test('of somebody’s response harms nobody who waits', async () => {
    const rig = await up();
    rig.ops[1].issueRaw([0xf, 0, 0, 0, 0, 0, 0, 0]);
    const other = rig.ops[1].syncAsync();
    other.catch(() => {});
    waitFor(rig, 9);
    await rig.during(rig.ops[0].syncAsync());
    expect(spare(rig)).toBe(9);
    await expect(rig.during(other)).rejects.toThrow('descriptor = 0');
  });

  test.each([
    ['outside the queue', 4096, IQEI_TAIL],
    ['before it', -32, IQEI_TAIL],
    ['between two descriptors', 16, IQEI_TAIL_MISALIGNED],
  ])('a tail %s', async (_name, tail, reason) => {
    const rig = await up();
    const head = rig.register(VTD_IQH);
    Atomics.store(rig.words, rig.base + VTD_IQT, tail);
    rig.hw.pump(64);
    expect([rig.fsts, rig.register(VTD_IQERCD)]).toEqual([FSTS_IQE, reason]);
    expect(rig.ops[0].recover()).toBe(true);
    expect(rig.register(VTD_IQT)).toBe(head);
    waitFor(rig, 4);
    await rig.during(rig.ops[0].syncAsync());
    expect(spare(rig)).toBe(4);
  });

  test.each([true, false])(
    'a width that does not fit the unit (of 256 bits: %s): nothing is taken',
    async (wideDescriptors) => {
      const rig = new VtdRig({ wideDescriptors, timeoutMs: 60 });
      const enabling = rig.driver.enable();
      Atomics.xor(rig.words, rig.base + VTD_IQA, 1 << 11);
      await rig.during(enabling);
      waitFor(rig, 1);
      await expect(rig.during(rig.ops[0].syncAsync(), false)).rejects.toThrow('the wait is not over (ETIMEDOUT)');
      expect([rig.register(VTD_IQERCD), rig.register(VTD_IQH), spare(rig)]).toEqual([IQEI_WIDTH, 0, 0]);
    },
  );

  test('a queue that lies outside memory cannot be fetched from', async () => {
    const rig = new VtdRig();
    await rig.during(rig.driver.enable());
    await rig.during(rig.driver.disable());
    const enabling = rig.driver.enable();
    Atomics.store(rig.words, rig.base + VTD_IQA + 1, 3);
    await rig.during(enabling);
    rig.ops[0].respond(RID, -1, 0, 0);
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    expect([rig.fsts, rig.register(VTD_IQERCD)]).toEqual([FSTS_IQE, IQEI_FETCH]);
  });
});

describe('an invalidation time-out', () => {
  test('aborts every wait, stops the queue, names the requester; who waited submits again', async () => {
    const rig = await up();
    rig.completing = false;
    const before = stat(rig, 'deviceTlb');
    rig.ops[0].invalidateDevice(RID, PASID);
    const promise = rig.ops[0].syncAsync();
    waitFor(rig, 1);
    rig.hw.pump(64);
    rig.tick += 499;
    rig.hw.pump(64);
    expect(rig.fsts).toBe(0);
    rig.tick += 1;
    expect(rig.hw.needsWork()).toBe(true); // the deadline has passed
    rig.hw.pump(64);
    expect([rig.fsts, rig.register(VTD_IQERCD + 1) & 0xffff, rig.hw.pendingWaits]).toEqual([FSTS_ITE, RID, 0]);
    expect(readVtdStats(rig.words, rig.base)).toMatchObject({ timeouts: 1, abortedWaits: 1 });
    expect([rig.hw.pump(64), rig.hw.needsWork()]).toEqual([0, false]);
    rig.completing = true;
    await rig.during(promise);
    expect(stat(rig, 'deviceTlb') - before).toBe(2);
  });

  test('finds a wait that more descriptors have overtaken than the queue holds', async () => {
    const rig = await up();
    rig.completing = false;
    rig.ops[0].invalidateDevice(RID, PASID);
    const promise = rig.ops[0].syncAsync();
    rig.hw.pump(64);
    for (let i = 0; i < 300; i++) {
      rig.ops[1].respond(RID, PASID, i, 0);
      rig.ops[1].flushResponses();
      rig.hw.pump(64);
      rig.poll();
    }
    rig.tick += 500;
    rig.hw.pump(64);
    expect([rig.fsts, stat(rig, 'abortedWaits')]).toEqual([FSTS_ITE, 1]);
    rig.completing = true;
    await rig.during(promise);
  });

  test('of long ago is none of a later wait', async () => {
    const rig = await up();
    rig.completing = false;
    rig.ops[1].invalidateDevice(RID, PASID);
    const first = rig.ops[1].syncAsync();
    rig.hw.pump(64);
    rig.tick += 500;
    rig.completing = true;
    await rig.during(first);
    rig.completing = false;
    rig.ops[0].invalidateDevice(RID, PASID);
    const second = rig.ops[0].syncAsync();
    rig.hw.pump(64);
    await turn();
    const [{ prgi }] = rig.received().slice(-1);
    rig.complete(prgi);
    await rig.during(second);
    expect(stat(rig, 'timeouts')).toBe(1);
  });

  test('of a device that is gone is the end: ETIMEDOUT, naming it', async () => {
    const rig = await up();
    rig.completing = false;
    rig.ops[0].invalidateDevice(RID, PASID);
    const promise = rig.ops[0].syncAsync();
    promise.catch(() => {});
    rig.hw.pump(64);
    rig.driver.surpriseRemove(RID);
    rig.tick += 1000;
    await expect(rig.during(promise)).rejects.toThrow(
      'rid = 8: the device is gone, and its invalidation timed out (ETIMEDOUT)',
    );
    expect(rig.fsts).toBe(0);
    waitFor(rig, 2);
    await rig.during(rig.ops[0].syncAsync()); // the queue goes on, and the batch that failed is gone
    expect(spare(rig)).toBe(2);
  });

  test('of a requester that has no port comes too; blocking threads find it as well', async () => {
    const rig = await up({ timeoutMs: 50 });
    rig.ops[0].invalidateDevice(11, -1);
    const promise = rig.ops[0].syncAsync();
    promise.catch(() => {});
    rig.hw.pump(64);
    rig.tick += 1000;
    await expect(rig.during(promise)).rejects.toThrow('rid = 11');
    rig.ops[0].invalidateDevice(RID, -1);
    expect(() => rig.ops[0].sync({ id: 1, spins: 3 })).toThrow(
      'VtdOps.sync: timeoutMs = 50: the wait is not over (ETIMEDOUT)',
    );
  });

  test('of a device that is there but dead gives up at last', async () => {
    const rig = await up({ timeoutMs: 80 });
    rig.completing = false;
    rig.ops[0].invalidateDevice(RID, PASID);
    const promise = rig.ops[0].syncAsync();
    promise.catch(() => {});
    const dying = setInterval(() => {
      rig.tick += 1000;
    }, 1);
    await expect(rig.during(promise)).rejects.toThrow('the device does not complete its invalidations (ETIMEDOUT)');
    clearInterval(dying);
    expect(stat(rig, 'timeouts')).toBeGreaterThan(1);
  });

  test('another thread’s wait is submitted again, responses are not', async () => {
    const rig = await up();
    rig.completing = false;
    rig.ops[0].invalidateDevice(RID, PASID);
    const first = rig.ops[0].syncAsync();
    first.catch(() => {});
    rig.ops[1].respond(RID, PASID, 5, 0);
    const second = rig.ops[1].syncAsync();
    rig.hw.pump(64);
    expect(rig.received().map((one) => one.invalidate === true)).toEqual([true, false]);
    rig.tick += 1000;
    rig.hw.pump(64);
    rig.driver.surpriseRemove(RID);
    await rig.during(Promise.all([expect(first).rejects.toThrow('the device is gone'), second]));
    expect(rig.received()).toEqual([]);
  });
});

describe('an invalidation completion error', () => {
  test('names the requester and stops nothing', async () => {
    const rig = await up();
    rig.complete(17);
    rig.hw.pump(64);
    expect([rig.fsts, rig.register(VTD_IQERCD + 1) >>> 16]).toEqual([FSTS_ICE, RID]);
    waitFor(rig, 5);
    await rig.during(rig.ops[0].syncAsync(), false);
    expect([spare(rig), rig.fsts]).toEqual([5, 0]); // acknowledged on the way
  });

  test('comes of completing twice, of completing for another, and of completing too late', async () => {
    const rig = await up({ portRids: [RID, 9] });
    rig.completing = false;
    rig.ops[0].invalidateDevice(RID, PASID);
    const promise = rig.ops[0].syncAsync();
    rig.hw.pump(64);
    const [{ prgi }] = rig.received();
    rig.complete(prgi, 1);
    rig.hw.pump(64);
    expect([stat(rig, 'completionErrors'), rig.hw.pendingWaits]).toEqual([1, 1]);
    rig.complete(prgi);
    rig.complete(prgi);
    rig.hw.pump(64);
    expect([stat(rig, 'completionErrors'), rig.hw.pendingWaits]).toEqual([2, 0]);
    await rig.during(promise);
    rig.ops[0].invalidateDevice(RID, PASID);
    const late = rig.ops[0].syncAsync();
    rig.hw.pump(64);
    const [second] = rig.received();
    rig.tick += 1000;
    rig.hw.pump(64);
    rig.complete(second.prgi);
    rig.hw.pump(64);
    expect(stat(rig, 'completionErrors')).toBe(3);
    rig.completing = true;
    await rig.during(late);
  });
});
