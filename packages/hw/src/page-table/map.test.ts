// Which leaves a map makes, and an unmap takes.
import { expect, test } from 'vitest';
import { DirtyBitmap } from './dirty-bitmap.ts';
import { PROT_READ, PROT_WRITE } from './format.ts';
import { vtdSecondStage } from './formats/vtd-second-stage.ts';
import { leavesOf, rigOf } from './rig.test-help.ts';
import { allocPageTable, openPageTable } from './standalone.ts';

const RW = PROT_READ | PROT_WRITE;

test('AMD: the fewest leaves from any page to any page', () => {
  const { table } = rigOf('amdv1 from level 2');
  table.map(1, 0x10001, 1023 * 1024, RW);
  const sizes = leavesOf(table).map(({ pages }) => pages);
  // 1, 2, 4 … 512 up to 1024; then 1 Ki, 2 Ki …, down to what is left.
  expect(sizes.slice(0, 10)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
  expect(sizes.reduce((sum, pages) => sum + pages, 0)).toBe(1023 * 1024);
  expect(sizes.at(-1)).toBe(1);
});

test('a table of 64 KiB granules holds 8192 slots', () => {
  const { table } = rigOf('arm s1 64k 52 bits contiguous');
  const pages = 8192 * 16; // 512 MiB, one table
  table.map(0, pages + 16, pages, RW);
  expect(leavesOf(table).length).toBe(8192);
  expect(table.iovaToPhys(pages - 1)).toBe(2 * pages + 15);
});

test('refusals: the format’s before lengths, a size that fits nothing before a width', () => {
  const parent = vtdSecondStage({ forceWriteable: true });
  const { table } = openPageTable(allocPageTable(parent), parent);
  expect(() => table.map(0, 0, 0, PROT_READ)).toThrow('read-only mappings are refused');
  expect(() => table.map(0, 0, 1, PROT_WRITE)).not.toThrow();
  const granules = rigOf('arm s1 64k').table;
  expect(() => granules.map(2 ** 40 + 1, 0, 16, RW)).toThrow('ENXIO');
  expect(() => granules.map(2 ** 40, 0, 16, RW)).toThrow('ERANGE');
  expect(() => granules.map(16, 1, 16, RW)).toThrow('ENXIO');
  expect(() => granules.map(16, 16, 8, RW)).toThrow('ENXIO');
});

test('a leaf of several slots over tables: refused when any of them is in use, over all of them when none is', () => {
  const rig = rigOf('amdv1 from level 2');
  const { table } = rig;
  const used = rig.pool.live();
  table.map(1024, 7, 1, RW); // a table in the first of two slots of 2M …
  table.map(1536 + 9, 8, 1, RW); // … and one in the second
  expect(() => table.map(1024, 4096, 1024, RW)).toThrow('EADDRINUSE');
  table.unmap(1024, 1);
  table.gather.sync();
  expect(() => table.map(1024, 4096, 1024, RW)).toThrow('EADDRINUSE');
  expect([table.gather.tables, table.iovaToPhys(1536 + 9), rig.invalidator.syncs]).toEqual([0, 8, 1]);
  table.unmap(1536 + 9, 1);
  table.map(1024, 4096, 1024, RW);
  // Both went out with the map, in one sync over what they covered.
  expect([table.deferred.pending(), rig.invalidator.syncs]).toEqual([2, 2]);
  expect(leavesOf(table).map(({ page, pages }) => [page, pages])).toEqual([[1024, 1024]]);
  rig.settle();
  expect(rig.pool.live()).toBe(used + 1);
});

test('a map that fails part way: what it mapped is gone, the empty tables that it replaced stay so', () => {
  const rig = rigOf('vtd 48 bits');
  const { table } = rig;
  table.map(512, 7, 1, RW);
  table.unmap(512, 1); // an empty table at 2M
  table.gather.sync();
  table.map(1024 + 3, 8, 1, RW);
  expect(() => table.map(512, 1024, 1024, RW)).toThrow('EADDRINUSE');
  expect(leavesOf(table).map(({ page }) => page)).toEqual([1027]);
  expect([table.gather.last, table.deferred.pending()]).toEqual([-1, 1]); // synced, as a table made way
});

test('what two ends see of a leaf whose copies are being written: any one of them says all of it', () => {
  const rig = rigOf('amdv1 from level 2');
  const { table } = rig;
  table.map(64, 128, 16, RW);
  const { entries } = table.tree;
  const first = entries.findIndex((entry) => (entry & 0xe01n) === 0xe01n);
  const copy = entries[first];
  entries.fill(0n, first, first + 16);
  entries[first + 9] = copy; // one of sixteen
  expect(table.walker().access(73, true)).toBe(137);
  expect(table.iovaToPhys(72)).toBe(-1);
  expect(leavesOf(table)[0]).toMatchObject({ page: 73, oaPage: 137, leafPages: 16 });
  const bitmap = new DirtyBitmap(64, 16);
  expect(table.readDirty(64, 16, bitmap)).toBe(1);
  expect(bitmap.count()).toBe(16);
});
