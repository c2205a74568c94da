// Changing the size of leaves under a live domain: cut makes smaller ones of a large leaf, promote one large leaf of smaller ones.
// Translations stay the same, so hardware may go on with what it cached. Two things must not happen:
//
//   a mark is lost     Hardware may dirty any slot of a large leaf while its slots are being replaced one by one, or a leaf in a table
//                      that is unlinked already, until the invalidation. So what was dirty before or during the change makes all of the
//                      result dirty, and a table that promote has unlinked is looked at again after the sync.
//   undefined results  where the format demands it, the slots are emptied and invalidated first (break before make): accesses fault
//                      in between, and the caller sees to it that there are none, or that they are retried.
import { IommuError } from '@faultline/core/errors';
import { compareExchangeEntry, fillEntry, loadEntry, peekEntry, seenHi, seenLo, takeEntry } from './entry.ts';
import { type Bits, cleaned, dirtied, EMPTY, isDirty, LEAF, TABLE } from './format.ts';
import type { Gather } from './gather.ts';
import { TOP_LEVEL_MASK, TOP_TABLE_SHIFT } from './layout.ts';
import { installLeaf } from './map.ts';
import { forEachTable, type TableTree } from './table-tree.ts';

/** A leaf, and where it is. */
interface Place {
  /** Its first slot. */
  readonly at: number;
  readonly level: number;
  readonly slots: number;
  readonly sizeLg2: number;
  /** Its first input and output page. */
  readonly page: number;
  readonly oaPage: number;
  /** As they are. */
  readonly attributes: Bits;
  /** Accessed and clean, as if: what two leaves must have alike to be merged. */
  readonly kin: Bits;
}

/** Cuts the leaf at a page into leaves of the next smaller size. Its range is invalidated, walk caches too, by the gather's next
 * sync. @returns log2 of the new size in bytes, 0 when the leaf is of the smallest already.
 * @throws IommuError ENOENT nothing is mapped there, ENOMEM. */
export function cutLeaf(tree: TableTree, page: number, gather: Gather): number {
  const place = findLeaf(tree, page);
  if (place === undefined) throw new IommuError('ENOENT', 'cut', 'iovaPage', page, 'is not mapped');
  const { format, geometry, entries } = tree;
  const smaller = format.sizesLg2.filter((lg2) => lg2 < place.sizeLg2).at(-1);
  if (smaller === undefined) return 0;
  const level = geometry.levelOf(smaller);
  const leafPages = geometry.sizePages[place.sizeLg2];
  const item = geometry.itemPages[place.level];
  const tables = level < place.level ? allocTables(tree, place.slots) : [];
  gather.addRange(place.page, leafPages);
  gather.addWalkCaches();
  let dirty = isLeafDirty(tree, place);
  if (format.breakBeforeMake) {
    for (let slot = 0; slot < place.slots; slot++) dirty = wasDirty(tree, takeEntry(entries, place.at + slot)) || dirty;
    gather.sync();
  }
  const attributes = withDirt(tree, place.attributes, dirty);
  let late = false;
  for (let slot = 0; slot < place.slots; slot++) {
    const oaPage = place.oaPage + slot * item;
    const table = tables[slot];
    let replacement: Bits;
    if (table === undefined) {
      const perLeaf = geometry.slotsOf(smaller, level);
      const within = format.replicated ? slot - (slot % perLeaf) : slot;
      replacement = leafBits(tree, place.oaPage + within * item, smaller, level, attributes);
    } else {
      fillTable(tree, table, level, oaPage, smaller, attributes);
      const address = tree.tablePage(table);
      replacement = { lo: format.tableLo(address, place.level), hi: format.tableHi(address, place.level) };
    }
    late = replaceSlot(tree, place.at + slot, replacement) || late;
  }
  if (late && !dirty) dirtyRange(tree, place.page, leafPages);
  return smaller;
}

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

/** Whether a rule says that the leaf's dirtiness can be read. */
function tracks(tree: TableTree, hi: number): boolean {
  const { dirty } = tree.format;
  return dirty !== undefined && (hi & dirty.mask.hi) === dirty.value.hi;
}

/** Whether the entry that was read last, with this low half, is dirty. */
function wasDirty({ format }: TableTree, lo: number): boolean {
  return format.dirty !== undefined && isDirty(format.dirty, lo, seenHi());
}

/** A leaf's attributes, clean or dirty. Leaves whose dirtiness cannot be read stay as they are. */
function withDirt(tree: TableTree, { lo, hi }: Bits, dirty: boolean): Bits {
  const rule = tree.format.dirty;
  if (rule === undefined || !tracks(tree, hi)) return { lo, hi };
  return { lo: dirty ? dirtied(rule, lo) : cleaned(rule, lo), hi };
}

function masked({ format }: TableTree, lo: number, hi: number): Bits {
  return { lo: lo & format.attributeMask.lo, hi: hi & format.attributeMask.hi };
}

function leafBits({ format }: TableTree, page: number, sizeLg2: number, level: number, attributes: Bits): Bits {
  return {
    lo: format.leafLo(page, sizeLg2, level) | attributes.lo,
    hi: format.leafHi(page, sizeLg2, level) | attributes.hi,
  };
}

function allocTables(tree: TableTree, count: number): number[] {
  const tables: number[] = [];
  try {
    while (tables.length < count) tables.push(tree.alloc());
  } catch (error) {
    for (const table of tables) tree.pool.free(table); // never linked
    throw error;
  }
  return tables;
}

/** Fills a table that nobody sees yet with leaves. */
function fillTable(
  tree: TableTree,
  table: number,
  level: number,
  oaPage: number,
  sizeLg2: number,
  attributes: Bits,
): void {
  const { format, geometry, entries } = tree;
  const perLeaf = geometry.slotsOf(sizeLg2, level);
  for (let slot = 0; slot < geometry.slots; slot++) {
    const within = format.replicated ? slot - (slot % perLeaf) : slot;
    const { lo, hi } = leafBits(tree, oaPage + within * geometry.itemPages[level], sizeLg2, level, attributes);
    fillEntry(entries, tree.at(table, slot), lo, hi);
  }
}

/** Puts an entry in a slot whatever marks hardware makes meanwhile. A table that was there is noted.
 * @returns whether what it replaced was a dirty leaf. */
function replaceSlot(tree: TableTree, at: number, { lo, hi }: Bits, level = 0, unlinked?: number[]): boolean {
  for (;;) {
    const seen = loadEntry(tree.entries, at);
    const seenHigh = seenHi();
    if (!compareExchangeEntry(tree.entries, at, seen, seenHigh, lo, hi)) continue;
    if (unlinked !== undefined && tree.format.kind(seen, seenHigh, level) === TABLE) {
      unlinked.push(tree.tableOf(seen, seenHigh));
      return false;
    }
    return tree.format.dirty !== undefined && isDirty(tree.format.dirty, seen, seenHigh);
  }
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

/** The leaf at a page. */
function findLeaf(tree: TableTree, page: number): Place | undefined {
  const { format, geometry, entries } = tree;
  const top = tree.topFor(page, page);
  if (top === -1) return undefined;
  let table = top >>> TOP_TABLE_SHIFT;
  for (let level = top & TOP_LEVEL_MASK; ; level--) {
    const index = geometry.index(page, level);
    const lo = loadEntry(entries, tree.at(table, index));
    const hi = seenHi();
    const kind = format.kind(lo, hi, level);
    if (kind === EMPTY) return undefined;
    if (kind === TABLE) {
      table = tree.tableOf(lo, hi);
      continue;
    }
    const slots = tree.leafSlots(lo, hi, level);
    const item = geometry.itemPages[level];
    const into = index % slots;
    const itemOa = format.leafPage(lo, hi, level);
    return {
      at: tree.at(table, index - into),
      level,
      slots,
      sizeLg2: geometry.itemLg2[level] + Math.log2(slots),
      page: page - (page % (slots * item)),
      oaPage: format.replicated ? itemOa : itemOa - into * item,
      attributes: masked(tree, lo, hi),
      kin: withDirt(tree, masked(tree, format.marked(lo, hi, false), hi), false),
    };
  }
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

function isLeafDirty(tree: TableTree, { at, slots }: Place): boolean {
  for (let slot = 0; slot < slots; slot++) if (wasDirty(tree, peekEntry(tree.entries, at + slot))) return true;
  return false;
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

/** Makes every leaf of a range dirty, by its first slot. */
function dirtyRange(tree: TableTree, page: number, pages: number): void {
  const rule = tree.format.dirty;
  if (rule === undefined) return;
  for (let at = page; at < page + pages; ) {
    const leaf = findLeaf(tree, at);
    if (leaf === undefined) return;
    for (let lo = loadEntry(tree.entries, leaf.at), hi = seenHi(); tracks(tree, hi); lo = seenLo(), hi = seenHi())
      if (compareExchangeEntry(tree.entries, leaf.at, lo, hi, dirtied(rule, lo), hi)) break;
    at = leaf.page + tree.geometry.sizePages[leaf.sizeLg2];
  }
}
