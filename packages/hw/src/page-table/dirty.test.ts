// What the three ways of cleaning do when something moves between the look and the clean: a hook on the buffer makes it move.
import { expect, test } from 'vitest';
import { DirtyBitmap } from './dirty-bitmap.ts';
import { clearEntry, type Entries, storeEntry } from './entry.ts';
import { PROT_READ, PROT_WRITE } from './format.ts';
import { between } from './races.test-help.ts';
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
