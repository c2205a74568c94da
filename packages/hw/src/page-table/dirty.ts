// The dirty sweep: which leaves did hardware write through, and from now on again? It takes no lock against map and unmap: it owns
// no range, so whatever it finds may be replaced at any moment. Three ways to clean a leaf are here, to be compared:
//
//   compare-exchange  of the whole entry. Fails when anything moved; the sweep looks again. The one to use.
//   test-and-clear    of the one bit, in whatever is there. Right while nobody replaces the entry: else the bit cleared is another
//                     mapping's, and is reported with the old one's size. On an empty Arm slot it leaves a bit behind.
//   load-store        plain load, mask, store, as VT-d's and AMD's drivers do under their caller's lock. Without that lock it revives
//                     entries that are gone, and loses marks that hardware made in between.
//
// Nothing dirty is lost: a leaf is cleaned and then reported by the thread that cleaned it, and a leaf that the request covers in
// part is reported but stays dirty. (Linux cleans it whole, and reports from the request's start.) Hardware may have dirtied any one
// slot of a large leaf, so all of them count and all are cleaned. Writes through translations that hardware cached before the sweep
// leave no mark until the invalidation: that they count as reported is the caller's to say, after Gather.sync.
import { IommuError } from '@faultline/core/errors';
import type { DirtyBitmap } from './dirty-bitmap.ts';
import {
  clearBitsOfEntry,
  compareExchangeEntry,
  type Entries,
  peekEntry,
  seenHi,
  seenLo,
  setBitsOfEntry,
  storeEntry,
} from './entry.ts';
import { cleaned, type DirtyRule, isDirty, LEAF, TABLE } from './format.ts';
import type { Gather } from './gather.ts';
import { TOP_LEVEL_MASK, TOP_TABLE_SHIFT } from './layout.ts';
import type { TableTree } from './table-tree.ts';

export type CleanMethod = 'compare-exchange' | 'test-and-clear' | 'load-store';

/** One request under way. */
interface Sweep {
  readonly tree: TableTree;
  readonly rule: DirtyRule;
  readonly from: number;
  readonly end: number;
  readonly bitmap: DirtyBitmap | undefined;
  /** Only report. */
  readonly keep: boolean;
  readonly method: CleanMethod;
  /** Range of the leaves that were cleaned. */
  first: number;
  last: number;
  /** Leaves found dirty. */
  dirty: number;
}

/** Sweeps a checked range. Without a gather it only reports. @returns the dirty leaves found.
 * @throws IommuError EOPNOTSUPP the format has no dirty tracking. */
export function sweepRange(
  tree: TableTree,
  iovaPage: number,
  pages: number,
  bitmap: DirtyBitmap | undefined,
  gather: Gather | undefined,
  method: CleanMethod,
): number {
  const { dirty: rule, name } = tree.format;
  if (rule === undefined) throw new IommuError('EOPNOTSUPP', 'readDirty', 'format', name, 'offers no dirty tracking');
  const end = iovaPage + pages;
  const top = tree.topFor(iovaPage, end - 1);
  const from = top === -1 ? tree.top() : top;
  const keep = gather === undefined;
  const sweep: Sweep = { tree, rule, from: iovaPage, end, bitmap, keep, method, first: end, last: -1, dirty: 0 };
  const root = from >>> TOP_TABLE_SHIFT;
  const level = from & TOP_LEVEL_MASK;
  // Between the halves of sign-extended addresses is a hole like others, but the root's next slot is not the next address.
  const low = tree.geometry.lowPages(level);
  const high = Math.max(tree.geometry.highStart(level), iovaPage);
  if (iovaPage < low) sweepTable(sweep, root, level, iovaPage, Math.min(end, low));
  if (high < end) sweepTable(sweep, root, level, high, end);
  if (gather !== undefined && sweep.last >= 0) gather.addRange(sweep.first, sweep.last - sweep.first + 1);
  return sweep.dirty;
}

/** Sweeps the part of a range that lies in a table. Holes are stepped over. */
function sweepTable(sweep: Sweep, table: number, level: number, iovaPage: number, end: number): void {
  const { tree, rule } = sweep;
  const { format, geometry, entries } = tree;
  const item = geometry.itemPages[level];
  const index = geometry.index(iovaPage, level);
  const first = tree.at(table, index);
  const page = iovaPage - (iovaPage % item);
  const slots = Math.min(tree.slots(table) - index, Math.ceil((end - page) / item)) | 0; // an integer to V8 as well
  // A leaf that begins before the range, or ends after it, may have its mark on a slot outside.
  let slot = 0 - slotsBefore(tree, first, index, level); // never -0, which is no integer to V8
  while (slot < slots) {
    if (level === 0) {
      slot = nextDirty(entries, first, slot, slots, rule);
      if (slot === slots) break;
    }
    const lo = peekEntry(entries, first + slot);
    const hi = seenHi();
    const kind = format.kind(lo, hi, level);
    if (kind === LEAF && isDirty(rule, lo, hi)) {
      slot = cleanLeaf(sweep, first, slot, index, page, level, lo, hi);
      continue;
    }
    if (kind === TABLE) {
      const itemPage = page + slot * item;
      const from = Math.max(itemPage, iovaPage);
      sweepTable(sweep, tree.tableOf(lo, hi), level - 1, from, Math.min(end, itemPage + item));
    }
    slot++;
  }
  // Not where the last leaf was reported already: it ends after the range, by one of its other slots.
  if (slots > 0 && slot === slots) sweepTail(sweep, first, slots - 1, index, page, level);
}

/** The first slot from `slot` on that looks dirty: where a sweep spends its time. @returns `slots` for none. */
function nextDirty(entries: Entries, first: number, slot: number, slots: number, { mask, value }: DirtyRule): number {
  const { lo: maskLo, hi: maskHi } = mask;
  const { lo: valueLo, hi: valueHi } = value;
  const end = first + slots;
  let at = first + slot;
  // One way out of the loop, and both halves at once: a branch that was never taken makes V8's code three times as slow.
  while (at < end && (((peekEntry(entries, at) & maskLo) ^ valueLo) | ((seenHi() & maskHi) ^ valueHi)) !== 0) at++;
  return at - first;
}

/** Looks at the slots after the range's end, of a leaf that the range ends in. */
function sweepTail(sweep: Sweep, first: number, slot: number, index: number, page: number, level: number): void {
  const { tree, rule } = sweep;
  const lo = peekEntry(tree.entries, first + slot);
  const hi = seenHi();
  if (tree.format.kind(lo, hi, level) !== LEAF || isDirty(rule, lo, hi)) return;
  const slots = tree.leafSlots(lo, hi, level);
  const lastSlot = slot - ((index + slot) % slots) + slots - 1;
  for (let tail = slot + 1; tail <= lastSlot; tail++) {
    const tailLo = peekEntry(tree.entries, first + tail);
    const tailHi = seenHi();
    if (!isDirty(rule, tailLo, tailHi) || tree.format.kind(tailLo, tailHi, level) !== LEAF) continue;
    cleanLeaf(sweep, first, tail, index, page, level, tailLo, tailHi);
    return;
  }
}

/** How many slots of the leaf at a slot come before it. */
function slotsBefore(tree: TableTree, at: number, index: number, level: number): number {
  const lo = peekEntry(tree.entries, at);
  const hi = seenHi();
  if (tree.format.kind(lo, hi, level) !== LEAF) return 0;
  const slots = tree.leafSlots(lo, hi, level);
  return index % slots;
}

/** Reports, and cleans, the leaf that a dirty slot belongs to. `slot` counts from `first`, which maps `page` at `index`.
 * @returns the slot to go on with: the same, when it is to be looked at again. */
function cleanLeaf(
  sweep: Sweep,
  first: number,
  slot: number,
  index: number,
  page: number,
  level: number,
  lo: number,
  hi: number,
): number {
  const { tree, bitmap } = sweep;
  const item = tree.geometry.itemPages[level];
  const slots = tree.leafSlots(lo, hi, level);
  const firstSlot = slots === 1 ? slot : slot - ((index + slot) % slots);
  const leafPage = page + firstSlot * item;
  const leafEnd = leafPage + slots * item;
  const covered = leafPage >= sweep.from && leafEnd <= sweep.end;
  if (!sweep.keep && covered) {
    if (!cleanSlot(sweep, first + slot, level, lo, hi)) return slot;
    for (let other = firstSlot; slots > 1 && other < firstSlot + slots; other++)
      cleanIfDirty(sweep, first + other, level, slots);
    if (leafPage < sweep.first) sweep.first = leafPage;
    if (leafEnd - 1 > sweep.last) sweep.last = leafEnd - 1;
  }
  sweep.dirty++;
  if (bitmap !== undefined) bitmap.set(Math.max(leafPage, sweep.from), Math.min(leafEnd, sweep.end));
  return firstSlot + slots;
}

/** Cleans a slot of a leaf that is being reported: until it is clean, no leaf, or of a larger leaf than is reported. */
function cleanIfDirty(sweep: Sweep, at: number, level: number, slots: number): void {
  const { tree, rule } = sweep;
  for (;;) {
    const lo = peekEntry(tree.entries, at);
    const hi = seenHi();
    if (!isDirty(rule, lo, hi) || tree.format.kind(lo, hi, level) !== LEAF) return;
    if (tree.leafSlots(lo, hi, level) > slots) return;
    if (cleanSlot(sweep, at, level, lo, hi)) return;
  }
}

/** @returns false when the slot was no longer what the caller saw: look again. */
function cleanSlot({ tree, rule, method }: Sweep, at: number, level: number, lo: number, hi: number): boolean {
  const { format, entries } = tree;
  if (method === 'compare-exchange') return compareExchangeEntry(entries, at, lo, hi, cleaned(rule, lo), hi);
  if (method === 'load-store') {
    storeEntry(entries, at, cleaned(rule, lo), hi);
    return true;
  }
  if (rule.inverted) setBitsOfEntry(entries, at, rule.bit);
  else clearBitsOfEntry(entries, at, rule.bit);
  // Reported as the leaf that the caller saw, though another may have been cleaned: what this way cannot do.
  return isDirty(rule, seenLo(), seenHi()) && format.kind(seenLo(), seenHi(), level) === LEAF;
}
