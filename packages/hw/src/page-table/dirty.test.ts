// What the three ways of cleaning do when something moves between the look and the clean: a hook on the buffer makes it move.
import { describe, expect, test } from 'vitest';
import type { CleanMethod } from './dirty.ts';
import { DirtyBitmap } from './dirty-bitmap.ts';
import { clearEntry, type Entries, loadEntry, seenHi, storeEntry } from './entry.ts';
import { type DirtyRule, dirtied, PROT_READ, PROT_WRITE } from './format.ts';
import { between } from './races.test-help.ts';
import { findLeaf } from './resize.ts';
import { type Rig, rigOf } from './rig.test-help.ts';

const RW = PROT_READ | PROT_WRITE;
const METHODS = ['compare-exchange', 'test-and-clear', 'load-store'] as const;

/** One dirty page at 3, and where its entry is. */
function dirtyPage(name: string): { rig: Rig; at: number } {
  const rig = rigOf(name);
  rig.table.map(3, 0x30, 1, RW);
  rig.table.walker().access(3, true);
  const at = rig.table.tree.entries.findIndex((entry) => (entry & 0xffff_f000n) === 0x30000n);
  return { rig, at };
}

test.each(METHODS)('%s: the page is unmapped in between', (method) => {
  const { rig, at } = dirtyPage('vtd 48 bits');
  const { table } = rig;
  const bitmap = new DirtyBitmap(0, 16);
  between(
    () => clearEntry(table.tree.entries, at),
    () => void table.readAndClearDirty(0, 16, bitmap, table.gather, method),
  );
  // Only the plain store revives the mapping that is gone.
  expect(table.iovaToPhys(3)).toBe(method === 'load-store' ? 0x30 : -1);
  expect(bitmap.count()).toBe(method === 'load-store' ? 1 : 0);
});

test.each(METHODS)('%s: another mapping, dirty as well, takes the place in between', (method) => {
  const { rig, at } = dirtyPage('vtd 48 bits');
  const { table } = rig;
  const bitmap = new DirtyBitmap(0, 16);
  const dirty = table.tree.entries[at] & 0xfffn;
  between(
    () => table.tree.entries.fill((0x77n << 12n) | dirty, at, at + 1),
    () => void table.readAndClearDirty(0, 16, bitmap, table.gather, method),
  );
  expect(table.iovaToPhys(3)).toBe(method === 'load-store' ? 0x30 : 0x77);
  expect(bitmap.has(3)).toBe(true);
  expect(table.readDirty(0, 16, bitmap)).toBe(0);
});

test('test-and-clear leaves a bit in an Arm slot that was emptied in between; compare-exchange does not', () => {
  for (const method of ['test-and-clear', 'compare-exchange'] as const) {
    const { rig, at } = dirtyPage('arm s1 4k');
    const { table } = rig;
    between(
      () => clearEntry(table.tree.entries, at),
      () => void table.readAndClearDirty(0, 16, undefined, table.gather, method),
    );
    expect(table.tree.entries[at]).toBe(method === 'test-and-clear' ? 0x80n : 0n);
    table.map(3, 0x40, 1, RW); // the format calls the slot empty all the same
    expect(table.iovaToPhys(3)).toBe(0x40);
  }
});

test('hardware dirties another copy of an AMD leaf in between: it is cleaned with the report, or stays', () => {
  const rig = rigOf('amdv1 from level 2');
  const { table } = rig;
  table.map(16, 32, 16, RW);
  const walker = table.walker(undefined, { tlbEntries: 1 });
  walker.access(16, true);
  const bitmap = new DirtyBitmap(16, 16);
  between(
    () => void walker.access(20, true),
    () => void table.readAndClearDirty(16, 16, bitmap),
  );
  expect(bitmap.count()).toBe(16);
  expect(table.readDirty(16, 16, bitmap)).toBe(0);
});

describe.each(['vtd 48 bits', 'amdv1 from level 2', 'riscv sv48 svnapot', 'arm s1 4k', 'arm s2 4k contiguous'])(
  '%s: hardware marks between the load and the store of a clean',
  (name) => {
    const { format } = rigOf(name).table.tree;
    const accessed = format.marked(0, 0, false);

    /** A clean that hardware's read interrupts, of a dirty leaf that nobody has read. @returns the entry after it, low half. */
    function interrupted(method: CleanMethod): { lo: number; reported: number; left: number } {
      const rig = rigOf(name);
      const { table } = rig;
      table.map(3, 0x33, 1, RW);
      const { entries } = table.tree;
      const at = findLeaf(table.tree, 3)?.at ?? -1;
      const lo = loadEntry(entries, at);
      const hi = seenHi();
      storeEntry(entries, at, dirtied(format.dirty as DirtyRule, lo) & ~accessed, hi);
      const reported = new DirtyBitmap(3, 1);
      between(
        () => void table.walker().access(3, false),
        () => void table.readAndClearDirty(3, 1, reported, table.gather, method),
      );
      return { lo: loadEntry(entries, at), reported: reported.count(), left: table.readDirty(3, 1, reported) };
    }

    test('the accessed flag made there stays, but for the plain store', () => {
      for (const method of METHODS) {
        const { lo, reported, left } = interrupted(method);
        expect([reported, left]).toEqual([1, 0]); // the page is reported once, by each
        expect([method, (lo & accessed) !== 0]).toEqual([method, method !== 'load-store']);
      }
    });

    test('a write after the flush is in the next report, by each of them', () => {
      for (const method of METHODS) {
        const rig = rigOf(name);
        const { table } = rig;
        const walker = table.walker(rig.port());
        table.map(3, 0x33, 1, RW);
        walker.access(3, true);
        const bitmap = new DirtyBitmap(3, 1);
        expect(table.readAndClearDirty(3, 1, bitmap, table.gather, method)).toBe(1);
        walker.idle();
        table.gather.sync();
        walker.access(3, true);
        expect(table.readAndClearDirty(3, 1, bitmap, table.gather, method)).toBe(1);
      }
    });
  },
);

test.each(METHODS)('%s: two sweeps at once: one of them reports the page, or both', (method) => {
  const { rig } = dirtyPage('vtd 48 bits');
  const { table } = rig;
  const [first, second] = [new DirtyBitmap(0, 16), new DirtyBitmap(0, 16)];
  between(
    () => void table.readAndClearDirty(0, 16, second, table.gather, method),
    () => void table.readAndClearDirty(0, 16, first, table.gather, method),
  );
  expect([first.has(3), second.has(3)]).toEqual([method === 'load-store', true]);
  expect(table.readDirty(0, 16, first)).toBe(0);
});

// A leaf of several slots, one of a single slot that is large, at every way that a request can cut it.
describe.each([
  ['amdv1 from level 2', 16],
  ['arm s1 4k contiguous', 16],
  ['riscv sv48 svnapot', 16],
  ['vtd 48 bits', 512],
  ['amdv1 from level 2', 512],
])('a request that covers a part of a leaf: %s, %i pages', (name, pages) => {
  const cases = [
    ['begins inside', 5, pages],
    ['ends inside', 0, pages - 3],
    ['lies inside', 5, pages - 5],
    ['begins inside and goes on', 5, 2 * pages],
    ['begins before and ends inside', -pages, 7],
  ] as const;
  test.each(cases)('%s: its pages are reported and no others, and the leaf stays dirty', (_what, from, to) => {
    for (const dirtyPages of [[0], [pages - 1], [0, Math.floor(pages / 2), pages - 1]]) {
      const rig = rigOf(name);
      const { table } = rig;
      table.map(pages, 4 * pages, pages, RW);
      table.readAndClearDirty(0, 4 * pages, undefined);
      table.gather.sync();
      for (const page of dirtyPages) table.walker().access(pages + page, true);
      const start = pages + from;
      const length = to - from;
      const bitmap = new DirtyBitmap(start, length);
      expect(table.readAndClearDirty(start, length, bitmap)).toBe(1); // one leaf, whichever of its slots are dirty
      const reported = Array.from({ length }, (_, page) => start + page).filter((page) => bitmap.has(page));
      const inside = Array.from({ length: pages }, (_, page) => pages + page);
      expect(reported).toEqual(inside.filter((page) => page >= start && page < start + length));
      // Nothing was cleaned, so nothing is to be flushed, and a later request for the rest sees it.
      expect(table.gather.last).toBe(-1);
      const whole = new DirtyBitmap(pages, pages);
      expect(table.readAndClearDirty(pages, pages, whole)).toBe(1);
      expect(whole.count()).toBe(pages);
      expect([table.gather.first, table.gather.last]).toEqual([pages, 2 * pages - 1]);
      expect(table.readDirty(pages, pages, whole)).toBe(0);
    }
  });
});

test('reading without clearing: nothing is cleaned, gathered or flushed, however often', () => {
  const { rig } = dirtyPage('vtd 48 bits');
  const { table } = rig;
  const before = table.tree.entries.slice();
  for (let round = 0; round < 2; round++) expect(table.readDirty(0, 16, new DirtyBitmap(0, 16))).toBe(1);
  expect(table.tree.entries).toEqual(before);
  table.gather.sync();
  expect([rig.invalidator.ranges, rig.invalidator.syncs]).toEqual([0, 0]);
});

test('without a bitmap a range is only cleaned', () => {
  const { rig } = dirtyPage('vtd 48 bits');
  expect(rig.table.readAndClearDirty(0, 16, undefined)).toBe(1);
  expect(rig.table.readDirty(0, 16, new DirtyBitmap(0, 16))).toBe(0);
});

test('one invalidation and one sync for a request, however many leaves were dirty; none for a clean one', () => {
  const rig = rigOf('vtd 48 bits');
  const { table } = rig;
  table.map(100, 0x10001, 2000, RW);
  const walker = table.walker();
  for (let page = 150; page < 2000; page += 7) walker.access(page, true);
  table.readAndClearDirty(0, 4096, undefined);
  expect([table.gather.first, table.gather.last]).toEqual([150, 150 + 7 * 264]);
  table.gather.sync();
  expect([rig.invalidator.ranges, rig.invalidator.syncs]).toEqual([1, 1]);
  table.readAndClearDirty(0, 4096, undefined);
  table.gather.sync();
  expect(rig.invalidator.syncs).toBe(1);
});

test('an entry that names no table of the pool is an error, not a walk into nowhere', () => {
  const rig = rigOf('vtd 48 bits');
  const { table } = rig;
  table.map(3, 0x30, 1, RW);
  const { entries } = table.tree;
  const root = entries.findIndex((entry) => entry !== 0n);
  const good = entries[root];
  for (const page of [0xfff_ffff, 401]) {
    storeEntry(entries, root, (page << 12) | 3, page >>> 20);
    for (const run of [
      () => table.iovaToPhys(3),
      () => table.unmap(3, 1),
      () => table.map(4, 0x31, 1, RW),
      () => table.readDirty(0, 16, new DirtyBitmap(0, 16)),
      () => table.walker().access(3, false),
    ])
      expect(run).toThrow('EFAULT');
  }
  (entries as Entries)[root] = good;
  expect(table.iovaToPhys(3)).toBe(0x30);
});
