// What single operations cost, for benchmarks: each as a name, the operations of one run, and the run.
import { DirtyBitmap } from './dirty-bitmap.ts';
import { type Format, PROT_READ, PROT_WRITE } from './format.ts';
import { allocPageTable, openPageTable } from './standalone.ts';

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
const IOVA = 1 << 20;
/** Its last page is another's, so that no size but the smallest fits. */
const OA = (1 << 21) + 1;
/** Costs of a format's page table, on one thread, of 4 KiB (or the granule's) leaves. */
export function pageTableCosts(format: Format): PageTableCost[] {
  const smallest = { sizesLg2: format.sizesLg2.slice(0, 1) };
  const { table } = openPageTable(allocPageTable(format), format, { id: 1, spins: 0 }, smallest);
  const step = 1 << (format.granuleLg2 - 12);
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
