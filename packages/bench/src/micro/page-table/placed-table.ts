// A page table inside a pair's words: its RCU, its pool and its entries, and the lock that a locked variant takes.
import { initRcu, LINE, Rcu, RcuThread, rcuWords, type ThreadSelf, type Words } from '@faultline/core';
import {
  type Entries,
  type Format,
  initPageTable,
  initTablePool,
  PageTable,
  type PageTableOptions,
  pageTableWords,
  TablePool,
  type TablePoolConfig,
  tablePoolEntries,
  tablePoolWords,
} from '@faultline/hw/page-table';
import { LOCK_WORDS } from './locks.ts';

const THREADS = 2;

/** Word offsets from where it begins. */
export interface PlacedTable {
  readonly format: Format;
  readonly pool: TablePoolConfig;
  readonly lockAt: number;
  readonly rcuAt: number;
  readonly poolAt: number;
  readonly tableAt: number;
  readonly entriesAt: number;
  /** Words in all. */
  readonly words: number;
}

/** Plans a page table of two threads. */
export function placeTable(format: Format, tables: number): PlacedTable {
  const pool: TablePoolConfig = {
    tables,
    slots: 2 ** format.indexLg2,
    roots: format.joinedLg2 > 0 ? 1 : 0,
    rootTables: 2 ** format.joinedLg2,
  };
  const lockAt = 0;
  const rcuAt = lockAt + LOCK_WORDS;
  const poolAt = rcuAt + rcuWords(THREADS);
  const tableAt = poolAt + tablePoolWords(pool);
  const entriesAt = Math.ceil((tableAt + pageTableWords()) / LINE) * LINE;
  return { format, pool, lockAt, rcuAt, poolAt, tableAt, entriesAt, words: entriesAt + 2 * tablePoolEntries(pool) };
}

function entriesOf(words: Words, base: number, { entriesAt, pool }: PlacedTable): Entries {
  return new BigInt64Array(words.buffer, (base + entriesAt) * 4, tablePoolEntries(pool));
}

/** Lays it out over zeroed words, empty. */
export function initPlacedTable(words: Words, base: number, place: PlacedTable): void {
  initRcu(words, base + place.rcuAt, THREADS);
  initTablePool(words, base + place.poolAt, place.pool);
  const entries = entriesOf(words, base, place);
  const first = new TablePool(words, base + place.poolAt, entries, { id: 1, spins: 0 }, { batch: 1 });
  initPageTable(words, base + place.tableAt, first, place.format);
}

export interface OpenedTable {
  readonly table: PageTable;
  readonly reader: RcuThread;
}

/** One thread's side, offline still. */
export function openPlacedTable(
  words: Words,
  base: number,
  place: PlacedTable,
  self: ThreadSelf,
  options: PageTableOptions = {},
): OpenedTable {
  const pool = new TablePool(words, base + place.poolAt, entriesOf(words, base, place), self);
  const rcu = new Rcu(words, base + place.rcuAt);
  const table = new PageTable(words, base + place.tableAt, pool, place.format, rcu, self, options);
  return { table, reader: new RcuThread(words, base + place.rcuAt, self) };
}
