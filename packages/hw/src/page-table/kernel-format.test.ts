// The behaviours that the kernel's tests of its page table formats establish, under their names, over all formats and levels.
// @see Linux drivers/iommu/generic_pt/kunit_generic_pt.h
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DirtyBitmap } from './dirty-bitmap.ts';
import { clearEntry, compareExchangeEntry, installEntry, loadEntry, seenHi } from './entry.ts';
import { type Bits, type DirtyRule, dirtied, EMPTY, isDirty, LEAF, PROT_READ, PROT_WRITE, TABLE } from './format.ts';
import { floorLg2, Geometry, NO_SIZE, trailingZeros } from './geometry.ts';
import { TOP_LEVEL_MASK, TOP_TABLE_SHIFT } from './layout.ts';
import { outputPage } from './lookup.ts';
import { installLeaf } from './map.ts';
import { findLeaf } from './resize.ts';
import { FORMATS, granulePages, type Rig, rigOf } from './rig.test-help.ts';

const RW = PROT_READ | PROT_WRITE;
const NAMES = Object.keys(FORMATS);
const TRACKED = NAMES.filter((name) => FORMATS[name]().dirty !== undefined);
/** An output address with bits all over. */
const TEST_OA_PAGE = 0x5_a5a5_a5a5;

/** A level of a rig: its table, and the first page that the table maps. */
interface Level {
  readonly level: number;
  readonly table: number;
  readonly page: number;
}

/** Maps the highest page of the lower half, so that each level has a table. @returns them, from the leaves up. */
function levelsOf(rig: Rig): Level[] {
  const { table: pageTable } = rig;
  const { tree } = pageTable;
  const { format, geometry } = tree;
  const step = granulePages(pageTable);
  const last = 2 ** (format.iovaLg2 - (format.signExtended ? 1 : 0) - 12) - step;
  pageTable.map(last, 0, step, RW);
  const levels: Level[] = [];
  let table = tree.top() >>> TOP_TABLE_SHIFT;
  for (let level = tree.top() & TOP_LEVEL_MASK; level >= 0; level--) {
    const index = geometry.index(last, level);
    levels.unshift({
      level,
      table,
      page: last - (last % geometry.itemPages[level]) - index * geometry.itemPages[level],
    });
    if (level > 0) table = tree.tableOf(loadEntry(tree.entries, tree.at(table, index)), seenHi());
  }
  return levels;
}

/** The sizes of a level's leaves. */
function sizesOf(rig: Rig, level: number): number[] {
  const { format, geometry } = rig.table.tree;
  return format.sizesLg2.filter((lg2) => geometry.levelOf(lg2) === level);
}

/** Installs a leaf of each size at the start of each level's table, hands it over, and clears it. */
function everyLeaf(
  rig: Rig,
  oaOf: (sizeLg2: number) => number,
  attributes: Bits,
  check: (at: number, level: Level, sizeLg2: number, oaPage: number, slots: number) => void,
): number {
  const { tree } = rig.table;
  let leaves = 0;
  for (const level of levelsOf(rig)) {
    const at = tree.at(level.table, 0);
    for (const sizeLg2 of sizesOf(rig, level.level)) {
      const slots = tree.geometry.slotsOf(sizeLg2, level.level);
      // Roots that were grown have the older one in slot 0; narrow ones end before the largest leaves do.
      const last = 2 ** (tree.format.iovaLg2 - (tree.format.signExtended ? 1 : 0) - 12) - 1;
      if (loadEntry(tree.entries, at) !== 0 || slots > tree.geometry.index(last, level.level)) continue;
      const oaPage = oaOf(sizeLg2);
      expect(installLeaf(tree, at, slots, level.level, oaPage, sizeLg2, attributes)).toBe(true);
      check(at, level, sizeLg2, oaPage, slots);
      for (let slot = 0; slot < slots; slot++) clearEntry(tree.entries, at + slot);
      expect(findLeaf(tree, level.page)).toBe(undefined);
      leaves++;
    }
  }
  return leaves;
}

describe('test_init', () => {
  test.each(NAMES)('%s: there are sizes, and a table that answers', (name) => {
    const { table } = rigOf(name);
    expect(table.tree.format.sizesLg2.length).toBeGreaterThan(0);
    expect(table.iovaToPhys(0)).toBe(-1);
  });
});

describe('test_bitops', () => {
  test('the highest bit, at every power of two and beside it', () => {
    for (let lg2 = 0; lg2 <= 52; lg2++) {
      expect(floorLg2(2 ** lg2)).toBe(lg2);
      if (lg2 > 1) expect(floorLg2(2 ** lg2 - 1)).toBe(lg2 - 1);
    }
  });

  test('the lowest bit, of either number', () => {
    for (let lg2 = 0; lg2 < 52; lg2++) {
      expect(trailingZeros(2 ** lg2, 0)).toBe(lg2);
      expect(trailingZeros(2 ** 51, 2 ** lg2)).toBe(lg2);
      expect(trailingZeros(2 ** 52 - 2 ** lg2, 0)).toBe(lg2);
    }
    expect(trailingZeros(0, 0)).toBe(52);
  });

  test('random numbers, against their binary text', () => {
    const page = fc.bigInt({ min: 1n, max: 2n ** 52n - 1n });
    fc.assert(
      fc.property(page, page, (a, b) => {
        expect(floorLg2(Number(a))).toBe(a.toString(2).length - 1);
        const either = (a | b).toString(2);
        expect(trailingZeros(Number(a), Number(b))).toBe(either.length - 1 - either.lastIndexOf('1'));
      }),
    );
  });
});

describe('test_best_pgsize', () => {
  // Random, all zeros before some bit, all ones before it, beyond 32 bits.
  const prefixed = fc
    .tuple(fc.integer({ min: 0, max: 51 }), fc.constantFrom('random', 'zeros', 'ones'), fc.bigInt(0n, 2n ** 51n - 1n))
    .map(([lg2, prefix, random]) => {
      const high = prefix === 'random' ? random : prefix === 'zeros' ? 0n : 2n ** 51n - 1n;
      return Number(((high >> BigInt(lg2)) << BigInt(lg2)) & (2n ** 51n - 1n));
    });
  const length = fc.oneof(
    fc.integer({ min: 1, max: 2 ** 31 }),
    fc.tuple(fc.integer({ min: 0, max: 50 }), fc.constantFrom(-1, 0, 1)).map(([lg2, by]) => Math.max(1, 2 ** lg2 + by)),
  );

  test.each(NAMES)('%s: what a search through the sizes finds', (name) => {
    const format = FORMATS[name]();
    fc.assert(
      fc.property(prefixed, prefixed, length, fc.subarray([...format.sizesLg2]), (iova, oa, pages, sizesLg2) => {
        const found = sizesLg2.findLast((lg2) => {
          const size = 2 ** (lg2 - 12);
          return iova % size === 0 && oa % size === 0 && size <= pages;
        });
        expect(new Geometry(format, sizesLg2).bestSizeLg2(iova, oa, pages)).toBe(found ?? NO_SIZE);
      }),
      { numRuns: 100 },
    );
  });

  test('no sizes, no size; zero addresses limit nothing', () => {
    expect(new Geometry(FORMATS['vtd 48 bits'](), []).bestSizeLg2(0, 0, 2 ** 40)).toBe(NO_SIZE);
    expect(new Geometry(FORMATS['amdv1 from level 2']()).bestSizeLg2(0, 0, 2 ** 39)).toBe(51);
    expect(new Geometry(FORMATS['amdv1 from level 2']()).bestSizeLg2(0, 0, 2 ** 39 - 1)).toBe(50);
  });
});

describe('test_pgsz_count', () => {
  const MIB = 256; // pages
  const GIB = 1024 * MIB;

  test('only 4K: all of 1G in one run', () => {
    expect(new Geometry(FORMATS['vtd 48 bits'](), [12]).run(12, 0, 0, GIB)).toBe(GIB);
  });

  test('4K up to the first 2M boundary when addresses agree there, to the end when they never do', () => {
    const geometry = new Geometry(FORMATS['vtd 48 bits'](), [12, 21]);
    expect(geometry.run(12, 1, 2 * MIB + 1, GIB)).toBe(511);
    expect(geometry.run(12, 1, 2, GIB)).toBe(GIB);
    expect(geometry.run(12, 1, 2 * MIB + 1, 100)).toBe(100);
    expect(geometry.run(21, 2 * MIB, 2 * MIB, 5 * MIB)).toBe(2); // what is left over is another run's
  });
});

describe('test_table_ptr', () => {
  test.each(NAMES)('%s: at every level a table is installed, read back, installed anew, cleared', (name) => {
    const rig = rigOf(name);
    const { tree } = rig.table;
    const { format, entries } = tree;
    const step = granulePages(rig.table);
    for (const { level, table } of levelsOf(rig)) {
      if (level === 0) continue;
      // Slot 0 of a root that was grown is the older root's.
      const at = loadEntry(entries, tree.at(table, 0)) === 0 ? tree.at(table, 0) : tree.at(table, 1);
      for (const page of [step, 0x12345 * step, 0x7ff_f000]) {
        const lo = format.tableLo(page, level);
        const hi = format.tableHi(page, level);
        expect(format.kind(loadEntry(entries, at), seenHi(), level)).toBe(EMPTY);
        expect(installEntry(entries, at, lo, hi)).toBe(true);
        expect(installEntry(entries, at, lo, hi)).toBe(false); // not over what is there unseen
        const seen = loadEntry(entries, at);
        expect(compareExchangeEntry(entries, at, seen, seenHi(), lo, hi)).toBe(true); // but over what was loaded
        expect(format.kind(loadEntry(entries, at), seenHi(), level)).toBe(TABLE);
        expect(format.tableNumber(loadEntry(entries, at), seenHi()) * step).toBe(page);
        clearEntry(entries, at);
        expect(format.kind(loadEntry(entries, at), seenHi(), level)).toBe(EMPTY);
      }
    }
  });

  test.each(NAMES)('%s: addresses that no pool reaches are no table', (name) => {
    const format = FORMATS[name]();
    for (const page of [2 ** 28, 2 ** 33, 2 ** 35])
      expect(format.tableNumber(format.tableLo(page, 1), format.tableHi(page, 1))).toBe(-1);
  });
});

describe('test_max_va', () => {
  test.each(NAMES)('%s: no top reaches further than the format, and the highest one as far', (name) => {
    const format = FORMATS[name]();
    const geometry = new Geometry(format);
    const width = 2 ** (format.iovaLg2 - 12);
    for (let top = format.topLevel; top <= format.maxTopLevel; top++)
      expect(geometry.lowPages(top)).toBeLessThanOrEqual(width);
    expect(geometry.lowPages(format.maxTopLevel)).toBe(format.signExtended ? width / 2 : width);
  });
});

describe('test_table_radix', () => {
  test.each(NAMES)('%s: each address bit is decoded by one level, as one bit of its index', (name) => {
    const format = FORMATS[name]();
    const { granuleLg2, indexLg2, maxTopLevel, iovaLg2 } = format;
    const geometry = new Geometry(format);
    for (let bit = granuleLg2; bit < iovaLg2; bit++) {
      const indices = Array.from({ length: maxTopLevel + 1 }, (_, level) => geometry.index(2 ** (bit - 12), level));
      const level = Math.min(Math.floor((bit - granuleLg2) / indexLg2), maxTopLevel);
      const expected = new Array(maxTopLevel + 1).fill(0);
      expected[level] = 2 ** (bit - granuleLg2 - level * indexLg2);
      expect(indices).toEqual(expected);
    }
  });

  test('AMD’s level 5 resolves bits 63:57, seven of them', () => {
    const geometry = new Geometry(FORMATS['amdv1 from level 2']());
    expect([5, 4, 0].map((level) => geometry.index(2 ** 52 - 1, level))).toEqual([127, 511, 511]);
    expect(geometry.index(2 ** (57 - 12), 5)).toBe(1);
  });
});

describe('test_entry_possible_sizes', () => {
  // log2 of the sizes of each level, from the manuals.
  const AMD = [
    [12, 13, 14, 15, 16, 17, 18, 19, 20],
    [21, 22, 23, 24, 25, 26, 27, 28, 29],
    [30, 31, 32, 33, 34, 35, 36, 37, 38],
    [40, 41, 42, 43, 44, 45, 46, 47], // 512G, the item itself, is missing
    [48, 49, 50, 51],
    [],
  ];
  test.each([
    ['amdv1 from level 2', AMD],
    ['vtd 57 bits', [[12], [21], [30], [], []]],
    ['x86 57 bits', [[12], [21], [30], [], []]],
    ['arm s1 4k', [[12], [21], [30], []]],
    ['arm s1 16k', [[14], [25], [], []]],
    ['arm s1 64k', [[16], [29], []]],
    ['arm s1 4k contiguous', [[12, 16], [21, 25], [30, 34], []]],
    ['arm s1 16k contiguous', [[14, 21], [25, 30], []]],
    ['arm s1 64k 52 bits contiguous', [[16, 21], [29, 34], [42]]],
    ['riscv sv39', [[12], [21], [30]]],
    ['riscv sv48 svnapot', [[12, 16], [21], [30], [39]]],
    ['riscv sv57', [[12], [21], [30], [39], [48]]],
  ])('%s', (name, sizes) => {
    const format = FORMATS[name]();
    const geometry = new Geometry(format);
    expect(sizes.map((_, level) => format.sizesLg2.filter((lg2) => geometry.levelOf(lg2) === level))).toEqual(sizes);
    expect(sizes.flat()).toEqual(format.sizesLg2);
    expect(format.maxTopLevel).toBe(sizes.length - 1);
  });

  test.each(NAMES)('%s: none below its level’s item, none that fills a table', (name) => {
    const format = FORMATS[name]();
    const geometry = new Geometry(format);
    for (const sizeLg2 of format.sizesLg2) {
      const level = geometry.levelOf(sizeLg2);
      expect(sizeLg2).toBeGreaterThanOrEqual(geometry.itemLg2[level]);
      expect(geometry.slotsOf(sizeLg2, level)).toBeLessThan(geometry.slots);
    }
  });
});

describe('test_entry_oa', () => {
  test.each(NAMES)('%s: each slot’s address, the leaf’s, and its slots, at low, odd and highest addresses', (name) => {
    const { format } = rigOf(name).table.tree;
    const oaPages = 2 ** (format.oaLg2 - 12);
    const addresses = [
      () => 0,
      (pages: number) => (TEST_OA_PAGE % oaPages) - (TEST_OA_PAGE % pages),
      (pages: number) => oaPages - pages,
    ];
    for (const address of addresses) {
      const rig = rigOf(name);
      const { tree } = rig.table;
      const leaves = everyLeaf(
        rig,
        (sizeLg2) => Math.max(0, address(2 ** (sizeLg2 - 12))),
        format.attributes(PROT_READ),
        (at, { level, page }, sizeLg2, oaPage, slots) => {
          const item = tree.geometry.itemPages[level];
          const seen = Array.from({ length: slots }, (_, slot) => {
            const lo = loadEntry(tree.entries, at + slot);
            const hi = seenHi();
            const oa = outputPage(tree, lo, hi, level, page + slot * item);
            return [format.kind(lo, hi, level), tree.leafSlots(lo, hi, level), oa];
          });
          expect(seen).toEqual(seen.map((_, slot) => [LEAF, slots, oaPage + slot * item]));
          const leaf = findLeaf(tree, page + (slots - 1) * item);
          expect([leaf?.page, leaf?.oaPage, leaf?.sizeLg2, leaf?.slots]).toEqual([page, oaPage, sizeLg2, slots]);
        },
      );
      expect(leaves).toBeGreaterThan(0);
      if (name === 'amdv1 from level 5') expect(leaves).toBe(format.sizesLg2.length);
    }
  });
});

describe('test_attr_from_entry', () => {
  test.each(NAMES)('%s: attributes read back make the identical entry, and read+write exists', (name) => {
    const { format } = rigOf(name).table.tree;
    let combinations = 0;
    for (let prot = 1; prot < 64; prot++) {
      if ((prot & RW) === 0) continue; // refused by map
      const attributes = format.attributes(prot);
      combinations++;
      for (const sizeLg2 of format.sizesLg2) {
        const level = new Geometry(format).levelOf(sizeLg2);
        const oaPage = 2 ** (sizeLg2 - 12) % 2 ** (format.oaLg2 - 12);
        const leafLo = format.leafLo(oaPage, sizeLg2, level);
        const leafHi = format.leafHi(oaPage, sizeLg2, level);
        const entry = { lo: leafLo | attributes.lo, hi: leafHi | attributes.hi };
        const back = { lo: entry.lo & format.attributeMask.lo, hi: entry.hi & format.attributeMask.hi };
        expect({ lo: leafLo | back.lo, hi: leafHi | back.hi }).toEqual(entry);
        expect(back).toEqual(attributes);
        expect(format.leafPage(entry.lo, entry.hi, level)).toBe(oaPage); // none leaks into the address
        if ((prot & RW) === RW)
          expect([format.allows(entry.lo, entry.hi, false), format.allows(entry.lo, entry.hi, true)]).toEqual([
            true,
            true,
          ]);
      }
    }
    expect(combinations).toBe(48);
  });
});

describe('test_dirty', () => {
  test.each(TRACKED)('%s: of every size, any single slot makes the leaf dirty, and it is cleaned whole', (name) => {
    const rig = rigOf(name);
    const { table } = rig;
    const { tree } = table;
    const rule = tree.format.dirty as DirtyRule;
    everyLeaf(
      rig,
      () => 0,
      tree.format.attributes(RW),
      (at, { page }, sizeLg2, _oaPage, slots) => {
        const pages = 2 ** (sizeLg2 - 12);
        const bitmap = new DirtyBitmap(page, pages, sizeLg2);
        table.readAndClearDirty(page, pages, undefined); // Arm’s are born dirty
        expect(table.readDirty(page, pages, bitmap)).toBe(0);
        for (let slot = 0; slot < slots; slot++) {
          const lo = loadEntry(tree.entries, at + slot);
          const hi = seenHi();
          const clean = !isDirty(rule, lo, hi);
          const made = compareExchangeEntry(tree.entries, at + slot, lo, hi, dirtied(rule, lo), hi);
          const dirty = [table.readDirty(page, pages, bitmap), table.readAndClearDirty(page, pages, undefined)];
          const now = [loadEntry(tree.entries, at + slot), seenHi()];
          expect([clean, made, ...dirty, ...now]).toEqual([true, true, 1, 1, lo, hi]); // exactly as it was
        }
        expect(table.readDirty(page, pages, bitmap)).toBe(0);
        expect(bitmap.count()).toBe(1);
      },
    );
  });
});

// Bits that hardware leaves to software, or ignores.
const SOFTWARE: Readonly<Record<string, readonly number[]>> = {
  amdv1: [1, 2, 3, 4, 7, 8, 63],
  'vtd-second-stage': [10, 52, 53, 54, 55, 56, 57, 58, 59, 60, 63],
  'x86-first-stage': [9, 11, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62],
  arm: [55, 56, 57, 58],
  riscv: [8, 9],
};
function softwareBits(name: string): Bits[] {
  const key = Object.keys(SOFTWARE).find((prefix) => name.startsWith(prefix)) ?? '';
  return SOFTWARE[key].map((bit) => (bit < 32 ? { lo: (1 << bit) | 0, hi: 0 } : { lo: 0, hi: (1 << (bit - 32)) | 0 }));
}

describe('test_sw_bit_leaf', () => {
  test.each(NAMES)('%s: software bits change nothing that is read from a leaf, and a sweep keeps them', (name) => {
    const rig = rigOf(name);
    const { table } = rig;
    const { tree } = table;
    const { format, entries } = tree;
    const bits = softwareBits(format.name);
    everyLeaf(
      rig,
      (sizeLg2) => (2 ** (sizeLg2 - 12) * 3) % 2 ** (format.oaLg2 - 12),
      format.attributes(RW),
      (at, { level, page }, sizeLg2, oaPage, slots) => {
        const lo = loadEntry(entries, at);
        const hi = seenHi();
        for (const bit of bits) {
          const marked = { lo: lo | bit.lo, hi: hi | bit.hi };
          expect(marked).not.toEqual({ lo, hi }); // independent of what the entry has
          expect([format.attributeMask.lo & bit.lo, format.attributeMask.hi & bit.hi]).toEqual([0, 0]);
          expect(compareExchangeEntry(entries, at, lo, hi, marked.lo, marked.hi)).toBe(true);
          expect(tree.leafSlots(marked.lo, marked.hi, level)).toBe(slots);
          expect(findLeaf(tree, page)).toMatchObject({ page, oaPage, sizeLg2, attributes: format.attributes(RW) });
          if (format.dirty !== undefined) {
            table.walker(undefined, { tlbEntries: 1 }).access(page, true);
            expect(table.readAndClearDirty(page, 2 ** (sizeLg2 - 12), undefined)).toBe(1);
            const left = loadEntry(entries, at);
            expect([left & bit.lo, seenHi() & bit.hi]).toEqual([bit.lo, bit.hi]);
          }
          const now = loadEntry(entries, at);
          expect(compareExchangeEntry(entries, at, now, seenHi(), lo, hi)).toBe(true);
        }
      },
    );
  });
});

describe('test_sw_bit_table', () => {
  test.each(NAMES)('%s: software bits of a table entry do not leak into its address or its kind', (name) => {
    const format = FORMATS[name]();
    for (let level = 1; level <= format.maxTopLevel; level++)
      for (const bit of softwareBits(format.name)) {
        const page = 0x123 * 2 ** (format.granuleLg2 - 12);
        const lo = format.tableLo(page, level);
        const hi = format.tableHi(page, level);
        expect([lo & bit.lo, hi & bit.hi]).toEqual([0, 0]);
        expect(format.kind(lo | bit.lo, hi | bit.hi, level)).toBe(TABLE);
        expect(format.tableNumber(lo | bit.lo, hi | bit.hi)).toBe(0x123);
      }
  });
});
