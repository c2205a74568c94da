// Where a pool of tables and a page table stand in shared memory. Two kinds of it: 64-bit words that hold entries and nothing
// else, and 32-bit words for the rest. A table is named by its number: table n begins at entry n * slots, and its address, as
// entries give it, is n granules. Number 0 is nothing.
//
//   entries   [ nothing | table 1 … table `tables` | joined roots, 2^joinedLg2 tables each ]
//   words     pool:  a header line, then a slab of descriptors for each 65,535 tables
//             page table:  TOP on a line, the lock of its growth on another
import { checkInteger } from '@faultline/core/errors';
import { defineLayout, type Layout, slabWords } from '@faultline/core/memory';
import { LINE } from '@faultline/core/sync';

export const POOL_TABLES = 0;
export const POOL_SLOTS = 1;
export const POOL_ROOTS = 2;
export const POOL_ROOT_TABLES = 3;
export const POOL_BANKS: number = LINE;

/** Tables of a bank: what one slab can name. */
export const BANK_TABLES = 65535;

// A table's descriptor: what Linux would have in the page structure of a table's page. Both links are here, so that a table that
// waits to be freed is still whole for those who read it.
export const TABLE_LINK = 0; // next table of a gather's list; whose table it is
export const TABLE_DEFERRED = 1; // next table that waits for the same grace period
/** A line: two threads never write descriptors on one. */
export const DESCRIPTOR_WORDS = 32;

export const PT_TOP = 0; // root's table number << 3 | level
export const PT_TOP_LOCK: number = LINE;
export const PT_WORDS: number = 2 * LINE;
export const TOP_LEVEL_MASK = 7;
export const TOP_TABLE_SHIFT = 3;

export const PAGE_TABLE_LAYOUT: Layout = defineLayout('page table', [
  { name: 'TOP', offset: PT_TOP, width: 1, unit: 'table << 3 | level', writer: 'who has TOP_LOCK' },
  { name: 'TOP_LOCK', offset: PT_TOP_LOCK, width: 1, unit: 'thread', writer: 'any (mutex)' },
]);

export const DESCRIPTOR_LAYOUT: Layout = defineLayout('table descriptor', [
  { name: 'LINK', offset: TABLE_LINK, width: 1, unit: 'table', writer: 'who unlinked the table' },
  { name: 'DEFERRED', offset: TABLE_DEFERRED, width: 1, unit: 'table', writer: 'who unlinked the table' },
]);

export interface TablePoolConfig {
  /** Tables that exist at once, those in their grace period and in threads' caches included. */
  readonly tables: number;
  /** Slots of a table: 512, 2048 or 8192. */
  readonly slots: number;
  /** Roots of joined tables. Default 0. */
  readonly roots?: number;
  /** Tables joined to such a root: 2 to 16. */
  readonly rootTables?: number;
}

/** @throws IommuError EINVAL naming the field. */
export function checkPool(call: string, config: TablePoolConfig): Required<TablePoolConfig> {
  const { tables, slots, roots = 0, rootTables = 1 } = config;
  checkInteger(call, 'tables', tables, 1, 2 ** 24);
  checkInteger(call, 'slots', slots, 2, 8192);
  checkInteger(call, 'roots', roots, 0, 4096);
  checkInteger(call, 'rootTables', rootTables, 1, 16);
  return { tables, slots, roots, rootTables };
}

export function banksOf(tables: number): number {
  return Math.ceil(tables / BANK_TABLES);
}
export function tablesOfBank(tables: number, bank: number): number {
  return Math.min(BANK_TABLES, tables - bank * BANK_TABLES);
}
/** Words of the bank's slab. */
export function bankWords(tables: number, bank: number): number {
  return slabWords(tablesOfBank(tables, bank), DESCRIPTOR_WORDS);
}
