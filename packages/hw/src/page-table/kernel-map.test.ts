// The behaviours that the kernel's tests of mapping and unmapping establish, under their names, over all formats. Each ends as its
// fixture does: with every table given back.
// @see Linux drivers/iommu/generic_pt/kunit_iommu_pt.h
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PROT_READ, PROT_WRITE } from './format.ts';
import { TOP_LEVEL_MASK, TOP_TABLE_SHIFT } from './layout.ts';
import { FORMATS, granulePages, leavesOf, type Rig, rigOf } from './rig.test-help.ts';

const RW = PROT_READ | PROT_WRITE;
const NAMES = Object.keys(FORMATS);
const GIB = 2 ** 18; // pages

function finish(rig: Rig): void {
  expect(leavesOf(rig.table)).toEqual([]);
  rig.settle();
  rig.table.destroy();
  expect(rig.pool.live()).toBe(0);
}

/** Addresses from 0 up that the format takes, in pages. */
function lowPagesOf(rig: Rig): number {
  const { format } = rig.table.tree;
  return 2 ** (format.iovaLg2 - (format.signExtended ? 1 : 0) - 12);
}

/** Some pages of a range, its edges included. */
function samples(page: number, pages: number, step: number): number[] {
  const all: number[] = [];
  const stride = Math.max(step, Math.floor(pages / step / 16) * step);
  for (let at = 0; at < pages; at += stride) all.push(page + at);
  all.push(page + pages - step);
  return all;
}

function expectMapped(rig: Rig, page: number, oaPage: number, pages: number): void {
  for (const at of samples(page, pages, granulePages(rig.table)))
    expect(rig.table.iovaToPhys(at)).toBe(oaPage + (at - page));
}

/** Pages of the sizes of which two fit both kinds of address, ascending. */
function sizesOf(rig: Rig): number[] {
  const limit = Math.min(lowPagesOf(rig), 2 ** (rig.table.tree.format.oaLg2 - 12));
  return rig.table.tree.format.sizesLg2.map((lg2) => 2 ** (lg2 - 12)).filter((pages) => 4 * pages <= limit);
}

describe('test_increase_level', () => {
  test.each(NAMES.filter((name) => FORMATS[name]().topLevel < FORMATS[name]().maxTopLevel))(
    '%s: one page beyond the top raises it by one level, until the widest',
    (name) => {
      const changes: [number, number][] = [];
      const rig = rigOf(name, { changeTop: (table, level) => void changes.push([table, level]) });
      const { table } = rig;
      const { tree } = table;
      const { topLevel, maxTopLevel } = tree.format;
      for (let level = topLevel; level < maxTopLevel; level++) {
        table.map(tree.geometry.lowPages(level), 7, 1, RW);
        expect(tree.top() & TOP_LEVEL_MASK).toBe(level + 1);
        expect(changes.at(-1)).toEqual([tree.top() >>> TOP_TABLE_SHIFT, level + 1]);
      }
      expect(changes.length).toBe(maxTopLevel - topLevel);
      for (const { page, pages } of leavesOf(table)) expect(table.unmap(page, pages)).toBe(pages);
      finish(rig);
    },
  );
});

describe('test_map_simple', () => {
  test.each(NAMES)('%s: every size once, after an offset of 256 granules; one leaf of each; unmapped again', (name) => {
    const rig = rigOf(name);
    const { table } = rig;
    const sizes = sizesOf(rig);
    const ranges: { page: number; pages: number }[] = [];
    let next = 256 * granulePages(table);
    for (const pages of sizes) {
      const page = Math.ceil(next / pages) * pages;
      if (page + pages > lowPagesOf(rig)) break;
      table.map(page, 2 * pages, pages, RW);
      expectMapped(rig, page, 2 * pages, pages);
      ranges.push({ page, pages });
      next = page + pages;
    }
    expect(leavesOf(table).map(({ page, pages }) => ({ page, pages }))).toEqual(ranges);
    expect(ranges.length).toBeGreaterThanOrEqual(sizes.length - 1);
    for (const { page, pages } of ranges) {
      expect(table.iovaToPhys(page - 1)).toBe(-1);
      expect(table.unmap(page, pages)).toBe(pages);
      expect(table.iovaToPhys(page)).toBe(-1);
    }
    finish(rig);
  });
});

describe('test_map_table_to_oa', () => {
  test.each(NAMES)('%s: a block in leaves of each size in turn, over the empty tables of the size before', (name) => {
    const rig = rigOf(name);
    const { table } = rig;
    // The largest block that is not too many leaves of the smallest size.
    const block = sizesOf(rig).findLast((pages) => pages / granulePages(table) <= 8192) as number;
    const sizes = sizesOf(rig).filter((pages) => pages <= block);
    let replaced = 0;
    for (const size of sizes) {
      // Leaf by leaf, as one map would take larger ones.
      for (let at = 0; at < block; at += size) table.map(block + at, 2 * block + at, size, RW);
      expect(leavesOf(table).map(({ pages }) => pages)).toEqual(new Array(block / size).fill(size));
      expectMapped(rig, block, 2 * block, block);
      const half = size === block ? block : block / 2;
      expect(table.unmap(block, half)).toBe(half);
      for (let at = half; at < block; at += size) expect(table.unmap(block + at, size)).toBe(size);
      expect(leavesOf(table)).toEqual([]);
      const frees = table.deferred.freed + table.deferred.pending() + table.gather.tables;
      rig.settle();
      replaced += frees;
    }
    expect(replaced).toBeGreaterThan(0); // case 2: tables that made way for leaves
    finish(rig);
  });
});

describe('test_unmap_split', () => {
  test.each(NAMES)('%s: a small piece at the start of a large leaf, for each pair of sizes', (name) => {
    const rig = rigOf(name);
    const { table } = rig;
    const { partialUnmap } = table.tree.format;
    const sizes = sizesOf(rig);
    // Of AMD's many sizes the next smaller ones and the smallest.
    for (const [index, large] of sizes.entries())
      for (const small of new Set([sizes[0], ...sizes.slice(Math.max(0, index - 3), index)])) {
        if (small === large) continue;
        table.map(large, 0, large, RW);
        table.map(2 * large, 0, large, RW); // the same output again, so that they never are one
        const taken = partialUnmap === 'refuse' ? 0 : large;
        table.gather.sync();
        expect(table.unmap(large, small)).toBe(taken);
        if (taken > 0) expect([table.gather.first, table.gather.last]).toEqual([large, 2 * large - 1]); // its real length
        // It did not go on: the neighbour stays, and so does the whole leaf where it is not split.
        expect(leavesOf(table).map(({ page, pages }) => [page, pages])).toEqual([
          ...(taken === 0 ? [[large, large]] : []),
          [2 * large, large],
        ]);
        const anywhere = partialUnmap === 'whole-leaf-anywhere';
        expect(table.unmap(2 * large + small, large - small)).toBe(anywhere ? large : 0); // begins inside
        if (taken === 0) expect(table.unmap(large, large)).toBe(large);
        if (!anywhere) expect(table.unmap(2 * large, large)).toBe(large);
        // All copies of a replicated leaf, all members of a group: no slot is left.
        expect(leavesOf(table)).toEqual([]);
      }
    finish(rig);
  });
});

describe('test_random_map', () => {
  test.each(NAMES)('%s: random ranges within 1G of each half; what overlaps is refused and leaves nothing', (name) => {
    const range = fc.record({
      start: fc.integer({ min: 0, max: GIB - 1 }),
      pages: fc.integer({ min: 1, max: GIB }),
      upper: fc.boolean(),
    });
    const rig = rigOf(name);
    const { table } = rig;
    const step = granulePages(table);
    const { signExtended, oaLg2 } = table.tree.format;
    const high = table.tree.geometry.highStart(table.tree.format.maxTopLevel);
    const mapped = new Map<number, number>();
    const unmapCollisions = (from: number, end: number): void => {
      for (const [page, pages] of mapped) {
        if (page >= end || page + pages <= from) continue;
        expectMapped(rig, page, page % 2 ** (oaLg2 - 12), pages);
        expect(table.unmap(page, pages)).toBe(pages);
        mapped.delete(page);
      }
    };
    for (const { start, pages: length, upper } of fc.sample(range, 30)) {
      const base = signExtended && upper ? high : 0;
      const page = base + start - (start % step);
      const pages = Math.min(Math.ceil(length / step) * step, base + GIB - page);
      const oaPage = page % 2 ** (oaLg2 - 12);
      const free = [...mapped].every(([at, size]) => at >= page + pages || at + size <= page);
      if (!free) {
        const before = leavesOf(table).length;
        expect(() => table.map(page, oaPage, pages, RW)).toThrow('EADDRINUSE');
        expect(leavesOf(table).length).toBe(before);
        unmapCollisions(page, page + pages);
        table.gather.sync();
      }
      table.map(page, oaPage, pages, RW);
      mapped.set(page, pages);
      expectMapped(rig, page, oaPage, pages);
    }
    expect(mapped.size).toBeGreaterThan(0);
    unmapCollisions(0, 2 ** 52);
    finish(rig);
  });
});

describe('test_pgsize_boundary', () => {
  test.each(NAMES.filter((name) => FORMATS[name]().granuleLg2 === 12))(
    '%s: addresses that agree in 4K only, whatever their length',
    (name) => {
      const rig = rigOf(name);
      rig.table.map(0xfef80, 0x208b95d, 0x20, RW);
      expect(leavesOf(rig.table).map(({ pages }) => pages)).toEqual(new Array(32).fill(1));
      expectMapped(rig, 0xfef80, 0x208b95d, 0x20);
      expect(rig.table.unmap(0xfef80, 0x20)).toBe(0x20);
      finish(rig);
    },
  );
});

describe('test_mixed', () => {
  const names = NAMES.filter(
    (name) =>
      FORMATS[name]()
        .sizesLg2.filter((lg2) => lg2 <= 30)
        .join() === '12,21,30',
  );
  test.each(names)('%s: 14 of 2M, 3 of 1G, 3 of 2M', (name) => {
    const rig = rigOf(name);
    const start = 0x3fe400000 / 4096;
    const pages = 0x4c0600000 / 4096 - start;
    rig.table.map(start, start, pages, RW);
    expect(leavesOf(rig.table).map((leaf) => leaf.pages)).toEqual([
      ...new Array(14).fill(512),
      ...new Array(3).fill(GIB),
      ...new Array(3).fill(512),
    ]);
    expectMapped(rig, start, start, pages);
    expect(rig.table.unmap(start, pages)).toBe(pages); // one call over several tables
    finish(rig);
  });
});
