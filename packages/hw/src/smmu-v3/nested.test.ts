import { IommuError } from '@faultline/core/errors';
import { describe, expect, test } from 'vitest';
import {
  BLOCKED,
  decodeSte,
  IDENTITY,
  PagingDomain,
  readSmmuStats,
  type SmmuDomain,
  SmmuHardware,
  STE_CONFIG_ABORT,
  virtualNested,
} from './index.ts';
import { streamEntryAt } from './layout.ts';
import { NestedBench, S1, SID, VMID, VSID } from './nested.test-help.ts';
import { Rig } from './rig.test-help.ts';
import { allocVsmmu, freeNested } from './virtual/index.ts';

const EIO = -5;
/** F_TRANSLATION, no substream; w1: RnW 35, CLASS 2 in 41:40; w2: the page, 0xabcde. */
const told = (streamId: number): readonly number[] => [0x10, streamId, 0, 0x208, 0xabcde000, 0, 0, 0];
const ste = ({ rig }: NestedBench): Record<string, number> =>
  decodeSte(rig.words, streamEntryAt(rig.words, rig.base, SID));

async function attached(bench: NestedBench, domain: SmmuDomain = bench.nested()) {
  bench.vdevices.alloc(bench.vsmmu, SID, VSID);
  const master = await bench.claim();
  await bench.run(() => master.attach(domain));
  return master;
}

describe('an event of a guest’s device', () => {
  test('reaches the guest’s queue under the guest’s own StreamID, and nobody else', async () => {
    const bench = new NestedBench();
    await attached(bench);
    bench.fault();
    expect(bench.told()).toEqual([told(VSID)]);
    expect(bench.rig.pump.counts()).toMatchObject({ forwarded: 1, events: 0, reported: 0 });
    expect([bench.rig.notes, bench.rig.reporter.faults]).toEqual([[], []]);
    expect(bench.rig.entry(0)).toBeGreaterThan(0);
    expect(bench.rig.words[bench.rig.entry(0) + 1]).toBe(SID); // the host's record is as it was
  });

  test('that stalls is the fault handler’s, never the guest’s', async () => {
    const bench = new NestedBench();
    bench.setContext({ s: 1 });
    bench.vdevices.alloc(bench.vsmmu, SID, VSID);
    const master = await bench.claim({ canStall: true });
    await bench.run(() => master.attach(bench.nested()));
    bench.fault();
    expect(bench.told()).toEqual([]);
    expect(bench.rig.reporter.faults).toMatchObject([{ device: SID, token: SID, pageLo: 0xabcde }]);
  });

  // w1 of the guest's entry: S1DSS 1:0. C_BAD_STE cannot come of an entry that the host checked.
  test.each([
    ['C_BAD_CD', { v: 0 }, 0, 0, [0x0a, VSID, 0, 0, 0, 0, 0, 0]],
    ['F_STREAM_DISABLED', {}, 0, 1, [0x06, VSID, 0, 0, 0, 0, 0, 0]],
  ])('%s is the guest’s', async (_name, context, w1, s1CDMax, record) => {
    const bench = new NestedBench();
    bench.setContext(context);
    await attached(bench, bench.nested(S1, w1, bench.vsmmu, s1CDMax));
    bench.fault();
    expect(bench.told()).toEqual([record]);
  });

  test('C_BAD_SUBSTREAMID is the guest’s, with the SubstreamID and no SSV', async () => {
    const bench = new NestedBench({ portList: [{ streamId: SID, substreamId: 7 }] });
    await attached(bench);
    bench.fault();
    expect(bench.told()).toEqual([[0x7008, VSID, 0, 0, 0, 0, 0, 0]]);
  });

  test.each([
    ['of stage 2', 5, 1, 1], // S1DSS bypass: stage 2 alone translates what has no SubstreamID
    ['of an entry that bypasses stage 1', 4, 0, 0],
  ])('%s is the host’s', async (_name, config, w1, s1CDMax) => {
    const bench = new NestedBench();
    await attached(bench, bench.nested(config, w1, bench.vsmmu, s1CDMax));
    bench.fault();
    expect(bench.told()).toEqual([]);
    expect(bench.rig.notes).toEqual(['events']);
    expect(bench.rig.words[bench.rig.entry(0) + 3] & 0x80).toBe(0x80);
  });

  test('that finds the queue full is lost there, and the guest can tell; without a queue it is the host’s to log', async () => {
    const bench = new NestedBench();
    bench.rig.guests.open(bench.vsmmu, 2);
    await attached(bench);
    for (let i = 0; i < 4; i++) bench.fault();
    const first = bench.rig.guests.read(bench.vsmmu);
    expect([first.events.map(({ sequence }) => sequence), first.lost]).toEqual([[0, 1], true]);
    bench.fault();
    expect(bench.rig.guests.read(bench.vsmmu)).toMatchObject({ events: [{ sequence: 4 }], lost: false }); // 4 - 1: two are lost
    expect(bench.rig.pump.counts()).toMatchObject({ forwarded: 5, events: 0 });
    const without = new NestedBench();
    const other = allocVsmmu(without.rig.area, VMID); // nobody opened a queue for it
    without.vdevices.alloc(other, SID, VSID);
    const master = await without.claim();
    await without.run(() => master.attach(without.nested(S1, 0, other)));
    without.fault();
    expect(without.rig.pump.counts()).toMatchObject({ forwarded: 0, events: 1 });
    expect(without.rig.router.counts()).toEqual({ forwarded: 0, kept: 0, refused: 1 });
    expect(without.rig.notes).toEqual(['events']);
  });
});

describe('a guest’s invalidation', () => {
  test('reaches the unit’s caches and the function under the physical StreamID and the VMID', async () => {
    const bench = new NestedBench();
    await attached(bench);
    bench.fault();
    bench.setContext({ v: 0 });
    bench.fault();
    expect(bench.told()).toEqual([told(VSID), told(VSID)]); // the descriptor is cached
    const { words, spareAt } = bench.rig;
    bench.invalidated();
    bench.tlbis.length = 0;
    // CFGI_CD, leaf, of its substream 0; ATC_INV of page 0x55, size 0; TLBI_NH_ASID 9; TLBI_NSNH_ALL.
    words.set([0x05, VSID, 1, 0, 0x40, VSID, 0x55000, 0, 0x11, (9 << 16) | 0x777, 0, 0, 0x30, 0, 0, 0], spareAt);
    const guest = bench.commands();
    expect([guest.submit(spareAt, 4), guest.completed]).toEqual([0, 4]);
    bench.fault();
    expect(bench.told()).toEqual([[0x0a, VSID, 0, 0, 0, 0, 0, 0]]); // C_BAD_CD: it is read anew
    expect(bench.invalidated()).toEqual([{ page: 0x55, pasid: -1, code: 0 }]);
    expect(bench.tlbis).toEqual([
      [0x11, (9 << 16) | VMID, 0, 0],
      [0x10, VMID, 0, 0],
    ]);
  });

  test('is issued 63 at a time, each time with a CMD_SYNC; the first bad one ends it, and says how many were done', async () => {
    const bench = new NestedBench();
    await attached(bench);
    const { words, pageAt } = bench.rig;
    for (let i = 0; i < 70; i++) words.set([0x40, i === 65 ? SID : VSID, i << 12, 0], pageAt + i * 4); // a physical one names nobody
    bench.invalidated();
    const before = readSmmuStats(words, bench.rig.base);
    const guest = bench.commands();
    expect([guest.submit(pageAt, 70), guest.completed]).toEqual([EIO, 65]);
    const after = readSmmuStats(words, bench.rig.base);
    expect(after.commands - before.commands).toBe(65 + 2);
    expect(after.syncs - before.syncs).toBe(2);
    expect(bench.invalidated().map(({ page }) => page)).toEqual(Array.from({ length: 65 }, (_, i) => i));
  });

  test('that no SMMU takes is skipped, as the host’s own would be, and holds nobody up', async () => {
    const bench = new NestedBench();
    await attached(bench);
    const { words, spareAt } = bench.rig;
    words.set([0x40, VSID, 63, 0, 0x40, VSID, 0x9000, 0], spareAt); // Size = 63: CERROR_ILL
    bench.invalidated();
    const guest = bench.commands();
    expect([guest.submit(spareAt, 2), guest.completed]).toEqual([0, 2]);
    expect([bench.invalidated().length, bench.ops.recovered]).toEqual([1, 1]);
  });
});

describe('the attach', () => {
  test('takes the stream from the former guest first, and gives it to the next one last', async () => {
    const bench = new NestedBench();
    bench.vdevices.alloc(bench.vsmmu, SID, VSID);
    const master = await bench.claim();
    const seen: string[] = [];
    const sync = bench.ops.syncAsync.bind(bench.ops);
    bench.ops.syncAsync = () => {
      seen.push(`Config ${ste(bench).config} pair ${bench.pair().join(' ')}`);
      return sync();
    };
    await bench.run(() => master.attach(bench.nested()));
    expect(seen).toEqual([
      'Config 0 pair 0 0', // what abort does not look at
      'Config 7 pair 0 0', // the fence is still to come
    ]);
    expect(bench.pair()).toEqual([bench.vsmmu, VSID]);
    seen.length = 0;
    await bench.run(() => master.attach(IDENTITY));
    expect(new Set(seen.map((each) => each.slice(9)))).toEqual(new Set(['pair 0 0']));
    await bench.run(() => master.attach(bench.nested()));
    seen.length = 0;
    await bench.run(() => master.attach(bench.nested(4))); // the guest's next entry: the stream stays its own
    expect(new Set(seen.map((each) => each.slice(9)))).toEqual(new Set([`pair ${bench.vsmmu} ${VSID}`]));
  });

  test.each([
    ['blocked', BLOCKED],
    ['identity', IDENTITY],
    ['the host’s own', new PagingDomain({ stage1: { asid: 3, tableAt: 0x4000 } })],
  ])('to %s: later events are not the guest’s', async (_name, domain) => {
    const bench = new NestedBench();
    const master = await attached(bench);
    await bench.run(() => master.attach(domain));
    bench.fault();
    expect(bench.told()).toEqual([]);
    expect(bench.rig.pump.counts().forwarded).toBe(0);
  });

  test('waits for what the queue holds of the domain before: it is not the guest’s', async () => {
    const bench = new NestedBench();
    bench.vdevices.alloc(bench.vsmmu, SID, VSID);
    const master = await bench.claim();
    await bench.run(() => master.attach(new PagingDomain({ stage1: { asid: 3, tableAt: 0x4000 } })));
    bench.rig.ports[0].reset();
    bench.rig.post(0, 1);
    bench.hardware(); // recorded, and nobody has looked
    expect(bench.rig.prod).toBe(1);
    await bench.run(() => master.attach(bench.nested()));
    expect(bench.told()).toEqual([]);
    expect(bench.rig.notes).toEqual(['events']);
    bench.fault();
    expect(bench.told()).toEqual([told(VSID)]);
  });

  test('without a ready vdevice is refused where the guest’s entry translates, and nothing has changed', async () => {
    const bench = new NestedBench();
    const master = await bench.claim();
    const domain = bench.nested();
    const commands = readSmmuStats(bench.rig.words, bench.rig.base).commands;
    await expect(bench.run(() => master.attach(domain))).rejects.toThrow('(ENOENT)');
    expect(readSmmuStats(bench.rig.words, bench.rig.base).commands).toBe(commands);
    expect([master.domain, bench.parent.users, bench.pair()]).toEqual([BLOCKED, 0, [0, 0]]);
    expect(freeNested(bench.rig.area, domain.virtual?.domain ?? 0)).toBe(0); // nobody counts it
    await bench.run(() => master.attach(bench.nested(4)));
    expect([ste(bench).config, bench.pair()]).toEqual([6, [0, 0]]); // bypass: stage 2, and no name is needed
    await bench.run(() => master.attach(bench.nested(0)));
    expect([ste(bench).config, bench.pair()]).toEqual([STE_CONFIG_ABORT, [0, 0]]);
  });

  test('refuses a domain of another virtual side, over another stage 2, of none, and streams that are not the virtual side’s', async () => {
    const bench = new NestedBench();
    const master = await attached(bench);
    const other = new NestedBench();
    await expect(bench.run(() => master.attach(other.nested()))).rejects.toThrow('is not of the virtual side');
    const { domain } = bench.nested().virtual ?? { domain: 0 };
    const elsewhere = new PagingDomain({ stage2: { vmid: VMID + 1, tableAt: 0x4000 } });
    await expect(bench.run(() => master.attach(virtualNested(bench.rig.area, domain, elsewhere)))).rejects.toThrow(
      'parent = 69: is not the stage 2 of its vSMMU, VMID 68 (EINVAL)',
    );
    const plain = { kind: 'nested', parent: bench.parent, user: [1 | (S1 << 1), 0, 0, 0] } as const;
    await expect(bench.run(() => master.attach(plain))).rejects.toThrow('(EINVAL)');
    expect([master.settled, bench.pair()]).toEqual([true, [bench.vsmmu, VSID]]);
    await expect(bench.claim({ device: 2, streamIds: [4] })).rejects.toThrow('streamIds = [4]: must be 2');
    await expect(master.attach(BLOCKED)).rejects.toThrow('its group mutex is free (EINVAL)');
  });

  test('beside a PASID is refused', async () => {
    const bench = new NestedBench();
    bench.vdevices.alloc(bench.vsmmu, SID, VSID);
    const master = await bench.claim();
    await bench.run(() => master.attachPasid(1, new PagingDomain({ stage1: { asid: 3, tableAt: 0x4000 } })));
    await expect(bench.run(() => master.attach(bench.nested()))).rejects.toThrow('pasids = 1: are attached (EBUSY)');
  });
});

const late = (): IommuError => new IommuError('ETIMEDOUT', 'test', 'sync', 0, 'stands still');

describe('an attach that fails', () => {
  const host = (): PagingDomain => new PagingDomain({ stage1: { asid: 3, tableAt: 0x4000 } });
  const kinds: readonly [string, (bench: NestedBench) => SmmuDomain, (bench: NestedBench) => SmmuDomain][] = [
    ['guest to host', (bench) => bench.nested(S1, 1 << 28), host],
    ['host to guest', host, (bench) => bench.nested(S1, 1 << 28)],
    ['guest to blocked', (bench) => bench.nested(), () => BLOCKED],
    ['guest to itself', (bench) => bench.nested(), (bench) => bench.nested(4)],
    ['host to host', host, () => new PagingDomain({ stage1: { asid: 4, tableAt: 0x8000 } })],
  ];
  const users = (domain: SmmuDomain): number => {
    if (domain.kind === 'paging') return domain.users;
    return domain.kind === 'nested' ? domain.parent.users : 0;
  };

  /** Everything that an attach changes. */
  const state = (bench: NestedBench, ats: { on: boolean }, domains: readonly SmmuDomain[]) => ({
    ...{ ste: ste(bench), pair: bench.pair(), on: ats.on, users: domains.map(users) },
    context: Array.from(bench.rig.words.subarray(bench.rig.contextsAt(SID), bench.rig.contextsAt(SID) + 16)),
  });

  async function start(from: (bench: NestedBench) => SmmuDomain) {
    const bench = new NestedBench();
    const ats = { on: false };
    bench.vdevices.alloc(bench.vsmmu, SID, VSID);
    const turn = (on: boolean) => (): void => {
      ats.on = on;
    };
    const master = await bench.claim({ ats: { enable: turn(true), disable: turn(false) } });
    const old = from(bench);
    await bench.run(() => master.attach(old));
    return { bench, ats, master, old };
  }

  test.each(kinds)('%s: at whichever CMD_SYNC the hardware is late, all is as it was', async (_name, from, to) => {
    for (let nth = 1; ; nth++) {
      const { bench, ats, master, old } = await start(from);
      const next = to(bench);
      const before = state(bench, ats, [old, next]);
      const sync = bench.ops.syncAsync.bind(bench.ops);
      let left = nth;
      bench.ops.syncAsync = async () => {
        await sync();
        if (--left === 0) throw late();
      };
      const failed = await bench
        .run(() => master.attach(next))
        .then(
          () => false,
          () => true,
        );
      bench.ops.syncAsync = sync;
      expect(master.settled).toBe(true);
      if (failed && master.domain === old) expect(state(bench, ats, [old, next])).toEqual(before);
      await bench.run(() => master.attach(next)); // what the attach that came too far had left undone is done now
      await bench.run(() => master.attach(BLOCKED));
      expect(state(bench, ats, [old, next])).toMatchObject({ pair: [0, 0], on: false });
      expect(ste(bench).config).toBe(STE_CONFIG_ABORT);
      if (!failed) break;
      expect(nth).toBeLessThan(20);
    }
  });

  test.each(kinds)(
    '%s: where it cannot be undone, both stay linked, and the next attach puts it right',
    async (_name, from, to) => {
      const { bench, ats, master, old } = await start(from);
      const next = to(bench);
      const linked = [users(old), users(next)];
      bench.ops.syncAsync = async () => {
        throw late();
      };
      await expect(bench.run(() => master.attach(next))).rejects.toThrow('(ETIMEDOUT)');
      expect([master.settled, master.domain]).toEqual([false, old]);
      const same = users(old) !== 0 && pagingOf(old) === pagingOf(next);
      expect([users(old), users(next)]).toEqual(
        same ? linked.map((n) => n + 1) : [linked[0], linked[1] + (next === BLOCKED ? 0 : 1)],
      );
      bench.fault(); // whose it is nobody knows
      if (!same) expect(bench.told()).toEqual([]);
      Reflect.deleteProperty(bench.ops, 'syncAsync');
      await expect(bench.run(() => master.attachPasid(1, host()))).rejects.toThrow(
        /settled = false|has no table|EBUSY/,
      );
      await bench.run(() => master.attach(IDENTITY));
      expect([master.settled, users(old), users(next)]).toEqual([true, 0, 0]);
      expect(state(bench, ats, [])).toMatchObject({ pair: [0, 0], on: false });
    },
  );

  const pagingOf = (domain: SmmuDomain): unknown => (domain.kind === 'nested' ? domain.parent : domain);

  test.each([
    ['host to guest', host, true],
    ['guest to another guest', (bench: NestedBench) => bench.nested(), false],
  ])('%s: while the interrupt thread stands still', async (_name, from, undone) => {
    const { bench, master, old } = await start(from);
    const other = allocVsmmu(bench.rig.area, VMID);
    bench.rig.guests.open(other);
    let next = bench.nested();
    if (!undone) {
      bench.vdevices.destroyNow(SID); // the device has moved: its events keep the old name until the attach
      bench.vdevices.alloc(other, SID, VSID + 1);
      next = bench.nested(S1, 0, other);
    }
    let stands = true;
    const fence = bench.rig.driver.fenceEventQueue.bind(bench.rig.driver);
    bench.rig.driver.fenceEventQueue = () => (stands ? Promise.reject(late()) : fence());
    await expect(bench.run(() => master.attach(next))).rejects.toThrow('(ETIMEDOUT)');
    expect([master.domain, master.settled, bench.pair()]).toEqual([old, undone, [0, 0]]); // nobody's, not the wrong guest's
    stands = false;
    await bench.run(() => master.attach(next));
    expect([master.settled, bench.pair()]).toEqual([true, undone ? [bench.vsmmu, VSID] : [other, VSID + 1]]);
    bench.fault();
    expect([bench.told().length, bench.told(other).length]).toEqual(undone ? [1, 0] : [0, 1]);
  });

  test('before anything has changed leaves nothing behind', async () => {
    const bench = new NestedBench();
    bench.vdevices.alloc(bench.vsmmu, SID, VSID);
    const begin = (): void => {
      throw new Error('no room in the fault path');
    };
    const master = await bench.claim({ canStall: true, faultUse: { begin, end: async () => {} } });
    const parent = new PagingDomain({ stage2: { vmid: VMID, tableAt: 0x4000 } }, true);
    const { domain } = bench.nested().virtual ?? { domain: 0 };
    const next = virtualNested(bench.rig.area, domain, parent);
    await expect(bench.run(() => master.attach(next))).rejects.toThrow('no room in the fault path');
    expect([master.settled, parent.users, freeNested(bench.rig.area, domain)]).toEqual([true, 0, 0]);
  });
});

test('an SMMU whose virtual side is elsewhere is a mistake', () => {
  const [rig, other] = [new Rig(), new Rig()];
  const config = { ports: [], irq: rig.irq, clock: () => 0, virtual: other.area };
  expect(() => new SmmuHardware(rig.words, rig.base, config)).toThrow('must be in the memory of its SMMU (EINVAL)');
});
