// Formats against entries computed by hand from the tables of the manuals and of Linux's headers.
import { describe, expect, test } from 'vitest';
import {
  cleaned,
  dirtied,
  EMPTY,
  type Format,
  isDirty,
  LEAF,
  PROT_CACHE,
  PROT_MMIO,
  PROT_NOEXEC,
  PROT_PRIV,
  PROT_READ,
  PROT_WRITE,
  TABLE,
} from './format.ts';
import { amdV1 } from './formats/amdv1.ts';
import { armLpae } from './formats/arm-lpae.ts';
import { ARM_MAIR_LO, amdMode, armSl0, armT0sz, vtdAddressWidth } from './formats/hardware-codes.ts';
import { riscvSv } from './formats/riscv-sv.ts';
import { vtdSecondStage } from './formats/vtd-second-stage.ts';
import { x86FirstStage } from './formats/x86-first-stage.ts';
import { Geometry } from './geometry.ts';
import { FORMATS } from './rig.test-help.ts';

const RW = PROT_READ | PROT_WRITE;
const bit = (n: number): bigint => 1n << BigInt(n);
const bits = (...list: number[]): bigint => list.reduce((all, n) => all | bit(n), 0n);

function join(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}
function halves(entry: bigint): [number, number] {
  return [Number(BigInt.asIntN(32, entry)), Number(BigInt.asIntN(32, entry >> 32n))];
}
function leaf(format: Format, address: bigint, sizeLg2: number, level: number, prot: number): bigint {
  const page = Number(address >> 12n);
  const { lo, hi } = format.attributes(prot);
  return join(format.leafLo(page, sizeLg2, level) | lo, format.leafHi(page, sizeLg2, level) | hi);
}
function table(format: Format, address: bigint, level: number): bigint {
  const page = Number(address >> 12n);
  return join(format.tableLo(page, level), format.tableHi(page, level));
}

describe('AMDv1', () => {
  const amd = amdV1();

  test('a leaf of its level size: PR, NEXT_LEVEL 0, IR and IW', () => {
    expect(leaf(amd, 0xabcde12345000n, 12, 0, RW)).toBe(0xabcde12345000n | bits(0, 61, 62));
    expect(leaf(amd, 0x40000000n, 30, 2, PROT_READ)).toBe(0x40000000n | bits(0, 61));
    expect(leaf(amd, 0x200000n, 21, 1, PROT_WRITE)).toBe(0x200000n | bits(0, 62));
    expect(leaf(amdV1({ forceCoherent: true }), 0n, 12, 0, RW)).toBe(bits(0, 60, 61, 62));
  });

  test('a table: the level of the entry that holds it, and all rights', () => {
    for (let level = 1; level <= 5; level++)
      expect(table(amd, 0x7000n, level)).toBe(0x7000n | bits(0, 61, 62) | (BigInt(level) << 9n));
  });

  // Size, level, copies, and the address field's low pattern.
  test.each([
    [13, 0, 2, 0n],
    [14, 0, 4, 0x1000n],
    [16, 0, 16, 0x7000n],
    [20, 0, 256, 0x7f000n],
    [22, 1, 2, 0x1ff000n],
    [29, 1, 256, 0xffff000n],
    [31, 2, 2, 0x3ffff000n],
    [38, 2, 256, 0x1ffffff000n],
    [40, 3, 2, 0x7ffffff000n],
    [51, 4, 8, 0x3fffffffff000n],
  ])('2^%i at level %i: %i copies, address pattern %s', (sizeLg2, level, copies, pattern) => {
    const geometry = new Geometry(amd);
    expect(geometry.levelOf(sizeLg2)).toBe(level);
    expect(geometry.slotsOf(sizeLg2, level)).toBe(copies);
    for (const address of [0n, bit(sizeLg2), bit(51) - (sizeLg2 < 51 ? bit(sizeLg2) : bit(51))]) {
      const entry = leaf(amd, address, sizeLg2, level, PROT_READ);
      expect(entry).toBe(address | pattern | bits(0, 9, 10, 11, 61));
      const [lo, hi] = halves(entry);
      expect(amd.leafLg2(lo, hi, level)).toBe(sizeLg2);
      expect(amd.leafPage(lo, hi, level)).toBe(Number(address >> 12n));
    }
  });

  test('512G is missing, and level 5 has no leaf', () => {
    expect(amd.sizesLg2).not.toContain(39);
    expect(amd.sizesLg2.at(0)).toBe(12);
    expect(amd.sizesLg2.at(-1)).toBe(51);
    expect(amd.sizesLg2.length).toBe(39);
    expect(new Geometry(amd).levelOf(51)).toBe(4);
  });

  test('what a slot holds', () => {
    expect(amd.kind(0, -1, 1)).toBe(EMPTY);
    for (let next = 0; next < 8; next++) {
      expect(amd.kind(1 | (next << 9), 0, 0)).toBe(LEAF);
      expect(amd.kind(1 | (next << 9), 0, 2)).toBe(next === 0 || next === 7 ? LEAF : TABLE);
    }
  });

  test('dirty is bit 6, accessed bit 5', () => {
    const [lo, hi] = halves(leaf(amd, 0x5000n, 12, 0, RW));
    expect(amd.marked(lo, hi, false) ^ lo).toBe(1 << 5);
    expect(amd.marked(lo, hi, true) ^ lo).toBe((1 << 5) | (1 << 6));
    expect(amd.allows(lo, hi, true)).toBe(true);
    expect(amd.allows(...halves(leaf(amd, 0x5000n, 12, 0, PROT_READ)), true)).toBe(false);
    expect(amd.allows(...halves(leaf(amd, 0x5000n, 12, 0, PROT_WRITE)), false)).toBe(false);
  });
});

test('AMD: narrower hardware has fewer levels and sizes', () => {
  const shape = (iovaLg2: number, startLevel = 2): number[] => {
    const { topLevel, maxTopLevel, sizesLg2 } = amdV1({ iovaLg2, startLevel });
    return [topLevel, maxTopLevel, sizesLg2.at(-1) ?? 0];
  };
  expect([64, 57, 48, 39, 32].map((width) => shape(width))).toEqual([
    [2, 5, 51],
    [2, 4, 51],
    [2, 3, 47],
    [2, 2, 38],
    [2, 2, 32],
  ]);
  expect(shape(21, 0)).toEqual([0, 0, 20]);
  expect(amdV1({ oaLg2: 40 }).sizesLg2.at(-1)).toBe(40);
  expect(() => amdV1({ startLevel: 6 })).toThrow('startLevel = 6');
  expect(() => amdV1({ iovaLg2: 65 })).toThrow('iovaLg2 = 65');
  expect(() => amdV1({ oaLg2: 53 })).toThrow('oaLg2 = 53');
});

describe('codes for the hardware', () => {
  test('AMD: mode 3 for 39 bits, 6 at most', () => {
    expect([2, 3, 5].map(amdMode)).toEqual([3, 4, 6]);
  });
  test('VT-d: 39 bits 1, 48 bits 2, 57 bits 3', () => {
    expect([39, 48, 57].map((iovaLg2) => vtdAddressWidth(vtdSecondStage({ iovaLg2 })))).toEqual([1, 2, 3]);
  });
  // Granule, width, T0SZ, SL0; a root that starts at Arm level 0 by width starts at 1 with joined tables.
  test.each([
    [12, 48, 16, 2],
    [12, 39, 25, 1],
    [12, 40, 24, 1],
    [14, 48, 16, 2],
    [14, 40, 24, 1],
    [16, 48, 16, 2],
    [16, 42, 22, 1],
  ])('Arm stage 2, granule 2^%i, %i bits: T0SZ %i, SL0 %i', (granuleLg2, width, t0sz, sl0) => {
    const format = armLpae({ stage: 2, granuleLg2, iasLg2: width, oasLg2: width });
    expect([armT0sz(format), armSl0(format)]).toEqual([t0sz, sl0]);
  });
  test('Arm stage 1: MAIR', () => {
    expect(ARM_MAIR_LO >>> 0).toBe(0xf404_ff44);
  });
});

describe('VT-d second stage', () => {
  const vtd = vtdSecondStage();

  test('leaves and tables', () => {
    expect(leaf(vtd, 0xfffff_ffff_f000n, 12, 0, RW)).toBe(0xfffff_ffff_f000n | 3n);
    expect(leaf(vtd, 0x200000n, 21, 1, PROT_READ)).toBe(0x200000n | bits(0, 7));
    expect(leaf(vtd, 0x40000000n, 30, 2, PROT_WRITE)).toBe(0x40000000n | bits(1, 7));
    expect(leaf(vtdSecondStage({ forceCoherent: true }), 0n, 12, 0, RW)).toBe(bits(0, 1, 11));
    expect(table(vtd, 0x3000n, 3)).toBe(0x3000n | 3n);
  });

  test('only an entry of 64 zero bits is empty', () => {
    expect(vtd.kind(0, 0, 0)).toBe(EMPTY);
    for (let n = 0; n < 64; n++) expect(vtd.kind(...halves(bit(n)), 0)).toBe(LEAF);
    expect(vtd.kind(1 << 7, 0, 2)).toBe(LEAF);
    expect(vtd.kind(3, 0, 2)).toBe(TABLE);
  });

  test('levels by width', () => {
    expect([31, 39, 40, 48, 49, 57].map((iovaLg2) => vtdSecondStage({ iovaLg2 }).topLevel)).toEqual([2, 2, 3, 3, 4, 4]);
    for (const iovaLg2 of [30, 58, 39.5]) expect(() => vtdSecondStage({ iovaLg2 })).toThrow('EOPNOTSUPP');
  });

  test('accessed is bit 8, dirty bit 9; a parent of nested domains takes no read-only mapping', () => {
    expect(vtd.marked(3, 0, true)).toBe(3 | (1 << 8) | (1 << 9));
    const parent = vtdSecondStage({ forceWriteable: true });
    expect(() => parent.attributes(PROT_READ)).toThrow('read-only');
    expect(parent.attributes(RW)).toEqual({ lo: 3, hi: 0 });
  });
});

describe('x86-64 first stage', () => {
  const x86 = x86FirstStage();

  test('leaves have P, U, A; writable ones RW and D in advance', () => {
    expect(leaf(x86, 0x1234_5000n, 12, 0, PROT_READ)).toBe(0x1234_5000n | bits(0, 2, 5));
    expect(leaf(x86, 0x1234_5000n, 12, 0, RW)).toBe(0x1234_5000n | bits(0, 1, 2, 5, 6));
    expect(leaf(x86, 0x200000n, 21, 1, RW)).toBe(0x200000n | bits(0, 1, 2, 5, 6, 7));
    expect(leaf(x86, 0x40000000n, 30, 2, PROT_READ)).toBe(0x40000000n | bits(0, 2, 5, 7));
    expect(table(x86, 0x9000n, 3)).toBe(0x9000n | bits(0, 1, 2, 5));
  });

  test('widths and the lack of dirty tracking', () => {
    expect(x86.dirty).toBeUndefined();
    const widths = [4, 5].flatMap((levels) =>
      [true, false].map((signExtended) => x86FirstStage({ levels, signExtended }).iovaLg2),
    );
    expect(widths).toEqual([48, 47, 57, 56]);
  });
});

describe('Arm LPAE', () => {
  test('stage 1, 4 KiB: descriptors bit by bit', () => {
    const s1 = armLpae({ stage: 1 });
    // VALID and page; AP[1] unprivileged; AF; nG; SH 2 without PROT_CACHE, 3 with.
    expect(leaf(s1, 0x8000_1000n, 12, 0, RW)).toBe(0x8000_1000n | bits(0, 1, 6, 9, 10, 11));
    expect(leaf(s1, 0x8000_1000n, 12, 0, PROT_READ)).toBe(0x8000_1000n | bits(0, 1, 6, 7, 9, 10, 11));
    expect(leaf(s1, 0x200000n, 21, 1, RW | PROT_CACHE)).toBe(0x200000n | bits(0, 2, 6, 8, 9, 10, 11));
    expect(leaf(s1, 0x40000000n, 30, 2, RW | PROT_MMIO | PROT_PRIV | PROT_NOEXEC)).toBe(
      0x40000000n | bits(0, 3, 9, 10, 11, 53, 54),
    );
    expect(table(s1, 0x4000n, 3)).toBe(0x4000n | 3n);
  });

  test('stage 2, 4 KiB: descriptors bit by bit', () => {
    const s2 = armLpae({ stage: 2 });
    expect(leaf(s2, 0x1000n, 12, 0, RW | PROT_CACHE)).toBe(0x1000n | bits(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
    expect(leaf(s2, 0x1000n, 12, 0, PROT_READ)).toBe(0x1000n | bits(0, 1, 2, 4, 6, 9, 10));
    expect(leaf(s2, 0x200000n, 21, 1, PROT_WRITE | PROT_MMIO)).toBe(0x200000n | bits(0, 2, 7, 9, 10));
  });

  test('stage 2 memory types: write-back 0xf, forced 6, non-cacheable 5, device 1', () => {
    const typeOf = (prot: number, forceWriteBack: boolean): bigint =>
      (leaf(armLpae({ stage: 2, forceWriteBack }), 0n, 12, 0, prot) >> 2n) & 0xfn;
    expect([PROT_CACHE, 0, PROT_MMIO].map((kind) => typeOf(RW | kind, false))).toEqual([0xfn, 5n, 1n]);
    expect([PROT_CACHE, 0, PROT_MMIO].map((kind) => typeOf(RW | kind, true))).toEqual([6n, 5n, 1n]);
  });

  test('a contiguous group: sixteen descriptors that differ in their addresses alone', () => {
    const s1 = armLpae({ stage: 1, contiguous: true });
    const members = Array.from({ length: 16 }, (_, slot) => leaf(s1, 0x8001_0000n + BigInt(slot) * 0x1000n, 16, 0, RW));
    expect(members[0]).toBe(0x8001_0000n | bits(0, 1, 6, 9, 10, 11, 52));
    expect(members.map((member) => member - members[0])).toEqual(members.map((_, slot) => BigInt(slot) * 0x1000n));
  });

  test('dirty: DBM and the write right; born dirty; cleaning takes the right away', () => {
    const s1 = armLpae({ stage: 1, dirty: true });
    const s2 = armLpae({ stage: 2, dirty: true });
    for (const [format, right] of [
      [s1, 'clear'],
      [s2, 'set'],
    ] as const) {
      const rule = format.dirty;
      if (rule === undefined) throw new Error('no rule');
      const [lo, hi] = halves(leaf(format, 0x1000n, 12, 0, RW));
      expect(hi & (1 << 19)).not.toBe(0); // DBM, bit 51
      expect(isDirty(rule, lo, hi)).toBe(true);
      const clean = cleaned(rule, lo);
      expect(clean ^ lo).toBe(1 << 7);
      expect((clean & (1 << 7)) !== 0).toBe(right === 'clear');
      expect(isDirty(rule, clean, hi)).toBe(false);
      expect(format.allows(clean, hi, true)).toBe(true);
      expect(format.marked(clean, hi, true)).toBe(lo);
      expect(format.marked(clean, hi, false)).toBe(clean);
      expect(dirtied(rule, clean)).toBe(lo);
      const [readLo, readHi] = halves(leaf(format, 0x1000n, 12, 0, PROT_READ));
      expect(isDirty(rule, readLo, readHi)).toBe(false);
      expect(format.allows(readLo, readHi, true)).toBe(false);
      expect(isDirty(rule, ...halves(leaf(format, 0x1000n, 12, 0, PROT_WRITE)))).toBe(true);
    }
  });

  test('52-bit addresses of 64 KiB granules: bits 51:48 stand in 15:12', () => {
    const wide = armLpae({ stage: 1, granuleLg2: 16, iasLg2: 52, oasLg2: 52 });
    const entry = leaf(wide, 0xa_1234_5678_0000n, 16, 0, RW);
    expect(entry & ~0xfffn).toBe(0x1234_5678_0000n | 0xa000n);
    const [lo, hi] = halves(entry);
    expect(wide.leafPage(lo, hi, 0)).toBe(Number(0xa_1234_5678_0000n >> 12n));
    expect(wide.sizesLg2).toEqual([16, 29, 42]);
  });

  test.each([
    [12, [12, 16, 21, 25, 30, 34]],
    [14, [14, 21, 25, 30]],
    [16, [16, 21, 29, 34]],
  ])('2^%i granule: sizes with contiguous groups %j', (granuleLg2, sizes) => {
    const format = armLpae({ stage: 1, granuleLg2, contiguous: true });
    expect(format.sizesLg2).toEqual(sizes);
    for (const sizeLg2 of sizes) {
      const geometry = new Geometry(format);
      const level = geometry.levelOf(sizeLg2);
      const entry = leaf(format, bit(sizeLg2), sizeLg2, level, RW);
      expect((entry & bit(52)) !== 0n).toBe(geometry.slotsOf(sizeLg2, level) > 1);
      expect(format.leafLg2(...halves(entry), level)).toBe(sizeLg2);
      expect(format.leafPage(...halves(entry), level)).toBe(2 ** (sizeLg2 - 12));
    }
  });

  // Granule, input width, levels needed.
  test.each([
    [12, 32, 3],
    [12, 39, 3],
    [12, 40, 4],
    [12, 48, 4],
    [14, 36, 2],
    [14, 47, 3],
    [14, 48, 4],
    [16, 42, 2],
    [16, 48, 3],
  ])('2^%i granule, %i bits: %i levels', (granuleLg2, iasLg2, levels) => {
    expect(armLpae({ stage: 1, granuleLg2, iasLg2 }).topLevel + 1).toBe(levels);
  });

  // Stage 2: granule, width, tables joined.
  test.each([
    [14, 48, 48, 2],
    [12, 40, 40, 2],
    [12, 42, 42, 8],
    [14, 40, 40, 16],
    [12, 48, 48, 1],
    [12, 39, 40, 1],
  ])('stage 2, 2^%i granule, %i bits in, %i out: %i joined tables', (granuleLg2, iasLg2, oasLg2, tables) => {
    expect(2 ** armLpae({ stage: 2, granuleLg2, iasLg2, oasLg2 }).joinedLg2).toBe(tables);
    expect(armLpae({ stage: 1, granuleLg2, iasLg2, oasLg2 }).joinedLg2).toBe(0);
  });

  test('what it refuses', () => {
    expect(() => armLpae({ stage: 1, granuleLg2: 13 })).toThrow('granuleLg2 = 13');
    expect(() => armLpae({ stage: 1, iasLg2: 52 })).toThrow('iasLg2 = 52');
    expect(() => armLpae({ stage: 1, oasLg2: 31 })).toThrow('oasLg2 = 31');
    expect(() => armLpae({ stage: 2, iasLg2: 48, oasLg2: 40 })).toThrow('512 tables');
  });
});

describe('RISC-V', () => {
  const sv = riscvSv({ svnapot: true, hardwareDirty: true });

  test('leaves and tables', () => {
    expect(leaf(sv, 0x8000_3000n, 12, 0, RW)).toBe((0x80003n << 10n) | bits(0, 1, 2, 3, 4, 6));
    expect(leaf(sv, 0x8000_3000n, 12, 0, PROT_READ | PROT_NOEXEC)).toBe((0x80003n << 10n) | bits(0, 1, 4, 6));
    expect(leaf(riscvSv(), 0n, 12, 0, PROT_WRITE)).toBe(bits(0, 1, 2, 3, 4, 6, 7));
    expect(leaf(sv, 0x200000n, 21, 1, RW)).toBe((0x200n << 10n) | bits(0, 1, 2, 3, 4, 6));
    expect(table(sv, 0xff_ffff_ffff_f000n, 2)).toBe((0xfff_ffff_ffffn << 10n) | 1n);
  });

  test('Svnapot: N, and 1000 under the page number', () => {
    const entry = leaf(sv, 0x8001_0000n, 16, 0, RW);
    expect(entry).toBe((0x80018n << 10n) | bits(0, 1, 2, 3, 4, 6, 63));
    expect(sv.leafLg2(...halves(entry), 0)).toBe(16);
    expect(sv.leafPage(...halves(entry), 0)).toBe(0x80010);
  });

  test('a table is what has no right', () => {
    expect(sv.kind(0, -1, 1)).toBe(EMPTY);
    expect(sv.kind(1, 0, 1)).toBe(TABLE);
    for (const right of [2, 4, 8]) expect(sv.kind(1 | right, 0, 1)).toBe(LEAF);
    expect([39, 48, 57].map((mode) => riscvSv({ mode }).topLevel)).toEqual([2, 3, 4]);
    expect(riscvSv({ mode: 57 }).sizesLg2).toEqual([12, 21, 30, 39, 48]);
    expect(() => riscvSv({ mode: 32 })).toThrow('mode = 32');
  });

  test('accessed is bit 6, dirty bit 7, offered only where hardware sets it', () => {
    expect(sv.marked(0x1f, 0, true)).toBe(0x1f | (1 << 6) | (1 << 7));
    expect(riscvSv().dirty).toBeUndefined();
  });
});

describe.each(Object.entries(FORMATS))('%s', (_name, make) => {
  const format = make();

  test('fields neither overlap nor leave the entry', () => {
    for (const where of ['leaf', 'table']) {
      const used = new Set<number>();
      for (const field of format.fields) {
        if (field.where !== 'both' && field.where !== where) continue;
        for (let n = field.lo; n <= field.hi; n++) {
          expect(n).toBeLessThan(64);
          expect(used.has(n)).toBe(false);
          used.add(n);
        }
      }
    }
  });
});
