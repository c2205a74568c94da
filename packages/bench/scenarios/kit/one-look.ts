// Cut and promote as one would write them first, and wrongly: how dirty what is replaced was is looked at once, at the beginning.
import { type Bits, loadEntry, PAGE_LG2, seenHi, storeEntry } from '@faultline/hw/page-table';
import { OUTPUT, type TableThread } from './page-tables.ts';

type Pages = readonly [first: number, pages: number];

/** Attributes of all slots from `at` on, dirtiness included. */
function look({ table: { tree } }: TableThread, at: number, slots: number): Bits {
  const { entries, format } = tree;
  let [lo, hi] = [0, 0];
  for (let slot = 0; slot < slots; slot++) {
    lo |= loadEntry(entries, at + slot) & format.attributeMask.lo;
    hi |= seenHi() & format.attributeMask.hi;
  }
  return { lo, hi };
}

function storeLeaf(
  { table: { tree } }: TableThread,
  at: number,
  page: number,
  sizeLg2: number,
  { lo, hi }: Bits,
): void {
  const { entries, format, geometry } = tree;
  const level = geometry.levelOf(sizeLg2);
  const output = OUTPUT + page;
  storeEntry(entries, at, format.leafLo(output, sizeLg2, level) | lo, format.leafHi(output, sizeLg2, level) | hi);
}

/** A block in the root becomes a table of pages. */
export function cutToTable(own: TableThread, [first, pages]: Pages): void {
  const { tree } = own.table;
  const at = own.rootSlot(first);
  const attributes = look(own, at, 1);
  const table = own.pool.alloc();
  for (let page = first; page < first + pages; page++)
    storeLeaf(own, tree.at(table, tree.geometry.index(page, 0)), page, PAGE_LG2, attributes);
  const address = tree.tablePage(table);
  storeEntry(tree.entries, at, tree.format.tableLo(address, 1), tree.format.tableHi(address, 1));
  own.iotlb.sync();
}

/** And a table of pages a block. */
export function promoteTable(own: TableThread, [first, pages]: Pages): void {
  const { tree, gather } = own.table;
  const at = own.rootSlot(first);
  const table = tree.tableOf(loadEntry(tree.entries, at), seenHi());
  storeLeaf(own, at, first, PAGE_LG2 + Math.log2(pages), look(own, tree.at(table, 0), pages));
  gather.addRange(first, pages);
  gather.addTable(table);
  gather.sync();
}

/** A leaf in several slots of the root becomes one a slot. */
export function cutCopies(own: TableThread, [first, pages]: Pages): void {
  const at = own.rootSlot(first);
  const attributes = look(own, at, pages);
  for (let slot = 0; slot < pages; slot++) storeLeaf(own, at + slot, first + slot, PAGE_LG2, attributes);
  own.iotlb.sync();
}

/** And those one leaf again. */
export function promoteCopies(own: TableThread, [first, pages]: Pages): void {
  const at = own.rootSlot(first);
  const attributes = look(own, at, pages);
  for (let slot = 0; slot < pages; slot++) storeLeaf(own, at + slot, first, PAGE_LG2 + Math.log2(pages), attributes);
  own.iotlb.sync();
}
