import { IommuError } from '@faultline/core/errors';
import { mutexOwner } from '@faultline/core/sync';
import { describe, expect, test } from 'vitest';
import { REQUEST_LAST, REQUEST_PASID_VALID, REQUEST_READ } from '../pcie/index.ts';
import { NO_PASID, readVtdStats, type VtdDomain } from './index.ts';
import { VTD_GCMD, VTD_GSTS, VTD_IQ_LOCK } from './layout.ts';
import { contextOf, entryOf, injectFailure } from './testing/driver-state.ts';
import { DEVICE, PASID, RID, VtdRig, type VtdRigConfig } from './testing/vtd-rig.ts';
import { deviceEntryAt } from './unit.ts';

const up = (config?: VtdRigConfig): Promise<VtdRig> => new VtdRig(config).up();
const FAULTS: VtdDomain = { kind: 'first-level', did: 7, firstLevelLo: 0x7000, faults: true };
const IDENTITY: VtdDomain = { kind: 'identity', did: 9 };
const deviceOf = (rig: VtdRig, rid: number): number => rig.words[deviceEntryAt(rig.words, rig.base, rid)];

/** Everything that a procedure writes. */
function state(rig: VtdRig, rid = RID): unknown {
  return [contextOf(rig, rid), [0, PASID, 9].map((pasid) => entryOf(rig, pasid, rid)), deviceOf(rig, rid)];
}
/** Nothing is held, and the unit works: a batch goes through, and a request of PASID comes back as the tables say. */
async function expectSound(rig: VtdRig): Promise<void> {
  expect(mutexOwner(rig.words, rig.base + VTD_IQ_LOCK)).toBe(0);
  await rig.during(rig.ops[0].syncAsync(true));
  expect(rig.fsts).toBe(0);
}
/** One more sync fails each time, until the procedure comes through untouched. @returns how many failures there were. */
async function sweep(
  make: () => Promise<VtdRig>,
  run: (rig: VtdRig) => Promise<unknown>,
  after: (rig: VtdRig, before: unknown) => Promise<void>,
): Promise<number> {
  for (let nth = 1; ; nth++) {
    const rig = await make();
    const before = state(rig);
    const disarm = injectFailure(rig.ops[1], nth);
    const failed = await rig.during(
      run(rig).then(
        () => false,
        (error: IommuError) => error.code === 'ETIMEDOUT' || Promise.reject(error),
      ),
    );
    disarm();
    if (!failed) return nth - 1;
    await after(rig, before);
    await expectSound(rig);
  }
}

describe('attaching changes nothing if it fails, at whatever step', () => {
  test('a device', async () => {
    const failures = await sweep(
      async () => {
        const rig = new VtdRig();
        await rig.during(rig.driver.enable());
        return rig;
      },
      (rig) => rig.driver.attachDevice(RID, DEVICE),
      async (rig, before) => {
        expect(state(rig)).toEqual(before);
        await rig.during(rig.driver.attachDevice(RID, DEVICE));
        expect([contextOf(rig).p, deviceOf(rig, RID)]).toEqual([1, DEVICE + 1]);
      },
    );
    expect(failures).toBe(1);
  });

  test.each<[string, VtdDomain]>([
    ['with faults', FAULTS],
    ['without', IDENTITY],
  ])('the first domain, %s', async (_name, domain) => {
    const failures = await sweep(
      async () => {
        const rig = new VtdRig();
        await rig.during(rig.driver.enable());
        await rig.during(rig.driver.attachDevice(RID, DEVICE));
        return rig;
      },
      (rig) => rig.driver.attach(RID, PASID, domain),
      async (rig, before) => {
        expect(contextOf(rig)).toEqual((before as unknown[])[0]);
        expect(entryOf(rig, PASID).p).toBe(0);
        rig.request(1);
        rig.hw.pump(64);
        expect(rig.received().filter((one) => one.invalidate !== true)).toMatchObject([{ prgi: 1, code: 1 }]);
        rig.pump.pump(64); // takes the fault record
        await rig.during(rig.driver.attach(RID, PASID, domain));
        expect([contextOf(rig).pre, entryOf(rig, PASID).p]).toEqual([domain.faults === true ? 1 : 0, 1]);
      },
    );
    expect(failures).toBe(1); // one batch, with one wait
  });

  test.each<[string, VtdDomain, VtdDomain]>([
    ['faults by faults', FAULTS, { ...FAULTS, did: 8 }],
    ['faults by none', FAULTS, IDENTITY],
    ['none by faults', IDENTITY, FAULTS],
  ])('another domain: %s', async (_name, old, domain) => {
    const failures = await sweep(
      async () => {
        const rig = new VtdRig();
        await rig.during(rig.driver.enable());
        await rig.during(rig.driver.attachDevice(RID, DEVICE));
        await rig.during(rig.driver.attach(RID, PASID, old));
        return rig;
      },
      (rig) => rig.driver.replace(RID, PASID, domain),
      async (rig, before) => {
        expect(state(rig)).toEqual(before);
        await rig.during(rig.driver.replace(RID, PASID, domain));
        expect([contextOf(rig).pre, entryOf(rig, PASID).did]).toEqual([domain.faults === true ? 1 : 0, domain.did]);
        await rig.during(rig.driver.detach(RID, PASID));
        expect(contextOf(rig).pre).toBe(0);
      },
    );
    expect(failures).toBe(old.faults !== true ? 1 : domain.faults === true ? 3 : 4); // the entry; drain; drain; PRE
  });
});

describe('taking away can be called again if it fails, at whatever step', () => {
  test('detaching the last fault user', async () => {
    const forgotten: number[] = [];
    const failures = await sweep(
      async () => {
        const rig = new VtdRig({ driver: { removeFaults: (device) => void forgotten.push(device) } });
        await rig.during(rig.driver.enable());
        await rig.during(rig.driver.attachDevice(RID, DEVICE));
        await rig.during(rig.driver.attach(RID, PASID, FAULTS));
        forgotten.length = 0;
        return rig;
      },
      (rig) => rig.driver.detach(RID, PASID),
      async (rig) => {
        expect([entryOf(rig, PASID).p, forgotten]).toEqual([0, []]);
        await expect(rig.during(rig.driver.attach(RID, PASID, FAULTS))).rejects.toThrow('is attached already (EBUSY)');
        await rig.during(rig.driver.detach(RID, PASID));
        expect([contextOf(rig).pre, forgotten]).toEqual([0, [DEVICE]]);
        await rig.during(rig.driver.attach(RID, PASID, FAULTS));
        expect([contextOf(rig).pre, entryOf(rig, PASID).p]).toEqual([1, 1]);
      },
    );
    expect(failures).toBe(4); // the entry; drain, twice; PRE
  });

  test('detaching a device', async () => {
    const failures = await sweep(
      () => up(),
      (rig) => rig.driver.detachDevice(RID),
      async (rig) => {
        await rig.during(rig.driver.detachDevice(RID));
        expect([contextOf(rig).p, deviceOf(rig, RID)]).toEqual([0, 0]);
        await rig.during(rig.driver.attachDevice(RID, DEVICE));
      },
    );
    expect(failures).toBe(3 + 4 + 1); // two PASIDs, of which the second takes PRE with it, and the context entry
  });

  test('turning PRI off', async () => {
    const failures = await sweep(
      () => up(),
      async (rig) => {
        await rig.driver.blockDevice(RID);
        await rig.driver.fenceEventQueue(RID);
        await rig.driver.fenceResponses(RID);
        await rig.driver.disablePri(RID);
      },
      async (rig) => {
        await rig.during(rig.driver.blockDevice(RID));
        await rig.during(rig.driver.fenceEventQueue(RID));
        await rig.during(rig.driver.disablePri(RID));
        expect([contextOf(rig).pre, entryOf(rig, PASID).p, entryOf(rig, 0).p]).toEqual([0, 0, 0]);
        await rig.during(rig.driver.attach(RID, PASID, FAULTS));
      },
    );
    expect(failures).toBe(1 + 2 * 2 + 1 + 1);
  });

  test('a pump that stood still: the PASID stays taken, and is let go once the pump runs', async () => {
    const rig = await up({ driver: { timeoutMs: 60 } });
    rig.request(1);
    rig.hw.pump(64);
    await expect(rig.during(rig.driver.detach(RID, PASID), false)).rejects.toThrow('drain: timeoutMs = 60');
    rig.request(2);
    rig.hw.pump(64);
    expect(rig.received().filter((one) => one.invalidate !== true)).toMatchObject([{ prgi: 2, code: 1 }]); // blocked already
    await rig.during(rig.driver.detach(RID, PASID));
    expect(rig.reporter.faults.length).toBe(1);
    await rig.during(rig.driver.attach(RID, PASID, FAULTS));
    await expectSound(rig);
  });
});

describe('a device that does not complete its invalidations', () => {
  /** Time passes for the hardware while a promise is under way. */
  async function late<T>(rig: VtdRig, promise: Promise<T>): Promise<T> {
    rig.completing = false;
    const passing = setInterval(() => {
      rig.tick += 250;
    }, 1);
    try {
      return await rig.during(promise);
    } finally {
      clearInterval(passing);
      rig.completing = true;
    }
  }

  test('and is gone: is detached all the same, and another takes its place', async () => {
    const rig = await up();
    rig.request(1);
    rig.hw.pump(64);
    rig.driver.surpriseRemove(RID);
    await late(rig, rig.driver.detachDevice(RID));
    expect([contextOf(rig).p, entryOf(rig, PASID).p, deviceOf(rig, RID)]).toEqual([0, 0, 0]);
    expect(rig.driver.passedOver).toBe(5); // each PASID and its drain, and the context entry
    expect([rig.pump.counts().unknownRequester, rig.reporter.faults]).toEqual([1, []]);
    await expectSound(rig);
    await rig.during(rig.driver.attachDevice(RID, DEVICE));
    await rig.during(rig.driver.attach(RID, PASID, FAULTS));
    rig.request(2);
    rig.hw.pump(64);
    expect(rig.queued).toBe(1);
  });

  test('though it is there: PRI goes off after the time that was agreed for each step', async () => {
    const rig = await up({ timeoutMs: 60, driver: { timeoutMs: 1000 } });
    rig.request(1);
    rig.hw.pump(64);
    await late(rig, rig.driver.blockDevice(RID));
    await late(rig, rig.driver.fenceEventQueue(RID));
    expect(rig.reporter.faults.length).toBe(1);
    await late(rig, rig.driver.fenceResponses(RID));
    await rig.during(rig.driver.disablePri(RID));
    expect([contextOf(rig).pre, rig.driver.passedOver]).toEqual([0, 4]);
    await expectSound(rig);
  });

  test('fails an attempt to replace its domain, which stays', async () => {
    const rig = await up({ timeoutMs: 60 });
    const before = entryOf(rig, PASID);
    await expect(late(rig, rig.driver.replace(RID, PASID, FAULTS))).rejects.toThrow(
      'does not complete its invalidations',
    );
    expect([entryOf(rig, PASID), contextOf(rig).pre]).toEqual([before, 1]);
    await rig.during(rig.driver.replace(RID, PASID, FAULTS));
    expect(entryOf(rig, PASID).did).toBe(7);
  });
});

describe('the switches', () => {
  test('are put back if the hardware does not follow', async () => {
    const rig = new VtdRig({ timeoutMs: 40 });
    await expect(rig.driver.enable()).rejects.toThrow(
      'GCMD: timeoutMs = 40: the other side did not answer (ETIMEDOUT)',
    );
    expect(rig.register(VTD_GCMD)).toBe(0);
    rig.hw.pump(64);
    expect(rig.register(VTD_GSTS)).toBe(0);
    await rig.during(rig.driver.enable());
    const on = rig.register(VTD_GCMD);
    await expect(rig.driver.disable()).rejects.toThrow('(ETIMEDOUT)');
    expect([rig.register(VTD_GCMD), rig.register(VTD_GSTS)]).toEqual([on, on]);
    await rig.during(rig.driver.disable());
    expect(rig.register(VTD_GSTS)).toBe(0);
  });

  test('go off through a queue that stands at an error', async () => {
    const rig = await up();
    rig.ops[0].issueRaw([0xf, 0, 0, 0, 0, 0, 0, 0]);
    const refused = rig.ops[0].syncAsync();
    refused.catch(() => {});
    rig.hw.pump(64);
    expect(rig.fsts).not.toBe(0);
    await rig.during(rig.driver.disable(), false);
    expect([rig.register(VTD_GSTS), rig.fsts]).toEqual([0, 0]);
    await expect(rig.during(refused)).rejects.toThrow('(EINVAL)');
  });
});

test('blocking a device with many PASIDs: as few waits as the batches that it takes', async () => {
  const rig = await up({ rids: 16, pasidTables: 16 });
  for (let pasid = 10; pasid < 40; pasid++)
    await rig.during(rig.driver.attach(RID, pasid, { kind: 'first-level', did: 1, faults: true }));
  const before = readVtdStats(rig.words, rig.base);
  await rig.during(rig.driver.blockDevice(RID));
  const { waits, deviceTlb } = readVtdStats(rig.words, rig.base);
  expect([waits - before.waits, deviceTlb - before.deviceTlb]).toEqual([2, 32]); // 20 PASIDs fit in one
  for (let pasid = 10; pasid < 40; pasid++) expect(entryOf(rig, pasid).p).toBe(0);
  await rig.during(rig.driver.fenceEventQueue(RID));
  await rig.during(rig.driver.disablePri(RID));
});

test('responses that found no room are kept for the next flush: nobody stays unanswered', async () => {
  const rig = await up({ timeoutMs: 60 });
  for (let prgi = 0; prgi < 127; prgi++) rig.ops[0].respond(RID, PASID, prgi, 0);
  rig.ops[0].flushResponses();
  for (let prgi = 127; prgi < 137; prgi++) rig.ops[1].respond(RID, PASID, prgi, 0);
  expect(() => rig.ops[1].flushResponses()).toThrow('no descriptor was taken (ETIMEDOUT)');
  const got: number[] = [];
  const take = (): void => {
    for (const { prgi } of rig.received()) got.push(prgi);
  };
  for (let i = 0; i < 10; i++) {
    rig.hw.pump(16);
    take();
  }
  rig.ops[1].flushResponses();
  rig.hw.pump(64);
  take();
  expect(got).toEqual(Array.from({ length: 137 }, (_, prgi) => prgi));
});

test('a request without a PASID is not kept by the drain of a PASID that failed', async () => {
  const rig = await up({ driver: { timeoutMs: 60 } });
  rig.request(1, REQUEST_READ | REQUEST_LAST);
  rig.request(2, REQUEST_READ | REQUEST_LAST | REQUEST_PASID_VALID);
  rig.hw.pump(64);
  await expect(rig.during(rig.driver.drain(RID, PASID, 1), false)).rejects.toBeInstanceOf(IommuError);
  expect(await rig.during(rig.driver.drain(RID, NO_PASID, 2))).toBe(true);
  expect(rig.reporter.faults.length).toBe(2);
});
