// Several leaves become one: tables below its slots are unlinked, and looked at once more when hardware is out of them.
import { IommuError } from '@faultline/core/errors';
import { loadEntry, seenHi, takeEntry } from './entry.ts';
import { isDirty, LEAF, TABLE } from './format.ts';
import type { Gather } from './gather.ts';
import { TOP_LEVEL_MASK, TOP_TABLE_SHIFT } from './layout.ts';
import { installLeaf } from './map.ts';
import { dirtyRange, findLeaf, isLeafDirty, leafBits, type Place, replaceSlot, wasDirty, withDirt } from './resize.ts';
import { forEachTable, type TableTree } from './table-tree.ts';

/** Merges what is mapped from `page` on into one leaf, if it is contiguous, alike and aligned. The gather is synced: once before,
 * where break before make is demanded, and once after. @returns false when it cannot be merged: nothing is changed then. */
export function promoteRange(tree: TableTree, page: number, sizeLg2: number, gather: Gather): boolean {
  const { format, geometry, entries } = tree;
  const pages = geometry.sizePages[sizeLg2];
  if (!format.sizesLg2.includes(sizeLg2) || page % pages !== 0)
    throw new IommuError('EINVAL', 'promote', 'sizeLg2', sizeLg2, `no leaf of ${format.name} at page ${page}`);
  const level = geometry.levelOf(sizeLg2);
  const first = findLeaf(tree, page);
  if (first === undefined || first.page !== page || first.sizeLg2 >= sizeLg2 || first.oaPage % pages !== 0)
    return false;
  const table = tableAt(tree, page, level);
  if (table === 0) return false;
  const at = tree.at(table, geometry.index(page, level));
  const slots = geometry.slotsOf(sizeLg2, level);
  if (!isUniform(tree, page, pages, first)) return false;

  const merged = isRangeAccessed(tree, page, pages) ? first.kin : first.attributes;
  let dirty = isRangeDirty(tree, page, pages);
  gather.addRange(page, pages);
  gather.addWalkCaches();
  const unlinked: number[] = [];
  if (format.breakBeforeMake) {
    for (let slot = 0; slot < slots; slot++) {
      const lo = takeEntry(entries, at + slot);
      const hi = seenHi();
      if (format.kind(lo, hi, level) === TABLE) unlinked.push(tree.tableOf(lo, hi));
      else dirty = wasDirty(tree, lo) || dirty;
    }
    // Not the gather's own sync: the tables join it only when they have been looked at.
    gather.sync();
    for (const below of unlinked) dirty = isTableDirty(tree, below, level - 1) || dirty;
    installLeaf(tree, at, slots, level, first.oaPage, sizeLg2, withDirt(tree, merged, dirty));
  } else {
    const attributes = withDirt(tree, merged, dirty);
    for (let slot = 0; slot < slots; slot++) {
      const replacement = leafBits(
        tree,
        first.oaPage + (format.replicated ? 0 : slot * geometry.itemPages[level]),
        sizeLg2,
        level,
        attributes,
      );
      dirty = replaceSlot(tree, at + slot, replacement, level, unlinked) || dirty;
    }
  }
  for (const below of unlinked) forEachTable(tree, below, level - 1, (one) => gather.addTable(one));
  gather.addRange(page, pages);
  gather.sync();
  // Hardware is out of the tables now, and no thread's grace period is over before this one is quiescent.
  for (const below of unlinked) dirty = isTableDirty(tree, below, level - 1) || dirty;
  if (dirty) dirtyRange(tree, page, pages);
  return true;
}

/** The table of a level at a page, 0 when the way there ends above it. */
function tableAt(tree: TableTree, page: number, level: number): number {
  const top = tree.topFor(page, page);
  if (top === -1 || (top & TOP_LEVEL_MASK) < level) return 0;
  let table = top >>> TOP_TABLE_SHIFT;
  for (let above = top & TOP_LEVEL_MASK; above > level; above--) {
    const lo = loadEntry(tree.entries, tree.at(table, tree.geometry.index(page, above)));
    const hi = seenHi();
    if (tree.format.kind(lo, hi, above) !== TABLE) return 0;
    table = tree.tableOf(lo, hi);
  }
  return table;
}

/** Whether a range is mapped without a gap, in order, with the attributes of its first leaf. */
function isUniform(tree: TableTree, page: number, pages: number, first: Place): boolean {
  for (let at = page; at < page + pages; ) {
    const leaf = findLeaf(tree, at);
    if (leaf === undefined || leaf.page !== at) return false;
    if (leaf.kin.lo !== first.kin.lo || leaf.kin.hi !== first.kin.hi) return false;
    if (leaf.oaPage !== first.oaPage + (at - page)) return false;
    at += tree.geometry.sizePages[leaf.sizeLg2];
  }
  return true;
}

function isRangeDirty(tree: TableTree, page: number, pages: number): boolean {
  for (let at = page; at < page + pages; ) {
    const leaf = findLeaf(tree, at);
    if (leaf === undefined) return false;
    if (isLeafDirty(tree, leaf)) return true;
    at += tree.geometry.sizePages[leaf.sizeLg2];
  }
  return false;
}

function isRangeAccessed(tree: TableTree, page: number, pages: number): boolean {
  const { marked } = tree.format;
  for (let at = page; at < page + pages; ) {
    const leaf = findLeaf(tree, at);
    if (leaf === undefined) return false;
    const { lo, hi } = leaf.attributes;
    if (marked(lo, hi, false) === lo) return true;
    at = leaf.page + tree.geometry.sizePages[leaf.sizeLg2];
  }
  return false;
}

function isTableDirty(tree: TableTree, table: number, level: number): boolean {
  const { format, geometry, entries } = tree;
  for (let slot = 0; slot < geometry.slots; slot++) {
    const lo = loadEntry(entries, tree.at(table, slot));
    const hi = seenHi();
    const kind = format.kind(lo, hi, level);
    if (kind === TABLE && isTableDirty(tree, tree.tableOf(lo, hi), level - 1)) return true;
    if (kind === LEAF && format.dirty !== undefined && isDirty(format.dirty, lo, hi)) return true;
  }
  return false;
}
