// What single operations cost, for benchmarks: each as a name, the operations of one run, and the run.
import { initRcu, LINE, Rcu, RcuThread, rcuWords } from '@faultline/core/sync';
import { DirtyBitmap } from './dirty-bitmap.ts';
import { type Format, PROT_READ, PROT_WRITE } from './format.ts';
import { initPageTable, PageTable, pageTableWords } from './page-table.ts';
import { initTablePool, TablePool, tablePoolEntries, tablePoolWords } from './table-pool.ts';

export interface PageTableCost {
  readonly name: string;
  /** Entries, or walks, of one `run`. */
  readonly operations: number;
  readonly run: () => void;
  /** Readies what `run` uses up, unmeasured, before each. */
  readonly before?: () => void;
}

/** 2 MiB in 4 KiB pages. */
const PAGES = 512;
const IOVA = 2 ** 20;
/** Its last page is another's, so that no size but the smallest fits. */
const OA = 2 ** 21 + 1;
const SELF = { id: 1, spins: 0 };

/** One thread's page table of a format over memory of its own. */
function tableOf(format: Format): PageTable {
  const pool = { tables: 64, slots: 2 ** format.indexLg2, roots: 1, rootTables: 2 ** format.joinedLg2 };
  const rcuAt = LINE;
  const poolAt = rcuAt + rcuWords(1);
  const tableAt = poolAt + tablePoolWords(pool);
  const words = new Int32Array(new SharedArrayBuffer((tableAt + pageTableWords()) * 4));
  const entries = new BigInt64Array(new SharedArrayBuffer(tablePoolEntries(pool) * 8));
  initRcu(words, rcuAt, 1);
  initTablePool(words, poolAt, pool);
  const tables = new TablePool(words, poolAt, entries, SELF);
  initPageTable(words, tableAt, tables, format);
  new RcuThread(words, rcuAt, SELF).online();
  return new PageTable(words, tableAt, tables, format, new Rcu(words, rcuAt), SELF, {
    sizesLg2: format.sizesLg2.slice(0, 1),
  });
}

/** Costs of a format's page table, on one thread, of 4 KiB (or the granule's) leaves. */
export function pageTableCosts(format: Format): PageTableCost[] {
  const table = tableOf(format);
  const step = 2 ** (format.granuleLg2 - 12);
  const pages = PAGES * step;
  const oa = OA * step;
  const map = (): void => {
    if (table.iovaToPhys(IOVA) === -1) table.map(IOVA, oa, pages, PROT_READ | PROT_WRITE);
  };
  // The neighbour keeps the tables in place, as in a table in use.
  table.map(IOVA + pages, oa + pages, step, PROT_READ);
  const unmap = (): void => {
    for (let page = 0; page < pages; page += pages / 2) table.unmap(IOVA + page, pages / 2);
    table.gather.sync();
  };
  const bitmap = new DirtyBitmap(IOVA, pages);
  const device = table.walker(undefined, { tlbEntries: 1 });
  const outputs = new Float64Array(1);
  const costs: PageTableCost[] = [
    { name: 'map', operations: PAGES, before: unmap, run: () => table.map(IOVA, oa, pages, PROT_READ | PROT_WRITE) },
    { name: 'unmap', operations: PAGES, before: map, run: unmap },
    {
      name: 'walk, every page',
      operations: PAGES,
      before: map,
      run() {
        for (let page = 0; page < pages; page += step) outputs[0] += table.iovaToPhys(IOVA + page);
      },
    },
  ];
  if (format.dirty === undefined) return costs;
  const clean = (): void => {
    map();
    table.readAndClearDirty(IOVA, pages, undefined);
  };
  const dirty = (): void => {
    map();
    for (let page = 0; page < pages; page += step) device.access(IOVA + page, true);
  };
  costs.push(
    {
      name: 'dirty sweep, nothing dirty',
      operations: PAGES,
      before: clean,
      run: () => table.readAndClearDirty(IOVA, pages, bitmap),
    },
    {
      name: 'dirty read, all dirty',
      operations: PAGES,
      before: dirty,
      run: () => table.readDirty(IOVA, pages, bitmap),
    },
    {
      name: 'dirty sweep, all dirty',
      operations: PAGES,
      before: dirty,
      run: () => table.readAndClearDirty(IOVA, pages, bitmap),
    },
    {
      name: 'hardware write to a clean page',
      operations: PAGES,
      before: clean,
      run: () => {
        for (let page = 0; page < pages; page += step) outputs[0] += device.access(IOVA + page, true);
      },
    },
  );
  return costs;
}
