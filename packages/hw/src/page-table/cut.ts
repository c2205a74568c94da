// One large leaf becomes several of the next smaller size: in its own slots, or in tables below them.
import { IommuError } from '@faultline/core/errors';
import { fillEntry, takeEntry } from './entry.ts';
import type { Bits } from './format.ts';
import type { Gather } from './gather.ts';
import { dirtyRange, findLeaf, isLeafDirty, leafBits, replaceSlot, wasDirty, withDirt } from './resize.ts';
import type { TableTree } from './table-tree.ts';

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
