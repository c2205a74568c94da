// The way from an input address to an output address, with plain reads: a moment's truth. The tables stay in place because the
// thread is online in their RCU.
import { peekEntry, seenHi } from './entry.ts';
import { LEAF, PAGE_LG2, TABLE } from './format.ts';
import { LOW_PAGES, within } from './geometry.ts';
import { TOP_LEVEL_MASK, TOP_TABLE_SHIFT } from './layout.ts';
import type { TableTree } from './table-tree.ts';

/** Nothing is mapped there. */
export const NOT_MAPPED = -1;

/** @returns the output page, or {@link NOT_MAPPED}. */
export function lookUp(tree: TableTree, page: number): number {
  const top = tree.topFor(page, page);
  if (top === -1) return NOT_MAPPED;
  return page <= LOW_PAGES ? lookUpLow(tree, page, top) : lookUpHigh(tree, page, top);
}

/** Low addresses: their slots by shifts of 32 bits, kept as the walk goes. Half the time of the general way. */
function lookUpLow(tree: TableTree, page: number, top: number): number {
  const { format, geometry, entries } = tree;
  const { indexLg2 } = format;
  const { slots } = geometry;
  const mask = slots - 1;
  let level = top & TOP_LEVEL_MASK;
  let shift = geometry.itemLg2[level] - PAGE_LG2;
  // No mask at the root: joined tables have more slots, and the address is known to be in reach.
  let at = (top >>> TOP_TABLE_SHIFT) * slots + (shift > 31 ? 0 : page >>> shift);
  for (;;) {
    const lo = peekEntry(entries, at); // [C]
    const hi = seenHi();
    const kind = format.kind(lo, hi, level);
    if (kind !== TABLE) return kind === LEAF ? outputPage(tree, lo, hi, level, page) : NOT_MAPPED;
    level--;
    shift -= indexLg2;
    at = tree.tableOf(lo, hi) * slots + (shift > 31 ? 0 : (page >>> shift) & mask);
  }
}

function lookUpHigh(tree: TableTree, page: number, top: number): number {
  const { format, geometry, entries } = tree;
  let table = top >>> TOP_TABLE_SHIFT;
  for (let level = top & TOP_LEVEL_MASK; ; level--) {
    const lo = peekEntry(entries, tree.at(table, geometry.index(page, level))); // [C]
    const hi = seenHi();
    const kind = format.kind(lo, hi, level);
    if (kind !== TABLE) return kind === LEAF ? outputPage(tree, lo, hi, level, page) : NOT_MAPPED;
    table = tree.tableOf(lo, hi);
  }
}

/** The output page of an address that a leaf's slot maps. */
export function outputPage(
  tree: Pick<TableTree, 'format' | 'geometry'>,
  lo: number,
  hi: number,
  level: number,
  page: number,
): number {
  const { format, geometry } = tree;
  const pages = format.replicated ? geometry.sizePages[format.leafLg2(lo, hi, level)] : geometry.itemPages[level];
  const base = format.leafPage(lo, hi, level);
  return base + within(page, pages);
}
