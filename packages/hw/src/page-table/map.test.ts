// Which leaves a map makes, and an unmap takes.
import { expect, test } from 'vitest';
import { PROT_READ, PROT_WRITE } from './format.ts';
import { amdV1 } from './formats/amdv1.ts';
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

test('AMD before 6.19: a large leaf that an unmap touches anywhere goes whole, and counts whole', () => {
  const format = amdV1({ partialUnmap: 'whole-leaf-anywhere' });
  const { table } = openPageTable(allocPageTable(format), format);
  table.map(512, 1024, 1024, RW); // 2 MiB twice: at 2 MiB, and at 4 MiB
  expect(leavesOf(table).map(({ pages }) => pages)).toEqual([512, 512]);
  expect(table.unmap(700, 1)).toBe(512);
  expect([table.gather.first, table.gather.last]).toEqual([512, 1023]);
  expect(table.iovaToPhys(512)).toBe(-1);
  expect(table.unmap(1024 + 16, 4)).toBe(512);
  expect(leavesOf(table)).toEqual([]);
});
