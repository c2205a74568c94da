// Sign-extended addresses: two halves under one root, and the hole between them, which the root's slots do not show.
import { describe, expect, test } from 'vitest';
import { DirtyBitmap } from './dirty-bitmap.ts';
import { PROT_READ, PROT_WRITE } from './format.ts';
import { FAULT_TRANSLATION } from './hardware-walker.ts';
import { leavesOf, rigOf } from './rig.test-help.ts';

const RW = PROT_READ | PROT_WRITE;
const ALL = 2 ** 52;

// First page past the lower half, and first page of the upper: bit 38, 47 or 56 of the address repeated above.
describe.each([
  ['riscv sv39', 2 ** 26, ALL - 2 ** 26],
  ['riscv sv48 svnapot', 2 ** 35, ALL - 2 ** 35],
  ['riscv sv57 dirty', 2 ** 44, ALL - 2 ** 44],
])('%s', (name, low, high) => {
  test('an unmap that runs past the lower half stops there, though the root’s next slot is the upper one', () => {
    const { table } = rigOf(name);
    table.map(low - 1, 0x100, 1, RW);
    table.map(high, 0x200, 1, RW);
    expect(table.unmap(low - 1, 2)).toBe(1);
    expect(table.iovaToPhys(high)).toBe(0x200);
    expect(table.unmap(low - 1, ALL - low + 1)).toBe(0);
    expect(table.unmap(low, 1)).toBe(0);
    expect(table.unmap(high, ALL - high)).toBe(1);
  });

  test('a sweep of all addresses reports both halves where they are', () => {
    const { table } = rigOf(name);
    const walker = table.walker();
    for (const page of [5, low - 1, high, ALL - 1]) {
      table.map(page, 0x100 + (page % 2), 1, RW);
      walker.access(page, true);
    }
    const marked: [number, number][] = [];
    const bitmap = new DirtyBitmap(0, ALL, 42);
    const set = bitmap.set.bind(bitmap);
    bitmap.set = (page, end) => {
      marked.push([page, end]);
      set(page, end);
    };
    expect(table.readDirty(0, ALL, bitmap)).toBe(4);
    expect(marked).toEqual([5, low - 1, high, ALL - 1].map((page) => [page, page + 1]));
    expect(bitmap.count()).toBe(new Set([5, low - 1, high, ALL - 1].map((page) => Math.floor(page / 2 ** 30))).size);
    // Begins in the hole.
    expect(table.readAndClearDirty(low + 7, ALL - low - 7, undefined)).toBe(2);
    expect([table.gather.first, table.gather.last]).toEqual([high, ALL - 1]);
    expect(table.readDirty(0, ALL, bitmap)).toBe(2);
    expect(table.readDirty(low, high - low, bitmap)).toBe(0);
  });

  test('nothing is mapped, found or reached by hardware in the hole', () => {
    const { table } = rigOf(name);
    for (const page of [low, high - 1]) {
      expect(() => table.map(page, 1, 1, RW)).toThrow('ERANGE');
      expect(table.iovaToPhys(page)).toBe(-1);
      expect(table.walker().access(page, false)).toBe(FAULT_TRANSLATION);
    }
    expect(() => table.map(low - 1, 1, 2, RW)).toThrow('ERANGE'); // across the edge: nothing of it
    expect(() => table.map(high - 1, 1, 2, RW)).toThrow('ERANGE');
    expect(leavesOf(table)).toEqual([]);
  });
});
