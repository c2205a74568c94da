// Both stages by hand: page p of the guest is page p + 16 of RAM; the guest's descriptor is in its page 1, stage 1's tables in pages 2 to 5.
import { expect, test } from 'vitest';
import {
  CONTEXT_DEFAULTS,
  encodeCd,
  MISS,
  MISS_STAGE2,
  PagingDomain,
  type TranslationUnit,
  virtualNested,
} from './index.ts';
import { NestedBench, SID, VMID, VSID } from './nested.test-help.ts';
import { allocNested, VSTE_WORDS } from './virtual/index.ts';

const AF = 1n << 10n;
const TABLE = 3n;
const S1_RO = 1n << 7n;
const S2_READ = 1n << 6n;
const S2_RW = 3n << 6n;
const page = (number: number): bigint => BigInt(number) << 12n;

class Guest {
  readonly tables: BigInt64Array<SharedArrayBuffer> = new BigInt64Array(new SharedArrayBuffer(24 * 4096));
  readonly ram: BigInt64Array<SharedArrayBuffer> = new BigInt64Array(new SharedArrayBuffer(64 * 4096));
  readonly bench: NestedBench;
  readonly unit: TranslationUnit;

  constructor() {
    // S2TTB of the bench's parent is word 0x4000: table 16.
    for (const table of [16, 17, 18]) this.tables[table * 512] = page(table + 1) | TABLE;
    for (let ipa = 0; ipa < 32; ipa++) this.stage2(ipa, page(ipa + 16) | S2_RW | AF | TABLE);
    for (const ipa of [2, 3, 4]) this.set(ipa, 0, page(ipa + 1) | AF | TABLE);
    this.stage1(7, page(9));
    const cd = new Int32Array(this.ram.buffer, 17 * 4096, 16);
    encodeCd(cd, 0, { ...CONTEXT_DEFAULTS, asid: 9, ttb0Lo: 0x2000 });
    this.bench = new NestedBench({ memory: this });
    const { translation } = this.bench.rig.hw;
    if (translation === undefined) throw new Error('no walker');
    this.unit = translation;
  }

  stage2(ipa: number, entry: bigint): void {
    this.tables[19 * 512 + ipa] = entry;
  }
  /** Maps page `va` of stage 1. */
  stage1(va: number, address: bigint, attributes: bigint = 0n): void {
    this.set(5, va, address === 0n ? 0n : address | attributes | AF | TABLE);
  }
  set(ipa: number, slot: number, entry: bigint): void {
    this.ram[(ipa + 16) * 512 + slot] = entry;
  }

  async attach(): Promise<this> {
    const { bench } = this;
    const { words, spareAt, area } = bench.rig;
    words.set([1 | (5 << 1) | 0x1000, 0, 0, 0].slice(0, VSTE_WORDS), spareAt); // Config S1, S1ContextPtr 0x1000
    const number = allocNested(area, bench.vsmmu, 0, spareAt);
    bench.vdevices.alloc(bench.vsmmu, SID, VSID);
    const master = await bench.claim();
    await bench.run(() => master.attach(virtualNested(area, number, bench.parent)));
    return this;
  }

  at(va: number, write: boolean = false): number {
    return this.unit.translate(SID, -1, va, write);
  }
  guest(...command: number[]): void {
    const { words, spareAt } = this.bench.rig;
    words.set(command, spareAt);
    expect(this.bench.commands().submit(spareAt, 1)).toBe(0);
  }
}

test('both stages translate, and what they gave is kept until its own invalidation', async () => {
  const guest = await new Guest().attach();
  expect(guest.at(7)).toBe(25); // 7, stage 1: 9, stage 2: 25
  guest.stage1(7, page(10));
  expect([guest.at(7), guest.unit.hits]).toEqual([25, 1]);
  guest.guest(0x12, 8 << 16, 7 << 12, 0); // TLBI_NH_VA of another ASID
  guest.guest(0x12, 9 << 16, 8 << 12, 0); // of another page
  expect(guest.at(7)).toBe(25);
  guest.guest(0x12, (9 << 16) | 0x777, 7 << 12, 0); // whatever VMID the guest says
  expect(guest.at(7)).toBe(26);
  const { bench } = guest;
  guest.stage2(10, page(40) | S2_RW | AF | TABLE);
  bench.ops.invalidateStage2Range(VMID, 10, 0, 1);
  bench.ops.sync({ id: 1, spins: 0 });
  expect(guest.at(7)).toBe(26); // both stages together are found by stage 1's page alone
  bench.ops.invalidateVmid(VMID);
  bench.ops.sync({ id: 1, spins: 0 });
  expect(guest.at(7)).toBe(40);
  guest.stage1(7, 0n);
  guest.guest(0x30, 0, 0, 0); // TLBI_NSNH_ALL: of this VMID
  expect(guest.at(7)).toBe(MISS);
});

test('each stage refuses what it does not allow, by its own page', async () => {
  const guest = await new Guest().attach();
  guest.stage1(8, page(9), S1_RO);
  expect([guest.at(8), guest.at(8, true), guest.at(6)]).toEqual([25, MISS, MISS]);
  guest.stage2(9, page(25) | S2_READ | AF | TABLE);
  expect([guest.at(7), guest.at(7, true), guest.unit.ipaPage]).toEqual([25, MISS_STAGE2, 9]);
  guest.stage1(11, page(0x50)); // an intermediate page that nobody mapped
  expect([guest.at(11), guest.unit.ipaPage]).toEqual([MISS_STAGE2, 0x50]);
  guest.set(2, 1, page(0x60) | TABLE); // a table that is nowhere
  expect([guest.at(2 ** 27), guest.unit.ipaPage]).toEqual([MISS_STAGE2, 0x60]);
  expect(guest.at(2 ** 36)).toBe(MISS); // past 48 bits
});

test('a fault of stage 2 behind stage 1 is recorded as stage 2’s, with its page, and no guest is told', async () => {
  const guest = await new Guest().attach();
  const { rig } = guest.bench;
  rig.ports[0].reset();
  rig.ports[0].post(6, 0, 1, 0);
  rig.ports[0].postStage2(11, 0, 1, 0, 0x50);
  rig.ports[0].publish();
  guest.bench.hardware();
  rig.pump.pump(64);
  expect(guest.bench.told()).toEqual([[0x10, VSID, 0, 0x208, 6 << 12, 0, 0, 0]]);
  expect(rig.notes).toEqual(['events']);
  const record = Array.from(rig.words.subarray(rig.entry(1), rig.entry(1) + 8));
  expect(record).toEqual([0x10, SID, 0, 0x288, 11 << 12, 0, 0x50 << 12, 0]);
});

test('a descriptor that stage 2 has nowhere is a failed fetch; it is read again once CFGI_CD says so', async () => {
  const guest = new Guest();
  guest.stage2(1, 0n);
  await guest.attach();
  expect(guest.at(7)).toBe(MISS);
  guest.bench.fault();
  expect(guest.bench.rig.words[guest.bench.rig.entry(0)] & 0xff).toBe(0x09); // F_CD_FETCH
  guest.stage2(1, page(17) | S2_RW | AF | TABLE);
  expect(guest.at(7)).toBe(25); // a failed fetch is not kept
  const cd = new Int32Array(guest.ram.buffer, 17 * 4096, 16);
  cd[0] &= 0x7fffffff; // V
  expect(guest.at(7)).toBe(25);
  guest.guest(0x05, VSID, 1, 0); // CFGI_CD
  expect(guest.at(7)).toBe(MISS);
});

test('one stage alone is walked in the host’s tables', async () => {
  const guest = new Guest();
  const master = await guest.bench.claim();
  await guest.bench.run(() => master.attach(guest.bench.parent));
  expect([guest.at(7), guest.at(40), guest.unit.ipaPage]).toEqual([23, MISS_STAGE2, 40]);
  guest.stage2(7, 0n);
  guest.bench.ops.invalidateStage2Range(VMID, 6, 0, 2);
  guest.bench.ops.sync({ id: 1, spins: 0 });
  expect(guest.at(7)).toBe(MISS_STAGE2);
  const own = new PagingDomain({ stage1: { asid: 3, tableAt: 0x4000 } });
  await guest.bench.run(() => master.attach(own));
  expect([guest.at(8), guest.at(7)]).toEqual([24, MISS]); // stage 2's entries, read as stage 1's
  const clean = page(28) | S1_RO | AF | TABLE | (1n << 51n); // DBM: a write makes it dirty, where HD lets it
  guest.stage2(12, clean);
  expect([guest.at(12), guest.at(12, true)]).toEqual([28, MISS]);
  const tracking = new PagingDomain({ stage1: { asid: 4, tableAt: 0x4000, dirtyTracking: true } });
  await guest.bench.run(() => master.attach(tracking));
  expect([guest.at(12, true), guest.tables[19 * 512 + 12]]).toEqual([28, clean & ~S1_RO]);
});
