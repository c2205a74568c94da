// The way from an input address to an output address, with plain reads: a moment's truth. The tables stay in place because the
// thread is online in their RCU.
import { peekEntry, seenHi } from './entry.ts';
import { LEAF, TABLE } from './format.ts';
import { TOP_LEVEL_MASK, TOP_TABLE_SHIFT } from './layout.ts';
import type { TableTree } from './table-tree.ts';

/** Nothing is mapped there. */
export const NOT_MAPPED = -1;

/** @returns the output page, or {@link NOT_MAPPED}. */
export function lookUp(tree: TableTree, page: number): number {
  const { format, geometry, entries } = tree;
  const { slots } = geometry;
  const top = tree.topFor(page, page);
  if (top === -1) return NOT_MAPPED;
  let level = top & TOP_LEVEL_MASK;
  let lo = peekEntry(entries, (top >>> TOP_TABLE_SHIFT) * slots + geometry.index(page, level)); // [C]
  let hi = seenHi();
  while (format.kind(lo, hi, level) === TABLE) {
    level--;
    lo = peekEntry(entries, tree.tableOf(lo, hi) * slots + geometry.index(page, level)); // [C]
    hi = seenHi();
  }
  return format.kind(lo, hi, level) === LEAF ? outputPage(tree, lo, hi, level, page) : NOT_MAPPED;
}

/** The output page of an address that a leaf's slot maps. */
export function outputPage(tree: TableTree, lo: number, hi: number, level: number, page: number): number {
  const { format, geometry } = tree;
  const pages = format.replicated ? geometry.sizePages[format.leafLg2(lo, hi, level)] : geometry.itemPages[level];
  const base = format.leafPage(lo, hi, level);
  return pages === 1 ? base : base + (page % pages);
}
