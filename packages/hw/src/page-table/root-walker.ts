// Translation from a root's address on, as an IOMMU walks: the tables are found by their addresses in a memory, whoever made them. Where
// that memory is a guest's, each address is translated first: stage one of a nested walk.
import { compareExchangeEntry, type Entries, peekEntry, seenHi } from './entry.ts';
import { EMPTY, type Format, LEAF } from './format.ts';
import { Geometry } from './geometry.ts';
import { FAULT_PERMISSION, FAULT_TRANSLATION } from './hardware-walker.ts';
import { outputPage } from './lookup.ts';

/** Where the tables are. */
export interface TableMemory {
  readonly entries: Entries;
  /** Index in `entries` at which the table with that number (its address in granules) begins; below 0: the outcome of a walk that meets it. */
  tableAt(table: number): number;
}

/** Tables of a pool, by their numbers. */
export function poolMemory(entries: Entries, slots: number): TableMemory {
  const count = Math.floor(entries.length / slots);
  return { entries, tableAt: (table) => (table >= 1 && table < count ? table * slots : FAULT_TRANSLATION) };
}

/** Walks tables of one format. Caches nothing; rights in table entries do not count. One thread's. */
export class RootWalker {
  readonly #shape: { readonly format: Format; readonly geometry: Geometry };
  readonly #memory: TableMemory;

  constructor(format: Format, memory: TableMemory) {
    this.#shape = { format, geometry: new Geometry(format) };
    this.#memory = memory;
  }

  /** @param root number of the root's table. @param mark sets accessed and dirty bits on the way, by compare-exchange.
   * @returns the output page, FAULT_TRANSLATION, FAULT_PERMISSION, or what {@link TableMemory.tableAt} said of a table. */
  walk(root: number, page: number, write: boolean, mark: boolean): number {
    const { format, geometry } = this.#shape;
    const { entries } = this.#memory;
    if (!geometry.reaches(format.topLevel, page, page)) return FAULT_TRANSLATION;
    let level = format.topLevel;
    let tableAt = this.#memory.tableAt(root);
    while (tableAt >= 0) {
      const at = tableAt + geometry.index(page, level);
      const lo = peekEntry(entries, at);
      const hi = seenHi();
      const kind = format.kind(lo, hi, level);
      if (kind === EMPTY) return FAULT_TRANSLATION;
      if (kind !== LEAF) {
        tableAt = this.#memory.tableAt(format.tableNumber(lo, hi));
        level--;
        continue;
      }
      if (!format.allows(lo, hi, write)) return FAULT_PERMISSION;
      const marked = mark ? format.marked(lo, hi, write) : lo;
      if (marked !== lo && !compareExchangeEntry(entries, at, lo, hi, marked, hi)) continue; // decide again by what is there now
      return outputPage(this.#shape, lo, hi, level, page);
    }
    return tableAt;
  }
}
