// A page table with memory of its own, for those who have no arena to put it in: examples, commands, benchmarks.
import { checkInteger } from '@faultline/core/errors';
import { initRcu, LINE, Rcu, RcuThread, rcuWords, type ThreadSelf, type Words } from '@faultline/core/sync';
import type { Entries } from './entry.ts';
import type { Format } from './format.ts';
import type { TablePoolConfig } from './layout.ts';
import { initPageTable, PageTable, type PageTableOptions, pageTableWords } from './page-table.ts';
import { initTablePool, TablePool, tablePoolEntries, tablePoolWords } from './table-pool.ts';

/** A page table as it travels to other threads (structured clone; the memory is shared, not copied). */
export interface SharedPageTable {
  readonly words: Words;
  readonly entries: Entries;
  /** Word offsets. */
  readonly rcuAt: number;
  readonly poolAt: number;
  readonly tableAt: number;
}

export interface StandaloneOptions {
  /** Tables that exist at once, the root included. Default 64. */
  readonly tables?: number;
  /** Highest id of a thread that opens it. Default 1. */
  readonly threads?: number;
}

/** Makes an empty page table. @throws IommuError EINVAL naming the option. */
export function allocPageTable(format: Format, options: StandaloneOptions = {}): SharedPageTable {
  const { tables = 64, threads = 1 } = options;
  checkInteger('allocPageTable', 'threads', threads, 1, 65535);
  const roots = format.joinedLg2 > 0 ? 1 : 0;
  const pool: TablePoolConfig = { tables, slots: 2 ** format.indexLg2, roots, rootTables: 2 ** format.joinedLg2 };
  const rcuAt = LINE;
  const poolAt = rcuAt + rcuWords(threads);
  const tableAt = poolAt + tablePoolWords(pool);
  const words = new Int32Array(new SharedArrayBuffer((tableAt + pageTableWords()) * 4));
  const entries = new BigInt64Array(new SharedArrayBuffer(tablePoolEntries(pool) * 8));
  initRcu(words, rcuAt, threads);
  initTablePool(words, poolAt, pool);
  const first = new TablePool(words, poolAt, entries, { id: 1, spins: 0 }, { batch: 1 });
  initPageTable(words, tableAt, first, format);
  return { words, entries, rcuAt, poolAt, tableAt };
}

/** One thread's side of a {@link SharedPageTable}. */
export interface PageTableThread {
  readonly table: PageTable;
  /** Online already: be quiescent between calls, and offline before sleeping. */
  readonly reader: RcuThread;
}

/** Opens a page table in a thread, once. @param format the one that it was made with. @throws IommuError EINVAL */
export function openPageTable(
  shared: SharedPageTable,
  format: Format,
  self: ThreadSelf = { id: 1, spins: 0 },
  options: PageTableOptions = {},
): PageTableThread {
  const { words, entries, rcuAt, poolAt, tableAt } = shared;
  const pool = new TablePool(words, poolAt, entries, self);
  const table = new PageTable(words, tableAt, pool, format, new Rcu(words, rcuAt), self, options);
  const reader = new RcuThread(words, rcuAt, self);
  reader.online();
  return { table, reader };
}
