import { describe, expect, test } from 'vitest';
import {
  REQUEST_EXEC,
  REQUEST_LAST,
  REQUEST_PASID_VALID,
  REQUEST_PRIV,
  REQUEST_READ,
  REQUEST_WRITE,
} from '../pcie/index.ts';
import { EventPump, encodePageRequest, PRS_PPR, PRS_PRO } from './index.ts';
import { VTD_PASSES, VTD_PQH, VTD_PQT, VTD_PRS } from './layout.ts';
import { DEVICE, PASID, RID, VtdRig, type VtdRigConfig } from './testing/vtd-rig.ts';
import { deviceEntryAt } from './unit.ts';

const up = (config?: VtdRigConfig): Promise<VtdRig> => new VtdRig(config).up();
/** Puts descriptors into the queue as broken hardware might. */
function inject(rig: VtdRig, ...descriptors: readonly Record<string, number>[]): void {
  for (const values of descriptors) {
    const tail = rig.register(VTD_PQT);
    encodePageRequest(rig.words, rig.requestsAt + tail / 4, values);
    Atomics.store(rig.words, rig.base + VTD_PQT, (tail + 32) % 4096);
  }
}
const good = { rid: RID, pasidPresent: 1, pasid: PASID, rd: 1, lpig: 1 };

describe('a request becomes a fault', () => {
  test('field by field', async () => {
    const rig = await up();
    rig.request(0x155, REQUEST_WRITE | REQUEST_PASID_VALID, 0x7_ff12_3456);
    rig.request(0x155, REQUEST_READ | REQUEST_WRITE | REQUEST_LAST, 0x1);
    rig.hw.pump(64);
    expect(rig.pump.pump(64)).toBe(2);
    expect(rig.reporter.faults).toMatchObject([
      {
        device: DEVICE,
        flags: 1 | 4,
        pasid: PASID,
        grpid: 0x155,
        perm: 2,
        pageLo: 0x7_ff12_3456 | 0,
        pageHi: 0x7,
        token: RID,
      },
      { device: DEVICE, flags: 2, pasid: 0, grpid: 0x155, perm: 3, pageLo: 1, pageHi: 0, token: RID },
    ]);
    expect([rig.reporter.batches > 0, rig.pump.counts().reported, rig.notes]).toEqual([true, 2, []]);
  });

  test('one that the core refuses is counted; the core has answered it', async () => {
    const rig = await up();
    rig.reporter.verdict = -22;
    rig.request(1);
    rig.hw.pump(64);
    rig.pump.pump(64);
    rig.hw.pump(64);
    expect([rig.pump.counts().refused, rig.received()]).toEqual([1, []]);
  });
});

describe('the driver refuses by itself', () => {
  test.each([
    ['notCanonical', { addressHi: 0x8000 }],
    ['privileged', { priv: 1 }],
    ['execute', { exe: 1 }],
    ['unknownRequester', { rid: 9 }],
    ['unknownRequester', { rid: 0xffff }],
  ] as const)('%s %o: Invalid for a last request, nothing for another', async (outcome, values) => {
    const rig = await up({ portRids: [RID, 9] });
    inject(rig, { ...good, ...values, lpig: 0, prgi: 6 }, { ...good, ...values, prgi: 7 }, { ...good, prgi: 8 });
    rig.pump.pump(64);
    rig.hw.pump(64);
    expect(rig.reporter.faults.map((fault) => fault.grpid)).toEqual([8]);
    expect(rig.notes).toEqual([outcome, outcome]);
    const got = [...rig.received(0), ...rig.received(1)];
    if ('rid' in values && values.rid === 0xffff)
      expect(got).toEqual([]); // nobody is there to get it
    else expect(got).toMatchObject([{ prgi: 7, code: 1, pasid: PASID }]);
  });

  test('a stop marker is skipped without an answer, with and without a PASID', async () => {
    const rig = await up();
    inject(rig, { ...good, rd: 0 }, { rid: RID, lpig: 1 }, { rid: 0xffff, lpig: 1 });
    rig.pump.pump(64);
    rig.hw.pump(64);
    expect([rig.pump.counts().stopMarkers, rig.received(), rig.reporter.faults]).toEqual([3, [], []]);
  });

  test('what is no page request is counted and never answered', async () => {
    const rig = await up();
    inject(rig, { ...good, type: 2 }, { ...good, type: 0 });
    rig.pump.pump(64);
    rig.hw.pump(64);
    expect([rig.pump.counts().unknownType, rig.received()]).toEqual([2, []]);
  });

  test('execution and privilege come through where the tables let them, without RD and WR', async () => {
    const rig = await up();
    await rig.during(
      rig.driver.attach(RID, 9, { kind: 'first-level', did: 1, faults: true, execute: true, supervisor: true }),
    );
    rig.ports[0].post(1, 0, REQUEST_WRITE | REQUEST_EXEC | REQUEST_LAST | REQUEST_PASID_VALID, 9, 1, 0);
    rig.ports[0].post(1, 0, REQUEST_EXEC | REQUEST_PRIV | REQUEST_PASID_VALID, 9, 1, 0);
    rig.ports[0].post(1, 0, REQUEST_READ | REQUEST_PRIV | REQUEST_LAST | REQUEST_PASID_VALID, 9, 2, 0);
    rig.ports[0].publish();
    rig.hw.pump(64);
    rig.pump.pump(64);
    expect(rig.reporter.faults.map((fault) => fault.perm)).toEqual([2 | 4, 4 | 8]);
    expect(rig.pump.counts().privileged).toBe(1);
  });

  test('57-bit addresses, where the machine has them', async () => {
    const rig = await up({ addressBits: 57 });
    inject(rig, { ...good, addressHi: 0x8000 }, { ...good, addressHi: 0x1000000 });
    rig.pump.pump(64);
    expect([rig.pump.counts().reported, rig.pump.counts().notCanonical]).toEqual([1, 1]);
    const config = { reporter: rig.reporter, ops: rig.ops[0], addressBits: 39 as 48 };
    expect(() => new EventPump(rig.words, rig.base, config)).toThrow('addressBits = 39');
  });
});

describe('a pass', () => {
  test('clears PPR, moves PQH once for the whole batch, and says that it is over', async () => {
    const rig = await up();
    for (let i = 0; i < 10; i++) rig.request(i);
    rig.hw.pump(64);
    const passes = rig.register(VTD_PASSES);
    const heads: number[] = [];
    const report = rig.reporter.reportDeviceFault.bind(rig.reporter);
    rig.reporter.reportDeviceFault = (at) => {
      heads.push(rig.register(VTD_PQH), rig.register(VTD_PRS));
      return report(at);
    };
    rig.pump.pump(64);
    expect(new Set(heads)).toEqual(new Set([0]));
    expect([rig.register(VTD_PQH), rig.register(VTD_PASSES) - passes]).toEqual([320, 1]);
    expect(rig.pump.needsWork()).toBe(false);
  });

  test('what is queued while a batch is being reported interrupts again', async () => {
    const rig = await up();
    rig.request(1);
    rig.hw.pump(64);
    const rings = rig.irq.rings();
    const report = rig.reporter.reportDeviceFault.bind(rig.reporter);
    let more = true;
    rig.reporter.reportDeviceFault = (at) => {
      if (more) rig.request(2);
      more = false;
      rig.hw.pump(64);
      return report(at);
    };
    expect(rig.pump.pump(1)).toBe(1);
    expect([rig.irq.rings() - rings, rig.prs, rig.pump.needsWork()]).toEqual([1, PRS_PPR, true]);
    expect(rig.pump.pump(64)).toBe(1);
    expect(rig.reporter.faults.length).toBe(2);
  });

  test('a budget is kept; the rest is work', async () => {
    const rig = await up();
    for (let i = 0; i < 10; i++) rig.request(i);
    rig.hw.pump(64);
    expect([rig.pump.pump(4), rig.pump.needsWork(), rig.pump.pump(4), rig.pump.pump(4)]).toEqual([4, true, 4, 2]);
    expect(rig.reporter.faults.map((fault) => fault.grpid)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('whose answers find no room reports nothing twice, and answers once there is room', async () => {
    const rig = await up({ timeoutMs: 60 });
    for (let prgi = 0; prgi < 127; prgi++) rig.ops[1].respond(RID, PASID, prgi, 0);
    rig.ops[1].flushResponses();
    inject(rig, { ...good, prgi: 200 }, { ...good, priv: 1, prgi: 201 });
    expect(() => rig.pump.pump(64)).toThrow('no descriptor was taken (ETIMEDOUT)');
    expect(rig.register(VTD_PQH)).toBe(64);
    const got: number[] = [];
    for (let i = 0; i < 12; i++) {
      rig.hw.pump(16);
      if (i === 10) rig.pump.pump(64);
      for (const { prgi } of rig.received()) got.push(prgi);
    }
    expect([rig.reporter.faults.length, got.slice(127)]).toEqual([1, [201]]);
  });

  test('head and tail that make no sense are taken modulo the queue', async () => {
    const rig = await up();
    Atomics.store(rig.words, rig.base + VTD_PQT, 4096 + 64 + 7);
    Atomics.store(rig.words, rig.base + VTD_PQH, 5);
    inject(rig);
    expect(rig.pump.pump(64)).toBe(2);
    expect(rig.pump.counts().unknownType).toBe(2);
  });

  test('an overflow with nothing to take is acknowledged too, for devices that have a driver', async () => {
    const rig = await up();
    Atomics.or(rig.words, rig.base + VTD_PRS, PRS_PRO);
    Atomics.store(rig.words, deviceEntryAt(rig.words, rig.base, 9), 12);
    expect([rig.pump.needsWork(), rig.pump.pump(64), rig.pump.needsWork()]).toEqual([true, 0, false]);
    expect([rig.reporter.discarded, rig.notes]).toEqual([[DEVICE, 11], ['overflows']]);
  });
});
