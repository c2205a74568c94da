// What every format's page table does: the behaviours of the kernel's own page table tests, run over all formats.
import { describe, expect, test } from 'vitest';
import type { LeafView } from './describe.ts';
import { DirtyBitmap } from './dirty-bitmap.ts';
import { compareExchangeEntry, loadEntry, seenHi } from './entry.ts';
import { dirtied, isDirty, PROT_READ, PROT_WRITE } from './format.ts';
import { FAULT_PERMISSION, FAULT_TRANSLATION } from './hardware-walker.ts';
import { TOP_LEVEL_MASK } from './layout.ts';
import { NOT_MAPPED } from './lookup.ts';
import { FORMATS, granulePages, leavesOf, type Rig, rigOf } from './rig.test-help.ts';

const RW = PROT_READ | PROT_WRITE;

/** A page from which on every size fits twice, below the format's widest input address. */
function rangeOf(rig: Rig, sizeLg2: number): { iova: number; oa: number; pages: number } | undefined {
  const { format } = rig.table.tree;
  const pages = 2 ** (sizeLg2 - 12);
  const limit = 2 ** (format.iovaLg2 - (format.signExtended ? 1 : 0) - 12);
  if (2 * pages > limit || 4 * pages > 2 ** (format.oaLg2 - 12)) return undefined;
  return { iova: pages, oa: 2 * pages, pages };
}

function codeOf(run: () => void): string {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'none';
}

/** Entry of a leaf's slot. */
function slotAt(rig: Rig, leaf: LeafView, slot: number): number {
  const { tree } = rig.table;
  let table = tree.top() >>> 3;
  for (let level = tree.top() & TOP_LEVEL_MASK; level > leaf.level; level--) {
    const lo = loadEntry(tree.entries, tree.at(table, tree.geometry.index(leaf.page, level)));
    table = tree.tableOf(lo, seenHi());
  }
  return tree.at(table, tree.geometry.index(leaf.page, leaf.level) + slot);
}

/** Makes one slot of a leaf dirty, as hardware would. */
function dirtySlot(rig: Rig, leaf: LeafView, slot: number): void {
  const { tree } = rig.table;
  const rule = tree.format.dirty;
  if (rule === undefined) throw new Error('no dirty tracking');
  const at = slotAt(rig, leaf, slot);
  const lo = loadEntry(tree.entries, at);
  const hi = seenHi();
  expect(isDirty(rule, lo, hi)).toBe(false);
  expect(compareExchangeEntry(tree.entries, at, lo, hi, dirtied(rule, lo), hi)).toBe(true);
}

describe.each(Object.keys(FORMATS))('%s', (name) => {
  test('an empty table has no translation anywhere', () => {
    const { table } = rigOf(name);
    for (const page of [0, 1, 2 ** 20, 2 ** 35, 2 ** 52 - 1]) expect(table.iovaToPhys(page)).toBe(NOT_MAPPED);
    expect(table.unmap(0, 1)).toBe(0);
    expect(leavesOf(table)).toEqual([]);
  });

  test('an unmap that covers whole tables frees them; the neighbour’s stay', () => {
    const rig = rigOf(name);
    const { table } = rig;
    const step = granulePages(table);
    const span = table.tree.geometry.itemPages[1];
    const before = rig.pool.live();
    table.map(span, 2 * span + step, 2 * span, RW); // two tables of small leaves, and maybe more above
    table.map(3 * span, 8 * span + step, step, RW); // the neighbour
    const used = rig.pool.live();
    expect(table.unmap(span, 2 * span)).toBe(2 * span);
    expect(table.gather.tables).toBe(2);
    expect([table.gather.first, table.gather.last]).toEqual([span, 3 * span - 1]);
    rig.settle();
    expect(rig.pool.live()).toBe(used - 2);
    expect(rig.invalidator.syncs).toBe(1);
    expect(table.iovaToPhys(3 * span)).toBe(8 * span + step);
    table.unmap(3 * span, step);
    rig.settle();
    // Partly covered, so still there, though it is empty.
    expect(rig.pool.live()).toBe(used - 2);
    expect(before).toBeLessThan(used);
  });

  test('a hole stops an unmap', () => {
    const rig = rigOf(name);
    const { table } = rig;
    const step = granulePages(table);
    table.map(8 * step, 101 * step, 3 * step, RW);
    table.map(12 * step, 105 * step, step, RW);
    expect(table.unmap(8 * step, 8 * step)).toBe(3 * step);
    expect(table.iovaToPhys(12 * step)).toBe(105 * step);
  });

  test('a map over anything changes nothing', () => {
    const rig = rigOf(name);
    const { table } = rig;
    const step = granulePages(table);
    const span = table.tree.geometry.itemPages[1];
    table.map(span + 5 * step, 3 * step, step, RW);
    const before = leavesOf(table);
    expect(codeOf(() => table.map(span, 4 * span, span, RW))).toBe('EADDRINUSE'); // a block over a table that is in use
    expect(codeOf(() => table.map(span, 4 * span + step, span, RW))).toBe('EADDRINUSE'); // pages, up to the taken one
    expect(codeOf(() => table.map(span - 2 * step, 4 * span + step, 16 * step, RW))).toBe('EADDRINUSE');
    expect(leavesOf(table)).toEqual(before);
    expect(codeOf(() => table.map(span + 6 * step, 4 * span + step, step, RW))).toBe('none');
  });

  test('refusals, in their order', () => {
    const { table } = rigOf(name);
    const { format } = table.tree;
    const step = granulePages(table);
    const top = 2 ** (format.oaLg2 - 12);
    expect(codeOf(() => table.map(-1, top, 0, 0))).toBe('EINVAL'); // no right
    expect(codeOf(() => table.map(-1, top - step, 2 * step, RW))).toBe(format.oaLg2 === 64 ? 'EINVAL' : 'ERANGE');
    expect(codeOf(() => table.map(0, 0, 0, RW))).toBe('EINVAL');
    expect(codeOf(() => table.map(0.5, 0, step, RW))).toBe('EINVAL');
    expect(codeOf(() => table.map(2 ** 52 - step, 0, 2 * step, RW))).toBe('EOVERFLOW');
    if (step > 1) expect(codeOf(() => table.map(1, 0, step, RW))).toBe('ENXIO');
    const width = 2 ** (format.iovaLg2 - 12);
    if (width < 2 ** 51) {
      const beyond = format.signExtended ? width / 2 : width;
      expect(codeOf(() => table.map(beyond, 0, step, RW))).toBe('ERANGE');
      expect(table.iovaToPhys(beyond)).toBe(NOT_MAPPED);
    }
    expect(leavesOf(table)).toEqual([]);
  });

  test('the highest addresses', () => {
    const { table } = rigOf(name);
    const { format } = table.tree;
    const step = granulePages(table);
    const last = format.signExtended ? 2 ** 52 - step : 2 ** (format.iovaLg2 - 12) - step;
    table.map(last, 7 * step, step, RW);
    expect(table.iovaToPhys(last)).toBe(7 * step);
    expect(leavesOf(table).map(({ page }) => page)).toEqual([last]);
    expect(table.unmap(last, step)).toBe(step);
  });

  test('addresses and output addresses that disagree in their alignment', () => {
    const { table } = rigOf(name);
    const step = granulePages(table);
    const span = table.tree.geometry.itemPages[1];
    // Alike modulo the block: small leaves up to the boundary, then blocks, then small ones.
    table.map(span - 3 * step, 9 * span - 3 * step, 2 * span + 5 * step, RW);
    for (const page of [span - 3 * step, span - step, span, 2 * span + step, 3 * span + step])
      expect(table.iovaToPhys(page)).toBe(page + 8 * span);
    const blocks = leavesOf(table).filter(({ level }) => level > 0);
    expect(blocks.reduce((sum, { pages }) => sum + pages, 0)).toBe(2 * span);
    expect(table.unmap(span - 3 * step, 2 * span + 5 * step)).toBe(2 * span + 5 * step);
    // One page off: never a block.
    table.map(span, 9 * span + step, 2 * span, RW);
    expect(leavesOf(table).every(({ level }) => level === 0)).toBe(true);
  });

  test('cut, down to the smallest size, and promote up again: the same translations at every step', () => {
    const rig = rigOf(name);
    const { table } = rig;
    const { sizesLg2 } = table.tree.format;
    for (let at = 1; at < sizesLg2.length; at++) {
      const range = rangeOf(rig, sizesLg2[at]);
      if (range === undefined) continue;
      const { iova, oa, pages } = range;
      table.map(iova, oa, pages, RW);
      const before = leavesOf(table);
      expect(table.cut(iova)).toBe(sizesLg2[at - 1]);
      table.gather.sync();
      const small = 2 ** (sizesLg2[at - 1] - 12);
      expect(leavesOf(table).map((leaf) => leaf.pages)).toEqual(new Array(pages / small).fill(small));
      for (let page = 0; page < pages; page += small) expect(table.iovaToPhys(iova + page)).toBe(oa + page);
      expect(table.promote(iova, sizesLg2[at])).toBe(true);
      expect(leavesOf(table)).toEqual(before);
      expect(table.promote(iova, sizesLg2[at])).toBe(false); // is one already
      expect(table.unmap(iova, pages)).toBe(pages);
      rig.settle();
    }
    expect(codeOf(() => table.cut(0))).toBe('ENOENT');
    expect(table.promote(0, sizesLg2[sizesLg2.length > 1 ? 1 : 0])).toBe(false);
    table.destroy();
    expect(rig.pool.live()).toBe(0);
  });

  test('promote refuses a gap, another output address, other rights', () => {
    const rig = rigOf(name);
    const { table } = rig;
    const [smallLg2, largeLg2] = table.tree.format.sizesLg2;
    const small = 2 ** (smallLg2 - 12);
    const large = 2 ** (largeLg2 - 12);
    table.map(large, 4 * large, large - small, RW);
    expect(table.promote(large, largeLg2)).toBe(false);
    table.map(2 * large - small, 9 * large, small, RW);
    expect(table.promote(large, largeLg2)).toBe(false);
    table.unmap(2 * large - small, small);
    const reading = table.tree.format.attributes(PROT_READ);
    table.map(2 * large - small, 5 * large - small, small, PROT_READ);
    if (JSON.stringify(reading) !== JSON.stringify(table.tree.format.attributes(RW)))
      expect(table.promote(large, largeLg2)).toBe(false);
    expect(table.iovaToPhys(2 * large - small)).toBe(5 * large - small);
  });

  test('hardware is granted what the leaf grants', () => {
    const rig = rigOf(name);
    const { table } = rig;
    const step = granulePages(table);
    table.map(4 * step, 40 * step, step, RW);
    table.map(5 * step, 51 * step, step, PROT_READ);
    const walker = table.walker();
    expect(walker.access(4 * step, true)).toBe(40 * step);
    expect(walker.access(4 * step, false)).toBe(40 * step);
    expect(walker.access(5 * step, false)).toBe(51 * step);
    expect(walker.access(5 * step, true)).toBe(FAULT_PERMISSION);
    expect(walker.access(6 * step, false)).toBe(FAULT_TRANSLATION);
    expect(walker.access(2 ** 52 - 1, false)).toBe(FAULT_TRANSLATION);
    expect(walker.hits).toBe(1); // the read after the write
  });

  test('a dump names every leaf', () => {
    const { table } = rigOf(name);
    const step = granulePages(table);
    table.map(4 * step, 41 * step, 3 * step, RW);
    const lines = table.describe();
    expect(lines[0]).toContain(table.tree.format.name);
    expect(lines.join('\n')).toContain(`0x${(4 * step).toString(16).padStart(9, '0')}000`);
    expect(lines.join('\n')).toContain('×');
  });
});

describe.each(Object.keys(FORMATS).filter((name) => FORMATS[name]().dirty !== undefined))('dirty: %s', (name) => {
  /** Maps one leaf, cleans it, and hands it over. */
  function cleanLeafOf(rig: Rig, sizeLg2: number): LeafView | undefined {
    const range = rangeOf(rig, sizeLg2);
    if (range === undefined) return undefined;
    rig.table.map(range.iova, range.oa, range.pages, RW);
    rig.table.readAndClearDirty(range.iova, range.pages, undefined);
    return leavesOf(rig.table)[0];
  }

  test('test-and-clear and load-store clean as well, while nothing else happens', () => {
    const rig = rigOf(name);
    const { table } = rig;
    for (const method of ['test-and-clear', 'load-store'] as const) {
      const leaf = cleanLeafOf(rig, table.tree.format.sizesLg2[1]);
      if (leaf === undefined) continue;
      dirtySlot(rig, leaf, 0);
      expect(table.readAndClearDirty(leaf.page, leaf.pages, undefined, table.gather, method)).toBe(1);
      expect(table.readAndClearDirty(leaf.page, leaf.pages, undefined, table.gather, method)).toBe(0);
      table.unmap(leaf.page, leaf.pages);
      rig.settle();
    }
  });

  test('a request for a part of a leaf is clipped, and leaves the leaf dirty', () => {
    const rig = rigOf(name);
    const { table } = rig;
    const [smallLg2, largeLg2] = table.tree.format.sizesLg2;
    const small = 2 ** (smallLg2 - 12);
    const leaf = cleanLeafOf(rig, largeLg2);
    if (leaf === undefined || 2 ** (largeLg2 - 12) !== leaf.pages) throw new Error('no leaf');
    const slots = table.tree.leafSlots(leaf.lo, leaf.hi, leaf.level);
    for (const slot of new Set([0, slots - 1])) {
      dirtySlot(rig, leaf, slot);
      const front = new DirtyBitmap(leaf.page, small);
      expect(table.readAndClearDirty(leaf.page, small, front)).toBe(1);
      expect(front.count()).toBe(small);
      const back = new DirtyBitmap(leaf.page + leaf.pages - small, small);
      expect(table.readAndClearDirty(leaf.page + leaf.pages - small, small, back)).toBe(1);
      expect(back.count()).toBe(small);
      const whole = new DirtyBitmap(leaf.page, leaf.pages);
      expect(table.readAndClearDirty(leaf.page, leaf.pages, whole)).toBe(1);
      expect(whole.count()).toBe(leaf.pages);
      expect(table.readDirty(leaf.page, leaf.pages, whole)).toBe(0);
    }
  });

  test('a sweep steps over holes and down all levels, and gathers what it cleaned', () => {
    const rig = rigOf(name);
    const { table } = rig;
    const step = granulePages(table);
    const span = table.tree.geometry.itemPages[1];
    const pages = [3 * step, span + 7 * step, 5 * span];
    for (const page of pages) table.map(page, 64 * span + page + step, step, RW);
    table.readAndClearDirty(0, 6 * span, undefined);
    table.gather.sync();
    const walker = table.walker();
    for (const page of pages) expect(walker.access(page, true)).toBe(64 * span + page + step);
    const bitmap = new DirtyBitmap(0, 6 * span);
    expect(table.readAndClearDirty(0, 6 * span, bitmap)).toBe(3);
    expect(bitmap.count()).toBe(3 * step);
    for (const page of pages) expect(bitmap.has(page)).toBe(true);
    expect([table.gather.first, table.gather.last]).toEqual([3 * step, 5 * span + step - 1]);
  });

  test('what hardware cached as dirty leaves no mark until the invalidation, and one after it', () => {
    const rig = rigOf(name);
    const { table } = rig;
    const step = granulePages(table);
    table.map(step, 11 * step, step, RW);
    const walker = table.walker(rig.port());
    table.readAndClearDirty(step, step, undefined);
    walker.access(step, true);
    expect(table.readAndClearDirty(step, step, undefined)).toBe(1);
    walker.access(step, true);
    expect(walker.hits).toBe(1);
    expect(table.readAndClearDirty(step, step, undefined)).toBe(0);
    walker.idle(); // one thread plays both, and a sync waits for walkers at work
    table.gather.sync();
    walker.access(step, true);
    expect(walker.hits).toBe(1);
    expect(table.readAndClearDirty(step, step, undefined)).toBe(1);
  });

  test('cut gives its dirtiness to all parts; promote takes that of any', () => {
    const rig = rigOf(name);
    const { table } = rig;
    const [smallLg2, largeLg2] = table.tree.format.sizesLg2;
    const small = 2 ** (smallLg2 - 12);
    const leaf = cleanLeafOf(rig, largeLg2);
    if (leaf === undefined) throw new Error('no leaf');
    const parts = leaf.pages / small;
    const bitmap = new DirtyBitmap(leaf.page, leaf.pages);
    table.cut(leaf.page);
    expect(table.readAndClearDirty(leaf.page, leaf.pages, bitmap)).toBe(0);
    table.walker().access(leaf.page + leaf.pages - small, true);
    expect(table.promote(leaf.page, largeLg2)).toBe(true);
    expect(table.readDirty(leaf.page, leaf.pages, bitmap)).toBe(1);
    table.cut(leaf.page);
    expect(table.readAndClearDirty(leaf.page, leaf.pages, bitmap)).toBe(parts);
    expect(bitmap.count()).toBe(leaf.pages);
    expect(table.promote(leaf.page, largeLg2)).toBe(true);
    expect(table.readDirty(leaf.page, leaf.pages, bitmap)).toBe(0);
  });
});

describe.each(Object.keys(FORMATS).filter((name) => FORMATS[name]().dirty === undefined))('no dirty: %s', (name) => {
  test('reading dirty bits is not offered', () => {
    const { table } = rigOf(name);
    expect(codeOf(() => table.readDirty(0, 16, new DirtyBitmap(0, 16)))).toBe('EOPNOTSUPP');
    expect(codeOf(() => table.readAndClearDirty(0, 16, undefined))).toBe('EOPNOTSUPP');
  });
});
