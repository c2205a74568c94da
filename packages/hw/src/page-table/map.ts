// Mapping: the largest leaves that address, output address and length allow, each slot taken by one compare-exchange.
import { IommuError } from '@faultline/core/errors';
import { compareExchangeEntry, installEntry, loadEntry, seenHi, seenLo, takeEntry } from './entry.ts';
import { type Bits, EMPTY, TABLE } from './format.ts';
import type { Gather } from './gather.ts';
import { NO_SIZE } from './geometry.ts';
import { forEachTable, inUse, isEmptyTable, type TableTree } from './table-tree.ts';
import { unmapRange } from './unmap.ts';

/** Maps a checked range, whole or not at all. Tables that it found empty and replaced by leaves are in the gather.
 * @throws IommuError ENXIO, EADDRINUSE, ERANGE, ENOMEM */
export function mapRange(
  tree: TableTree,
  iovaPage: number,
  oaPage: number,
  pages: number,
  attributes: Bits,
  gather: Gather,
): void {
  let done = 0;
  try {
    while (done < pages)
      done += mapRun(tree, iovaPage + done, oaPage + done, pages - done, iovaPage + pages - 1, attributes, gather);
  } catch (error) {
    if (done > 0) unmapRange(tree, iovaPage, done, gather);
    throw error;
  }
}

/** Maps leaves of one size in one table. @returns the pages mapped. */
function mapRun(
  tree: TableTree,
  iovaPage: number,
  oaPage: number,
  pages: number,
  last: number,
  attributes: Bits,
  gather: Gather,
): number {
  const { geometry } = tree;
  const sizeLg2 = geometry.bestSizeLg2(iovaPage, oaPage, pages);
  if (sizeLg2 === NO_SIZE)
    throw new IommuError('ENXIO', 'map', 'pages', pages, `no leaf of ${tree.format.name} is as small or as aligned`);
  const level = geometry.levelOf(sizeLg2);
  const table = tree.tableFor(iovaPage, last, level);
  const first = geometry.index(iovaPage, level);
  const slotsOfLeaf = geometry.slotsOf(sizeLg2, level);
  const room = (tree.slots(table) - first) / slotsOfLeaf;
  const leaves = Math.min(geometry.run(sizeLg2, iovaPage, oaPage, pages), room) | 0;
  const leafPages = geometry.sizePages[sizeLg2];
  const mapped =
    slotsOfLeaf === 1 && level === 0
      ? installPages(tree, tree.at(table, first), leaves, oaPage, leafPages, sizeLg2, attributes)
      : installLeaves(tree, table, first, leaves, level, iovaPage, oaPage, sizeLg2, attributes, gather);
  if (mapped < leaves) {
    // What this run mapped is ours, and goes again with the rest.
    if (mapped > 0) unmapRange(tree, iovaPage, mapped * leafPages, gather);
    throw inUse(iovaPage + mapped * leafPages);
  }
  return leaves * leafPages;
}

/** Installs level 0 leaves of one slot each. @returns how many, up to the first slot that is taken. */
function installPages(
  tree: TableTree,
  at: number,
  leaves: number,
  oaPage: number,
  leafPages: number,
  sizeLg2: number,
  attributes: Bits,
): number {
  const { format, entries } = tree;
  const { lo, hi } = attributes;
  for (let leaf = 0; leaf < leaves; leaf++) {
    const page = oaPage + leaf * leafPages;
    const leafLo = format.leafLo(page, sizeLg2, 0) | lo;
    const leafHi = format.leafHi(page, sizeLg2, 0) | hi;
    if (!installEntry(entries, at + leaf, leafLo, leafHi) && !installOver(tree, at + leaf, 0, leafLo, leafHi))
      return leaf;
  }
  return leaves;
}

/** Installs leaves of any level and number of slots. @returns how many, up to the first with a slot that is taken. */
function installLeaves(
  tree: TableTree,
  table: number,
  first: number,
  leaves: number,
  level: number,
  iovaPage: number,
  oaPage: number,
  sizeLg2: number,
  attributes: Bits,
  gather: Gather,
): number {
  const { geometry } = tree;
  const slots = geometry.slotsOf(sizeLg2, level);
  const leafPages = geometry.sizePages[sizeLg2];
  for (let leaf = 0; leaf < leaves; leaf++) {
    const at = tree.at(table, first + leaf * slots);
    if (!clearTheWay(tree, at, slots, level, iovaPage + leaf * leafPages, gather)) return leaf;
    if (!installLeaf(tree, at, slots, level, oaPage + leaf * leafPages, sizeLg2, attributes)) return leaf;
  }
  return leaves;
}

/** Writes one leaf into its slots, which are empty. Any slot of a half-written group describes its own addresses rightly already.
 * @returns false when another thread put something there, with nothing left behind: that thread does not own the range. */
export function installLeaf(
  tree: TableTree,
  at: number,
  slots: number,
  level: number,
  oaPage: number,
  sizeLg2: number,
  attributes: Bits,
): boolean {
  const { format, geometry, entries } = tree;
  const step = format.replicated ? 0 : geometry.itemPages[level];
  for (let slot = 0; slot < slots; slot++) {
    const page = oaPage + slot * step;
    const lo = format.leafLo(page, sizeLg2, level) | attributes.lo;
    const hi = format.leafHi(page, sizeLg2, level) | attributes.hi;
    if (installEntry(entries, at + slot, lo, hi) || installOver(tree, at + slot, level, lo, hi)) continue;
    for (let undo = slot - 1; undo >= 0; undo--) takeEntry(entries, at + undo);
    return false;
  }
  return true;
}

/** An install that found bits: they are in the way unless the format calls them empty. */
function installOver(tree: TableTree, at: number, level: number, lo: number, hi: number): boolean {
  while (tree.format.kind(seenLo(), seenHi(), level) === EMPTY)
    if (compareExchangeEntry(tree.entries, at, seenLo(), seenHi(), lo, hi)) return true;
  return false;
}

/** Makes a leaf's slots empty: tables without a leaf below them are unlinked. @returns false when something is mapped there. */
function clearTheWay(
  tree: TableTree,
  at: number,
  slots: number,
  level: number,
  iovaPage: number,
  gather: Gather,
): boolean {
  const { format, geometry, entries } = tree;
  let tables = false;
  for (let slot = 0; slot < slots; slot++) {
    const lo = loadEntry(entries, at + slot);
    const hi = seenHi();
    const kind = format.kind(lo, hi, level);
    if (kind === EMPTY) continue;
    if (kind !== TABLE || !isEmptyTable(tree, tree.tableOf(lo, hi), level - 1)) return false;
    tables = true;
  }
  if (!tables) return true;
  gather.addRange(iovaPage, slots * geometry.itemPages[level]);
  for (let slot = 0; slot < slots; slot++) {
    const lo = loadEntry(entries, at + slot);
    const hi = seenHi();
    if (format.kind(lo, hi, level) !== TABLE) continue;
    // Whoever unlinks it, adds it: another thread that does not own the range could be faster.
    if (!compareExchangeEntry(entries, at + slot, lo, hi, 0, 0)) return false;
    forEachTable(tree, tree.tableOf(lo, hi), level - 1, (table) => gather.addTable(table));
  }
  // A walk cache that still leads into the table must not meet the leaf's translations where that is undefined.
  if (format.breakBeforeMake) gather.sync();
  return true;
}
