import {
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PASID,
  FAULT_TOKEN,
  RESPONSE_FAILURE,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
} from '@faultline/core/iopf';
import { describe, expect, test } from 'vitest';
import { REQUEST_LAST, REQUEST_PASID_VALID, REQUEST_READ } from '../pcie/index.ts';
import { describeInvalidation, ICS_IWC, readVtdStats, type VtdStatName, WAIT_FENCE } from './index.ts';
import { VTD_ICS, VTD_IQA, VTD_IQH, VTD_IQT } from './layout.ts';
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

describe('the queue', () => {
  test('is taken in order, and wraps', async () => {
    const rig = await up();
    for (let i = 1; i <= 400; i++) {
      waitFor(rig, i);
      await rig.during(rig.ops[0].syncAsync());
      expect(spare(rig)).toBe(i);
    }
    expect(stat(rig, 'descriptors')).toBeGreaterThan(800); // more than six times round
    expect(rig.register(VTD_IQH)).toBe(rig.register(VTD_IQT));
  });

  test('holds one descriptor short of its size: who finds no room waits, and loses nothing', async () => {
    const rig = await up({ timeoutMs: 60 });
    const before = rig.register(VTD_IQH);
    for (let prgi = 0; prgi < 96; prgi++) rig.ops[0].respond(RID, PASID, prgi, 0);
    rig.ops[0].flushResponses();
    for (let prgi = 96; prgi < 127; prgi++) rig.ops[0].respond(RID, PASID, prgi, 0);
    rig.ops[0].flushResponses();
    expect((rig.register(VTD_IQT) - before + 4096) % 4096).toBe(127 * 32);
    rig.ops[1].respond(RID, PASID, 200, 0);
    expect(() => rig.ops[1].flushResponses()).toThrow('InvalidationQueue.put: timeoutMs = 60');
    for (let got = 0; got < 127; got += rig.received().length) rig.hw.pump(16);
    expect(stat(rig, 'responses')).toBe(127);
  });

  test('takes the descriptors of two threads, each in its order', async () => {
    const rig = await up();
    for (let i = 0; i < 40; i++) rig.ops[i % 2].respond(RID, PASID, i, 0);
    for (const ops of rig.ops) ops.flushResponses();
    rig.hw.pump(64);
    const got = rig.received().map((one) => one.prgi);
    expect(got.filter((index) => index % 2 === 0)).toEqual(Array.from({ length: 20 }, (_, i) => 2 * i));
    expect(got.filter((index) => index % 2 === 1)).toEqual(Array.from({ length: 20 }, (_, i) => 2 * i + 1));
  });

  test('of 128-bit descriptors works, but takes no response', async () => {
    const rig = new VtdRig({ wideDescriptors: false, invalidationOrder: 0 });
    await rig.during(rig.driver.enable());
    await rig.during(rig.driver.attachDevice(RID, 3));
    for (let i = 0; i < 300; i++) {
      waitFor(rig, i + 1);
      await rig.during(rig.ops[0].syncAsync());
    }
    expect(spare(rig)).toBe(300);
    rig.ops[0].issue(9, { rid: RID });
    await expect(rig.during(rig.ops[0].syncAsync(), false)).rejects.toThrow(
      'descriptor = 0: the hardware refused it (type 9)',
    );
  });

  test('the core’s answers leave with the wire’s codes: its FAILURE, 2, as 0xF', async () => {
    const rig = await up();
    const at = rig.spareAt;
    for (const [grpid, code, flags] of [
      [1, RESPONSE_SUCCESS, FAULT_FLAG_PASID_VALID],
      [2, RESPONSE_INVALID, FAULT_FLAG_PASID_VALID],
      [3, RESPONSE_FAILURE, 0],
    ] as const) {
      rig.words[at + FAULT_TOKEN] = RID;
      rig.words[at + FAULT_GRPID] = grpid;
      rig.words[at + FAULT_FLAGS] = flags;
      rig.words[at + FAULT_PASID] = PASID;
      rig.ops[0].pageResponse(at, code);
    }
    expect([rig.hw.pump(64), rig.received()]).toEqual([0, []]); // not before it is flushed
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    expect(rig.received()).toMatchObject([
      { prgi: 1, code: 0, pasid: PASID },
      { prgi: 2, code: 1, pasid: PASID },
      { prgi: 3, code: 15, pasid: -1 },
    ]);
  });

  test('responses carry what the request had, and reserved codes as they are', async () => {
    const rig = await up();
    rig.ops[0].respond(RID, PASID, 3, 0);
    rig.ops[0].respond(RID, -1, 4, 15);
    rig.ops[0].respond(RID, PASID, 5, 2);
    rig.ops[0].respond(9, PASID, 6, 0); // nobody
    rig.ops[0].flushResponses();
    rig.hw.pump(64);
    expect(rig.received()).toMatchObject([
      { prgi: 3, code: 0, pasid: PASID },
      { prgi: 4, code: 15, pasid: -1 },
      { prgi: 5, code: 2, pasid: PASID },
    ]);
    expect(stat(rig, 'strayResponses')).toBe(1);
  });
});

describe('a wait', () => {
  test('is over when the device-TLB invalidations before it are', async () => {
    const rig = await up();
    rig.completing = false;
    rig.ops[0].invalidateDevice(RID, PASID, 0x1234, 0, 3);
    waitFor(rig, 7);
    const { over, promise } = submit(rig);
    rig.hw.pump(64);
    const [invalidation] = rig.received();
    expect(invalidation).toMatchObject({ invalidate: true, pasid: PASID, page: 0x1234, code: 2 });
    rig.hw.pump(64);
    expect([spare(rig), rig.hw.pendingWaits]).toEqual([0, 2]);
    rig.complete(invalidation.prgi);
    rig.hw.pump(64);
    await turn();
    expect([spare(rig), rig.hw.pendingWaits, over()]).toEqual([7, 0, true]);
    await promise;
  });

  test('without FN lets what follows start; with FN it does not', async () => {
    const rig = await up();
    rig.completing = false;
    for (const fence of [false, true]) {
      rig.ops[0].invalidateDevice(RID, PASID);
      rig.ops[0].wait(fence ? WAIT_FENCE : 0);
      rig.ops[0].issue(9, { rid: RID, pasidPresent: 1, pasid: PASID, prgi: 1 });
      const { promise } = submit(rig);
      rig.hw.pump(64);
      const got = rig.received();
      expect(got.map((one) => one.invalidate === true)).toEqual(fence ? [true] : [true, false]);
      rig.complete(got[0].prgi);
      await rig.during(promise);
      expect(rig.received().length).toBe(fence ? 1 : 0);
    }
  });

  test('responses and device-TLB invalidations leave in the order of the queue', async () => {
    const rig = await up();
    rig.ops[0].issue(9, { rid: RID, prgi: 1 });
    rig.ops[0].invalidateDevice(RID, -1);
    rig.ops[0].issue(9, { rid: RID, prgi: 2 });
    const { promise } = submit(rig);
    rig.hw.pump(64);
    expect(rig.received().map((one) => one.invalidate === true)).toEqual([false, true, false]);
    await rig.during(promise);
  });

  test('a completion pushes the requests that the device had sent; with PD they are in their queue when the wait is over', async () => {
    const rig = await up();
    rig.completing = false;
    rig.ops[0].invalidateDevice(RID, PASID);
    const promise = rig.ops[0].syncAsync(true);
    rig.hw.pump(64);
    const [invalidation] = rig.received();
    for (let i = 0; i < 5; i++) rig.ports[0].post(i, 0, REQUEST_READ | REQUEST_LAST | REQUEST_PASID_VALID, PASID, i, 0);
    rig.complete(invalidation.prgi);
    await rig.during(promise, false);
    expect([rig.queued, stat(rig, 'drains')]).toEqual([5, 1]);
  });

  test.each([
    [true, 5],
    [false, 0],
  ])('with PD %s, requests taken before it that its status write finds in their queue: %i', async (drain, expected) => {
    const rig = await up();
    for (let i = 0; i < 5; i++) rig.request(i);
    const promise = rig.ops[0].syncAsync(drain);
    const { store } = Atomics;
    let found = -1;
    Atomics.store = ((words: Int32Array, at: number, value: number) => {
      if (at === rig.ops[0].statusAt) found = rig.queued;
      return store(words, at, value);
    }) as typeof Atomics.store;
    try {
      rig.hw.pump(64);
    } finally {
      Atomics.store = store;
    }
    expect([found, rig.queued]).toEqual([expected, 5]);
    await rig.during(promise);
  });

  test('with IF raises one invalidation event until software has taken it', async () => {
    const rig = await up();
    const rings = rig.irq.rings();
    for (let i = 0; i < 2; i++) rig.ops[0].issue(5, { if: 1 });
    await rig.during(rig.ops[0].syncAsync(), false);
    expect([rig.register(VTD_ICS), rig.irq.rings() - rings]).toEqual([ICS_IWC, 1]);
  });

  test('with a status address outside memory writes nothing, and the queue goes on', async () => {
    const rig = await up();
    rig.ops[0].issue(5, { sw: 1, statusAddressLo: 0xfffffffc, statusAddressHi: 0xffff });
    waitFor(rig, 3);
    await rig.during(rig.ops[0].syncAsync());
    expect(spare(rig)).toBe(3);
  });

  test('every function port is asked, and all must complete', async () => {
    const rig = await up({ portRids: [RID, RID, 9] });
    rig.completing = false;
    rig.ops[0].invalidateDevice(RID, -1);
    const { over, promise } = submit(rig);
    rig.hw.pump(64);
    const [[first], [second]] = [rig.received(0), rig.received(1)];
    expect([first.prgi, second.code, rig.received(2)]).toEqual([second.prgi, 52, []]);
    rig.complete(first.prgi, 1);
    rig.hw.pump(64);
    await turn();
    expect(over()).toBe(false);
    rig.complete(first.prgi, 0);
    await rig.during(promise);
  });

  test('more invalidations than tags wait their turn', async () => {
    const rig = await up();
    rig.completing = false;
    for (let i = 0; i < 40; i++) rig.ops[0].invalidateDevice(RID, PASID, i, 0, 1);
    const { promise } = submit(rig);
    rig.hw.pump(64);
    const got = rig.received();
    expect([got.length, rig.hw.needsWork()]).toEqual([32, false]);
    for (const { prgi } of got) rig.complete(prgi);
    rig.hw.pump(64);
    const rest = rig.received();
    expect(rest.map((one) => one.page)).toEqual([32, 33, 34, 35, 36, 37, 38, 39]);
    for (const { prgi } of rest) rig.complete(prgi);
    await rig.during(promise);
  });
});

test('a batch that is full is put and waited for in between', async () => {
  const rig = await up({ timeoutMs: 60 });
  for (let i = 0; i < 62; i++) waitFor(rig, i);
  expect(() => waitFor(rig, 62)).toThrow('the wait is not over'); // nobody runs the hardware here
});

test.each([
  ['one page', 0x1000, 0, 1, { g: 3, am: 0, addressLo: 0x1000000 }],
  ['three pages, aligned', 0x1000, 0, 3, { g: 3, am: 2, addressLo: 0x1000000 }],
  ['two pages across a boundary', 0x1fff, 0, 2, { g: 3, am: 14, addressLo: 0 }],
  ['512 pages', 0x1200, 0, 512, { g: 3, am: 9, addressLo: 0x1200000 }],
  ['too many', 0, 0, 2 ** 20, { g: 2, am: 0 }],
  ['across the halves of the page number', -1, 0, 2, { g: 2 }],
])('a range becomes one descriptor: %s', async (_name, lo, hi, pages, expected) => {
  const rig = await up();
  const at = (rig.register(VTD_IQA) & ~0xfff) / 4 + rig.register(VTD_IQH) / 4;
  rig.ops[0].invalidateRange(1, PASID, lo, hi, pages);
  const { promise } = submit(rig);
  const { kind, fields, errors } = describeInvalidation(rig.words, at);
  expect([kind, errors]).toEqual(['PASID_IOTLB', []]);
  expect(fields).toMatchObject({ did: 1, pasid: PASID, ...expected });
  await rig.during(promise);
});
