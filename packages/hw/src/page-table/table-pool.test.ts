import { layoutOffset } from '@faultline/core/memory';
import { LINE } from '@faultline/core/sync';
import { expect, test } from 'vitest';
import {
  BANK_TABLES,
  DESCRIPTOR_LAYOUT,
  PAGE_TABLE_LAYOUT,
  PT_TOP,
  PT_TOP_LOCK,
  TABLE_DEFERRED,
  TABLE_LINK,
} from './layout.ts';
import { initTablePool, TablePool, tablePoolEntries, tablePoolWords } from './table-pool.ts';

function poolOf(tables: number, roots = 0, rootTables = 1, checked = false): TablePool {
  const config = { tables, slots: 512, roots, rootTables };
  const words = new Int32Array(new SharedArrayBuffer((LINE + tablePoolWords(config)) * 4));
  // Entries of many banks would be 2 GiB: what is not touched takes no memory.
  const entries = new BigInt64Array(new SharedArrayBuffer(tablePoolEntries(config) * 8));
  initTablePool(words, LINE, config);
  return new TablePool(words, LINE, entries, { id: 1, spins: 0 }, { batch: 4, checked });
}

test('layouts name the words that the code uses', () => {
  expect(layoutOffset(PAGE_TABLE_LAYOUT, 'TOP')).toBe(PT_TOP);
  expect(layoutOffset(PAGE_TABLE_LAYOUT, 'TOP_LOCK')).toBe(PT_TOP_LOCK);
  expect(layoutOffset(DESCRIPTOR_LAYOUT, 'LINK')).toBe(TABLE_LINK);
  expect(layoutOffset(DESCRIPTOR_LAYOUT, 'DEFERRED')).toBe(TABLE_DEFERRED);
});

test('tables come empty, are numbered from 1, and run out', () => {
  const pool = poolOf(10);
  const taken = Array.from({ length: 10 }, () => pool.alloc());
  expect([...taken].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(pool.alloc()).toBe(0);
  pool.entries.fill(7n, taken[0] * 512, taken[0] * 512 + 512);
  pool.free(taken[0]);
  expect(pool.alloc()).toBe(taken[0]);
  expect(pool.entries.subarray(taken[0] * 512, taken[0] * 512 + 512).every((entry) => entry === 0n)).toBe(true);
  expect(pool.live()).toBe(10);
});

test('what is freed twice, never taken or no table is refused', () => {
  const pool = poolOf(4);
  const table = pool.alloc();
  pool.free(table);
  expect(() => pool.free(table)).toThrow('double free');
  expect(() => pool.free(0)).toThrow('table = 0');
  expect(() => pool.free(5)).toThrow('table = 5');
  expect(() => pool.retire(table)).toThrow('not live');
});

test('in checked runs a freed table is spoilt, so that a walk through it does not go unnoticed', () => {
  const pool = poolOf(4, 0, 1, true);
  const table = pool.alloc();
  pool.free(table);
  expect(pool.entries[table * 512]).toBe(0x6b6b6b6b6b6b6b6bn);
  pool.entries[table * 512 + 9] = 0n;
  expect(() => pool.alloc()).toThrow('slot 9 was written to');
});

test('more tables than one slab can name', () => {
  const pool = poolOf(BANK_TABLES + 3);
  const seen = new Set<number>();
  for (let table = pool.alloc(); table !== 0 && seen.size < BANK_TABLES + 4; table = pool.alloc()) {
    seen.add(table);
    pool.setLink(table, table + 1);
    pool.setDeferredLink(table, -table);
  }
  expect(seen.size).toBe(BANK_TABLES + 3);
  expect(Math.max(...[...seen].slice(-4))).toBe(BANK_TABLES + 3);
  for (const table of [1, BANK_TABLES, BANK_TABLES + 1, BANK_TABLES + 3]) {
    expect([pool.link(table), pool.deferredLink(table)]).toEqual([table + 1, -table]);
    expect(pool.isHeld(table)).toBe(true);
    pool.free(table);
    expect(pool.isHeld(table)).toBe(false);
  }
});

test('joined roots stand side by side after the tables', () => {
  const pool = poolOf(4, 2, 16);
  expect([pool.rootBlock(0), pool.rootBlock(1)]).toEqual([5, 21]);
  expect(() => pool.rootBlock(2)).toThrow('root = 2');
  expect(pool.isHeld(36)).toBe(true);
  expect(pool.isHeld(37)).toBe(false);
});
