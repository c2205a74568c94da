// The way from an input address to an output address, with plain reads: a moment's truth. The tables stay in place because the
// thread is online in their RCU.
import { peekEntry, seenHi } from './entry.ts';
import { LEAF, TABLE } from './format.ts';
import { within } from './geometry.ts';
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
  let table = top >>> TOP_TABLE_SHIFT;
  for (let level = top & TOP_LEVEL_MASK; ; level--) {
    const lo = peekEntry(entries, table * slots + geometry.index(page, level)); // [C]
    const hi = seenHi();
    const kind = format.kind(lo, hi, level);
    if (kind !== TABLE) return kind === LEAF ? outputPage(tree, lo, hi, level, page) : NOT_MAPPED;
    table = tree.tableOf(lo, hi);
  }
}

/** The output page of an address that a leaf's slot maps. */
export function outputPage(tree: TableTree, lo: number, hi: number, level: number, page: number): number {
  const { format, geometry } = tree;
  const pages = format.replicated ? geometry.sizePages[format.leafLg2(lo, hi, level)] : geometry.itemPages[level];
  const base = format.leafPage(lo, hi, level);
  return base + within(page, pages);
}
