// Unmapping: leaves are cleared from the left to the right up to the first hole; tables that the range covers whole are unlinked
// once all below them is cleared.
import { clearEntry, compareExchangeEntry, loadEntry, peekEntry, seenHi } from './entry.ts';
import { EMPTY, TABLE } from './format.ts';
import type { Gather } from './gather.ts';
import { TOP_LEVEL_MASK, TOP_TABLE_SHIFT } from './layout.ts';
import type { TableTree } from './table-tree.ts';

/** Where an unmap is. One a call. */
interface Progress {
  /** First page that is gone: before the range's start only where a format takes the leaf around it. */
  first: number;
  /** Tables unlinked, chained through their descriptors: they join the gather after the range has. */
  tables: number;
}

/** Unmaps a checked range into the gather. @returns the pages unmapped: fewer than asked for at a hole, more where the last leaf
 * was taken whole. */
export function unmapRange(tree: TableTree, iovaPage: number, pages: number, gather: Gather): number {
  const top = tree.topFor(iovaPage, iovaPage + pages - 1);
  const from = top === -1 ? tree.top() : top;
  if (!tree.geometry.reaches(from & TOP_LEVEL_MASK, iovaPage, iovaPage)) return 0;
  // What lies between the halves of sign-extended addresses is a hole: the root's next slot is not the next address.
  const low = tree.geometry.lowPages(from & TOP_LEVEL_MASK);
  const end = iovaPage < low ? Math.min(iovaPage + pages, low) : iovaPage + pages;
  const progress: Progress = { first: iovaPage, tables: 0 };
  const reached = unmapTable(tree, from >>> TOP_TABLE_SHIFT, from & TOP_LEVEL_MASK, iovaPage, end, progress);
  const unmapped = reached - progress.first;
  gather.addRange(progress.first, unmapped);
  for (let table = progress.tables; table !== 0; ) {
    const next = tree.pool.link(table);
    gather.addTable(table);
    table = next;
  }
  return unmapped;
}

/** Unmaps the part of a range that lies in a table. @returns the page up to which all is gone. */
function unmapTable(
  tree: TableTree,
  table: number,
  level: number,
  iovaPage: number,
  end: number,
  progress: Progress,
): number {
  const { format, geometry, entries } = tree;
  const item = geometry.itemPages[level];
  const slots = tree.slots(table);
  let page = iovaPage;
  for (let index = geometry.index(page, level); index < slots && page < end; ) {
    if (level === 0 && page % item === 0) {
      const cleared = clearPages(
        tree,
        tree.at(table, index),
        Math.min(slots - index, Math.floor((end - page) / item)) | 0,
      );
      page += cleared * item;
      index += cleared;
      if (index === slots || page >= end) return page;
    }
    const at = tree.at(table, index);
    const lo = loadEntry(entries, at);
    const hi = seenHi();
    const kind = format.kind(lo, hi, level);
    if (kind === EMPTY) return page;
    if (kind === TABLE) {
      const itemEnd = page - (page % item) + item;
      const below = tree.tableOf(lo, hi);
      const reached = unmapTable(tree, below, level - 1, page, end, progress);
      if (reached < end && reached < itemEnd) return reached;
      if (page % item === 0 && reached >= itemEnd && end >= itemEnd) unlink(tree, at, lo, hi, below, progress);
      page = reached;
      index++;
      continue;
    }
    const leafSlots = tree.leafSlots(lo, hi, level);
    const leafPages = leafSlots * item;
    const into = page % leafPages;
    if (into !== 0) {
      if (format.partialUnmap !== 'whole-leaf-anywhere') return page;
      if (page === progress.first) progress.first = page - into;
    }
    if (page - into + leafPages > end && format.partialUnmap === 'refuse') return page;
    const firstSlot = index - (index % leafSlots);
    // Not atomic as a group: until the invalidation, hardware may use the leaf through a slot that is left. Its owner knows.
    for (let slot = firstSlot; slot < firstSlot + leafSlots; slot++) clearEntry(entries, tree.at(table, slot)); // [D]
    page += leafPages - into;
    index = firstSlot + leafSlots;
  }
  return page;
}

/** Clears level 0 leaves of one slot. @returns how many, up to `count` or what is none. */
function clearPages(tree: TableTree, at: number, count: number): number {
  const { format, geometry, entries } = tree;
  const itemLg2 = geometry.itemLg2[0];
  for (let slot = 0; slot < count; slot++) {
    const lo = peekEntry(entries, at + slot);
    const hi = seenHi();
    if (format.kind(lo, hi, 0) === EMPTY || format.leafLg2(lo, hi, 0) !== itemLg2) return slot;
    clearEntry(entries, at + slot); // [D] pairs with the compare-exchange of sweeps and hardware: theirs fails from here on
  }
  return count;
}

/** Takes a table that is covered whole, and empty now, out of its slot. */
function unlink(tree: TableTree, at: number, lo: number, hi: number, table: number, progress: Progress): void {
  // Whoever unlinks it, frees it: a second caller in the same range, who does not own it, fails here.
  if (!compareExchangeEntry(tree.entries, at, lo, hi, 0, 0)) return;
  tree.pool.setLink(table, progress.tables);
  progress.tables = table;
}
