// What cut and promote share: changing the size of leaves under a live domain. Translations stay the same, so hardware may go on with
// what it cached. Two things must not happen:
//
//   a mark is lost     Hardware may dirty any slot of a large leaf while its slots are being replaced one by one, or a leaf in a table
//                      that is unlinked already, until the invalidation. So what was dirty before or during the change makes all of the
//                      result dirty, and a table that promote has unlinked is looked at again after the sync.
//   undefined results  where the format demands it, the slots are emptied and invalidated first (break before make): accesses fault
//                      in between, and the caller sees to it that there are none, or that they are retried.
import { compareExchangeEntry, loadEntry, peekEntry, seenHi, seenLo } from './entry.ts';
import { type Bits, cleaned, dirtied, EMPTY, isDirty, TABLE } from './format.ts';
import { TOP_LEVEL_MASK, TOP_TABLE_SHIFT } from './layout.ts';
import type { TableTree } from './table-tree.ts';

/** A leaf, and where it is. */
export interface Place {
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

/** The leaf at a page. */
export function findLeaf(tree: TableTree, page: number): Place | undefined {
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

/** Whether a rule says that the leaf's dirtiness can be read. */
function tracks(tree: TableTree, hi: number): boolean {
  const { dirty } = tree.format;
  return dirty !== undefined && (hi & dirty.mask.hi) === dirty.value.hi;
}

/** Whether the entry that was read last, with this low half, is dirty. */
export function wasDirty({ format }: TableTree, lo: number): boolean {
  return format.dirty !== undefined && isDirty(format.dirty, lo, seenHi());
}

/** A leaf's attributes, clean or dirty. Leaves whose dirtiness cannot be read stay as they are. */
export function withDirt(tree: TableTree, { lo, hi }: Bits, dirty: boolean): Bits {
  const rule = tree.format.dirty;
  if (rule === undefined || !tracks(tree, hi)) return { lo, hi };
  return { lo: dirty ? dirtied(rule, lo) : cleaned(rule, lo), hi };
}

function masked({ format }: TableTree, lo: number, hi: number): Bits {
  return { lo: lo & format.attributeMask.lo, hi: hi & format.attributeMask.hi };
}

export function leafBits({ format }: TableTree, page: number, sizeLg2: number, level: number, attributes: Bits): Bits {
  return {
    lo: format.leafLo(page, sizeLg2, level) | attributes.lo,
    hi: format.leafHi(page, sizeLg2, level) | attributes.hi,
  };
}

/** Puts an entry in a slot whatever marks hardware makes meanwhile. A table that was there is noted.
 * @returns whether what it replaced was a dirty leaf. */
export function replaceSlot(tree: TableTree, at: number, { lo, hi }: Bits, level = 0, unlinked?: number[]): boolean {
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

export function isLeafDirty(tree: TableTree, { at, slots }: Place): boolean {
  for (let slot = 0; slot < slots; slot++) if (wasDirty(tree, peekEntry(tree.entries, at + slot))) return true;
  return false;
}

/** Makes every leaf of a range dirty, by its first slot. */
export function dirtyRange(tree: TableTree, page: number, pages: number): void {
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
