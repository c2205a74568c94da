// What single operations cost, for benchmarks: each as a name, the operations of one run, and the run. The same calls on whatever
// stands beside a page table: the calls are here, the table is the caller's.
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

/** What is costed: the calls of PageTable that are made, and a device's write. Pages of 4 KiB. */
interface CostedTable {
  map(iovaPage: number, oaPage: number, pages: number, prot: number): void;
  unmap(iovaPage: number, pages: number): number;
  /** Ends what an unmap left to be done. */
  sync(): void;
  /** @returns -1 where nothing is mapped. */
  iovaToPhys(iovaPage: number): number;
  /** @returns the dirty leaves. */
  readDirty(iovaPage: number, pages: number, bitmap: DirtyBitmap): number;
  readAndClearDirty(iovaPage: number, pages: number, bitmap: DirtyBitmap | undefined): number;
  /** A device writes to a page. */
  write(iovaPage: number): void;
}

/** Leaves of a range: 2 MiB in 4 KiB pages. */
const LEAVES = 512;
const IOVA = 1 << 20;
/** Its last page is another's, so that no size but the smallest fits. */
const OA = (1 << 21) + 1;

/** A page table of the smallest leaves, and of one thread. */
function openCostedTable(format: Format): CostedTable {
  const smallest = { sizesLg2: format.sizesLg2.slice(0, 1) };
  const { table } = openPageTable(allocPageTable(format), format, { id: 1, spins: 0 }, smallest);
  const device = table.walker(undefined, { tlbEntries: 1 });
  return {
    map: (iovaPage, oaPage, pages, prot) => table.map(iovaPage, oaPage, pages, prot),
    unmap: (iovaPage, pages) => table.unmap(iovaPage, pages),
    sync: () => table.gather.sync(),
    iovaToPhys: (iovaPage) => table.iovaToPhys(iovaPage),
    readDirty: (iovaPage, pages, bitmap) => table.readDirty(iovaPage, pages, bitmap),
    readAndClearDirty: (iovaPage, pages, bitmap) => table.readAndClearDirty(iovaPage, pages, bitmap),
    write: (iovaPage) => void device.access(iovaPage, true),
  };
}

/** Costs of a format's page table, on one thread, of 4 KiB (or the granule's) leaves.
 * @param table costed instead: empty, with the format's granule. What dirtiness costs is left out where the format has none. */
export function pageTableCosts(format: Format, table: CostedTable = openCostedTable(format)): PageTableCost[] {
  const step = 1 << (format.granuleLg2 - 12);
  const pages = LEAVES * step;
  const oa = OA * step;
  const map = (): void => {
    if (table.iovaToPhys(IOVA) === -1) table.map(IOVA, oa, pages, PROT_READ | PROT_WRITE);
  };
  // The neighbour keeps the tables in place, as in a table in use.
  table.map(IOVA + pages, oa + pages, step, PROT_READ);
  const unmap = (): void => {
    for (let page = 0; page < pages; page += pages / 2) table.unmap(IOVA + page, pages / 2);
    table.sync();
  };
  const bitmap = new DirtyBitmap(IOVA, pages);
  const outputs = new Float64Array(1);
  const costs: PageTableCost[] = [
    { name: 'map', operations: LEAVES, before: unmap, run: () => table.map(IOVA, oa, pages, PROT_READ | PROT_WRITE) },
    { name: 'unmap', operations: LEAVES, before: map, run: unmap },
    {
      name: 'walk, every page',
      operations: LEAVES,
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
  const writeAll = (): void => {
    for (let page = 0; page < pages; page += step) table.write(IOVA + page);
  };
  const dirty = (): void => {
    map();
    writeAll();
  };
  costs.push(
    {
      name: 'dirty sweep, nothing dirty',
      operations: LEAVES,
      before: clean,
      run: () => table.readAndClearDirty(IOVA, pages, bitmap),
    },
    {
      name: 'dirty read, all dirty',
      operations: LEAVES,
      before: dirty,
      run: () => table.readDirty(IOVA, pages, bitmap),
    },
    {
      name: 'dirty sweep, all dirty',
      operations: LEAVES,
      before: dirty,
      run: () => table.readAndClearDirty(IOVA, pages, bitmap),
    },
    { name: 'hardware write to a clean page', operations: LEAVES, before: clean, run: writeAll },
  );
  return costs;
}
