import { describe, expect, test } from 'vitest';
import { AtsCapability } from '../pcie/ats-capability.ts';
import { functionWords, initFunction } from '../pcie/function.layout.ts';
import {
  BLOCKED,
  checkNestedEntry,
  decodeCd,
  decodeSte,
  EATS_FULL,
  IDENTITY,
  PagingDomain,
  probeSmmu,
  readFeatures,
  readIdrs,
  S1DSS_BYPASS,
  S1DSS_SSID0,
  S1DSS_TERMINATE,
  SmmuMaster,
  type SmmuMasterConfig,
  STE_CONFIG_ABORT,
  STE_CONFIG_BYPASS,
  STE_CONFIG_NESTED,
  STE_CONFIG_S1,
  STE_CONFIG_S2,
} from './index.ts';
import { SMMU_IDRS, STE_MASTER, streamEntryAt } from './layout.ts';
import { Rig, type RigConfig } from './rig.test-help.ts';

const SID = 3;
const S1 = (asid: number, faults = false): PagingDomain =>
  new PagingDomain({ stage1: { asid, tableAt: 0x4000 } }, faults);
const S2 = (vmid: number): PagingDomain => new PagingDomain({ stage2: { vmid, tableAt: 0x4000 } });

class Bench {
  readonly rig: Rig;
  readonly calls: string[] = [];
  #seen = 0;

  constructor(config: RigConfig = {}) {
    this.rig = new Rig({ off: true, contextLog2: 2, commandQueues: 1, functions: [SID], ...config });
    this.rig.enable();
  }

  claim(config: Partial<SmmuMasterConfig> = {}): Promise<SmmuMaster> {
    const { rig } = this;
    return this.run(SmmuMaster.claim(rig.words, rig.base, { ops: rig.ops[0], device: 7, streamIds: [SID], ...config }));
  }

  /** ATS of a function that notes what is done to it, and between which commands. */
  ats(): { ats: { enable(): void; disable(): void } } {
    const note = (what: string) => () => {
      this.calls.push(`${what} after ${this.rig.commands(0).length - this.#seen} commands`);
    };
    return { ats: { enable: note('enable ATS'), disable: note('disable ATS') } };
  }

  /** Runs hardware and functions while the driver waits. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let open = true;
    const end = (): void => {
      open = false;
    };
    promise.then(end, end);
    while (open) {
      this.rig.hw.pump(64);
      this.rig.complete(0);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return promise;
  }

  /** The commands of one call, in short. */
  async trace(promise: () => Promise<unknown>): Promise<string[]> {
    this.#seen = this.rig.commands(0).length;
    this.calls.length = 0;
    await this.run(promise());
    return this.rig.commands(0, this.#seen).map(({ name, ...fields }) => {
      const { streamId: _s, leaf: _l, ssv: _v, cs: _c, size, ...rest } = fields;
      const what = Object.entries({ ...rest, ...(name === 'ATC_INV' && size !== 52 ? { size } : {}) });
      return [name, ...what.map(([key, value]) => `${key} ${value}`)].join(' ');
    });
  }

  ste(streamId: number = SID): Record<string, number> {
    return decodeSte(this.rig.words, streamEntryAt(this.rig.words, this.rig.base, streamId));
  }

  cd(index: number): Record<string, number> {
    return decodeCd(this.rig.words, this.rig.contextsAt(SID) + index * 16);
  }
}

const STE_SYNC = ['CFGI_STE', 'SYNC'];
const CD_SYNC = (index: number): string[] => [index === 0 ? 'CFGI_CD' : `CFGI_CD substreamId ${index}`, 'SYNC'];

describe('a master', () => {
  test('starts blocked, known to the event pump, and may be claimed once', async () => {
    const bench = new Bench();
    const master = await bench.claim();
    expect(bench.ste()).toMatchObject({ v: 1, config: STE_CONFIG_ABORT });
    const at = streamEntryAt(bench.rig.words, bench.rig.base, SID);
    expect(bench.rig.words[at + STE_MASTER]).toBe(8);
    await expect(bench.claim()).rejects.toThrow('streamIds = 3: has a driver already (EBUSY)');
    await expect(bench.claim({ streamIds: [99] })).rejects.toThrow('(ENODEV)');
    await bench.run(master.release());
    expect(bench.rig.words[at + STE_MASTER]).toBe(0);
  });

  test('paging, stage 1: the descriptor first, then the entry; hitless; left again the other way round', async () => {
    const bench = new Bench();
    const master = await bench.claim();
    const domain = S1(5);
    expect(await bench.trace(() => master.attach(domain))).toEqual([
      ...CD_SYNC(0), // everything but V
      ...CD_SYNC(0),
      ...STE_SYNC, // everything but Config
      ...STE_SYNC,
      'PREFETCH_CFG',
    ]);
    expect(bench.cd(0)).toMatchObject({ v: 1, asid: 5, s: 0, r: 1, a: 1, aset: 1, ttb0Lo: 0x10000, ha: 0, hd: 0 });
    expect(bench.ste()).toMatchObject({ config: STE_CONFIG_S1, s1DSS: S1DSS_SSID0, s1CDMax: 2, eats: 0, s1STALLD: 1 });
    expect(master.lastUpdate).toBe('hitless');
    expect(domain.users).toBe(1);
    expect(await bench.trace(() => master.attach(BLOCKED))).toEqual([
      ...STE_SYNC,
      ...STE_SYNC,
      'PREFETCH_CFG',
      'TLBI_NH_ASID asid 5', // its last user left
      'SYNC',
      ...CD_SYNC(0), // V
      ...CD_SYNC(0), // the rest
    ]);
    expect([domain.users, bench.cd(0).v, bench.ste().config]).toEqual([0, 0, STE_CONFIG_ABORT]);
  });

  test('another stage-1 domain: the same entry, another descriptor, nobody in between', async () => {
    const bench = new Bench();
    const master = await bench.claim();
    await bench.run(master.attach(S1(5)));
    const next = new PagingDomain({ stage1: { asid: 6, tableAt: 0x4000 } });
    expect(await bench.trace(() => master.attach(next))).toEqual([
      ...CD_SYNC(0),
      'PREFETCH_CFG',
      'TLBI_NH_ASID asid 5',
      'SYNC',
    ]);
    expect(await bench.trace(() => master.attach(next))).toEqual(['PREFETCH_CFG']); // two links, one taken back
    expect(next.users).toBe(1);
  });

  test('identity and stage 2', async () => {
    const bench = new Bench();
    const master = await bench.claim({ canStall: true });
    await bench.run(master.attach(IDENTITY));
    expect(bench.ste()).toMatchObject({ config: STE_CONFIG_BYPASS, shCfg: 1 });
    await bench.run(master.attach(S2(9)));
    expect(bench.ste()).toMatchObject({
      config: STE_CONFIG_S2,
      s2VMID: 9,
      s2S: 1,
      s2R: 1,
      s2AA64: 1,
      s2T0SZ: 16,
      s2SL0: 2,
      s2PTW: 1,
    });
    expect(await bench.trace(() => master.attach(IDENTITY))).toContain('TLBI_S12_VMALL vmid 9');
  });

  test('stalls where the device survives them and the SMMU offers them', async () => {
    const bench = new Bench();
    const master = await bench.claim({ canStall: true });
    await bench.run(master.attach(S1(5)));
    expect([bench.cd(0).s, bench.ste().s1STALLD]).toEqual([1, 0]);
    expect(() => master.setStalls(false)).toThrow('domain = "paging": must be blocked or identity (EBUSY)');
    await bench.run(master.attach(BLOCKED));
    master.setStalls(false);
    await bench.run(master.attach(S1(5)));
    expect([bench.cd(0).s, bench.ste().s1STALLD]).toEqual([0, 1]);
    const without = await new Bench().claim();
    expect(() => without.setStalls(true)).toThrow('(EOPNOTSUPP)');
    const forced = new Bench({ identification: { stallModel: 2 } });
    const bound = await forced.claim();
    expect(() => bound.setStalls(false)).toThrow('stalls are forced here (EOPNOTSUPP)');
    await forced.run(bound.attach(S1(5)));
    expect(forced.cd(0).s).toBe(1);
  });

  test('faults that stall need one StreamID', async () => {
    const bench = new Bench();
    const master = await bench.claim({ canStall: true, streamIds: [SID, 4] });
    await expect(bench.run(master.attach(S1(5, true)))).rejects.toThrow(
      'streamIds.length = 2: must be 1 to stall (EOPNOTSUPP)',
    );
    await bench.run(master.attach(S1(5)));
    expect([bench.ste(SID).config, bench.ste(4).config]).toEqual([STE_CONFIG_S1, STE_CONFIG_S1]);
  });

  test('joins the fault path with the first domain that has a handler, and leaves it with the last', async () => {
    const bench = new Bench();
    const uses: string[] = [];
    const faultUse = {
      begin: (): void => void uses.push('begin'),
      end: async (): Promise<void> => void uses.push('end'),
    };
    const master = await bench.claim({ canStall: true, faultUse });
    await bench.run(master.attach(S1(5, true)));
    await bench.run(master.attachPasid(1, S1(6, true)));
    await bench.run(master.attach(S1(7)));
    expect(uses).toEqual(['begin']);
    await bench.run(master.detachPasid(1));
    expect(uses).toEqual(['begin', 'end']);
  });
});

test('every stream of a master has the entry, and is told of descriptors, with one CMD_SYNC', async () => {
  const bench = new Bench();
  const master = await bench.claim({ streamIds: [SID, 4] });
  await bench.run(master.attach(S1(5)));
  const from = bench.rig.commands(0).length;
  await bench.run(master.attach(S1(6)));
  expect(bench.rig.commands(0, from).slice(0, 3)).toEqual([
    { name: 'CFGI_CD', streamId: SID, leaf: 1 },
    { name: 'CFGI_CD', streamId: 4, leaf: 1 },
    { name: 'SYNC', cs: 1 },
  ]);
  expect(bench.ste(SID)).toEqual(bench.ste(4));
});

describe('ATS', () => {
  test('on: the whole cache dropped, then the function; stays: one PASID; off: the function first', async () => {
    const bench = new Bench();
    const master = await bench.claim(bench.ats());
    const on = await bench.trace(() => master.attach(S1(5)));
    expect(on.slice(-3)).toEqual(['PREFETCH_CFG', 'ATC_INV', 'SYNC']);
    expect(bench.ste().eats).toBe(EATS_FULL);
    expect(bench.calls).toEqual([`enable ATS after ${on.length} commands`]);
    const stays = await bench.trace(() => master.attach(S1(6)));
    expect(stays).toEqual([...CD_SYNC(0), 'PREFETCH_CFG', 'ATC_INV', 'SYNC', 'TLBI_NH_ASID asid 5', 'SYNC']);
    const off = await bench.trace(() => master.attach(IDENTITY));
    expect(bench.calls).toEqual(['disable ATS after 0 commands']);
    expect(off).toContain('ATC_INV');
    expect([bench.ste().eats, master.atsEnabled]).toEqual([0, false]);
  });

  test('AtsCapability is what it takes', async () => {
    const bench = new Bench();
    const words = new Int32Array(new SharedArrayBuffer((functionWords() + 32) * 4));
    initFunction(words, 32, { capacity: 8 });
    const ats = new AtsCapability(words, 32);
    const master = await bench.claim({ ats });
    await bench.run(master.attach(S1(5)));
    expect(ats.isEnabled()).toBe(true);
    await bench.run(master.attach(BLOCKED));
    expect(ats.isEnabled()).toBe(false);
  });

  test('an endpoint that completes nothing: the driver goes on, and knows', async () => {
    const bench = new Bench({ atcTimeoutTicks: 50 });
    const master = await bench.claim(bench.ats());
    const attached = master.attach(S1(5));
    let open = true;
    attached.then(() => {
      open = false;
    });
    while (open) {
      bench.rig.hw.pump(64);
      bench.rig.tick += 10;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect(bench.rig.ops[0].atcTimeouts).toBe(1);
  });
});

describe('a PASID', () => {
  test('has a descriptor of its own; streams that had no table get one, and lose it with the last PASID', async () => {
    const bench = new Bench();
    const master = await bench.claim();
    await bench.run(master.attach(IDENTITY));
    expect(await bench.trace(() => master.attachPasid(2, S1(8)))).toEqual([
      ...CD_SYNC(2),
      ...CD_SYNC(2),
      ...STE_SYNC,
      ...STE_SYNC,
      'PREFETCH_CFG',
    ]);
    expect(bench.ste()).toMatchObject({ config: STE_CONFIG_S1, s1DSS: S1DSS_BYPASS, shCfg: 1 });
    expect(bench.cd(2)).toMatchObject({ v: 1, asid: 8 });
    await bench.run(master.attach(BLOCKED)); // beside a PASID: the table stays, S1DSS says what streams are
    expect(bench.ste()).toMatchObject({ config: STE_CONFIG_S1, s1DSS: S1DSS_TERMINATE });
    const left = await bench.trace(() => master.detachPasid(2));
    expect(left.slice(0, 6)).toEqual([...CD_SYNC(2), ...CD_SYNC(2), 'TLBI_NH_ASID asid 8', 'SYNC']);
    expect(bench.ste()).toMatchObject({ config: STE_CONFIG_ABORT });
  });

  test('beside stage 1 changes nothing but its descriptor; with ATS its cache goes when it is detached', async () => {
    const bench = new Bench();
    const master = await bench.claim(bench.ats());
    await bench.run(master.attach(S1(5)));
    expect(await bench.trace(() => master.attachPasid(1, S1(8)))).toEqual([
      ...CD_SYNC(1),
      ...CD_SYNC(1),
      'PREFETCH_CFG',
      'ATC_INV substreamId 1',
      'SYNC',
    ]);
    const left = await bench.trace(() => master.detachPasid(1));
    expect(left).toEqual([
      ...CD_SYNC(1),
      ...CD_SYNC(1),
      'ATC_INV substreamId 1',
      'SYNC',
      'TLBI_NH_ASID asid 8',
      'SYNC',
    ]);
    expect(bench.ste().config).toBe(STE_CONFIG_S1);
  });

  test('is refused where it cannot be', async () => {
    const bench = new Bench();
    const master = await bench.claim();
    await expect(bench.run(master.attachPasid(4, S1(8)))).rejects.toThrow(
      'pasid = 4: must be a whole number from 1 to 3',
    );
    await expect(bench.run(master.attachPasid(1, S2(8)))).rejects.toThrow('must be stage 1 (EINVAL)');
    await expect(bench.run(master.detachPasid(1))).rejects.toThrow('is not attached (ENOENT)');
    await bench.run(master.attachPasid(1, S1(8)));
    await expect(bench.run(master.attachPasid(1, S1(9)))).rejects.toThrow('is attached already (EBUSY)');
    await expect(bench.run(master.attach(S2(1)))).rejects.toThrow('pasids = 1: are attached (EBUSY)');
    await bench.run(master.detachPasid(1));
    await bench.run(master.attach(S2(1)));
    await expect(bench.run(master.attachPasid(1, S1(8)))).rejects.toThrow('has no table of contexts (EBUSY)');
  });
});

describe('nested', () => {
  const user = (config: number, ...rest: number[]): number[] =>
    [1 | (config << 1) | 0x4000, 0, 0, 0].map((w, i) => w | (rest[i] ?? 0));

  test.each([
    ['stage 1', user(5), { config: STE_CONFIG_NESTED, mev: 1, s2VMID: 4, s1ContextPtrLo: 0x4000 }],
    ['bypass', user(4), { config: STE_CONFIG_S2, s2VMID: 4, s1ContextPtrLo: 0 }],
    ['abort', user(0), { config: STE_CONFIG_ABORT }],
    ['V = 0', [0, 0, 0, 0], { v: 1, config: STE_CONFIG_ABORT }],
    ['stage 1 that wants ATS', user(5, 0, 0, 1 << 28), { config: STE_CONFIG_NESTED, eats: 1 }],
  ])('%s', async (_name, words, expected) => {
    const bench = new Bench();
    const master = await bench.claim(bench.ats());
    await bench.run(master.attach({ kind: 'nested', parent: S2(4), user: words }));
    expect(bench.ste()).toMatchObject(expected);
    expect(master.atsEnabled).toBe((words[2] & (1 << 28)) !== 0);
  });

  test.each([
    ['a bit that is not the user’s', [1, 0, 1 << 19, 0], 'word 1 = 524288'],
    ['a high bit that is not', [1, 0, 0, 1], 'word 1 = 1'],
    ['a stage-2 Config', [1 | (6 << 1), 0, 0, 0], 'Config = 6'],
    ['a nested Config', [1 | (7 << 1), 0, 0, 0], 'Config = 7'],
    ['split-stage ATS', [1 | (5 << 1), 0, 2 << 28, 0], 'EATS = 2'],
    ['a pointer beyond bit 51', [1, 1 << 20, 0, 0], 'word 0 = 1048576'],
  ])('refuses %s', (_name, words, message) => {
    expect(() => checkNestedEntry(words)).toThrow(message);
    expect(() => checkNestedEntry(words)).toThrow('(EIO)');
  });
});

describe('probe', () => {
  test('reads what the model offers', () => {
    const rig = new Rig({ functions: [SID] });
    expect(probeSmmu(rig.words, rig.base)).toMatchObject({
      stage1: true,
      stage2: true,
      stalls: 'offered',
      ats: true,
      pri: true,
      dirtyState: true,
      asidBits: 16,
      substreamBits: 20,
      streamBits: 3,
      outputBits: 48,
      granulesLg2: [12, 14, 16],
      stallMax: 256,
      pageRequestsLg2: 19,
    });
    expect(probeSmmu(new Rig().words, new Rig().base)).toMatchObject({ pri: false, pageRequestsLg2: 0 });
  });

  test.each([
    ['ttendian', 1, 'IDR0.TTENDIAN'],
    ['ttf', 1, 'IDR0.TTF'],
    ['tablesPreset', 1, 'IDR1.TABLES_PRESET'],
    ['queuesPreset', 1, 'IDR1.QUEUES_PRESET'],
    ['rel', 1, 'IDR1.REL'],
    ['cmdqs', 6, 'IDR1.CMDQS'],
  ])('refuses %s = %i', (field, value, name) => {
    const rig = new Rig({ identification: { [field]: value } });
    expect(() => probeSmmu(rig.words, rig.base)).toThrow(`probeSmmu: ${name} = ${value}`);
    expect(() => probeSmmu(rig.words, rig.base)).toThrow('(ENXIO)');
  });

  test('refuses an SMMU without any translation; knows stall models and reserved sizes', () => {
    const rig = new Rig();
    const idrs = readIdrs(rig.words, rig.base + SMMU_IDRS);
    expect(() => readFeatures({ ...idrs, s1p: 0, s2p: 0 })).toThrow('IDR0.S1P = 0');
    expect(readFeatures({ ...idrs, s1p: 0 })).toMatchObject({ stage1: false, stage2: true });
    expect(['offered', 'none', 'forced']).toEqual(
      [0, 1, 2].map((stallModel) => readFeatures({ ...idrs, stallModel }).stalls),
    );
    expect(readFeatures({ ...idrs, oas: 7 }).outputBits).toBe(48);
  });
});
