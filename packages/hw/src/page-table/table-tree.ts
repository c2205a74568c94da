// What all operations on one page table share: where its root is, the way down to a level's table, and how a missing one comes
// into being. One a thread.
//
// Who may do what. As in Linux, a caller owns the range of addresses that it maps, unmaps, cuts or promotes; ranges of other callers
// may lie in the same tables. So slots that a range covers whole have one writer besides hardware and sweeps, and slots above them
// have many: those change by compare-exchange from empty to a table, and back only under a caller who owns all that is below.
// Readers (lookups, sweeps, dumps, walks) own nothing. What keeps the tables they meet in place is a grace period: every operation
// runs in a thread that is online in the tables' RCU, and that is quiescent only between two operations.
import { IommuError } from '@faultline/core/errors';
import { mutexLock, mutexUnlock, type ThreadSelf, type Words } from '@faultline/core/sync';
import { compareExchangeEntry, type Entries, fillEntry, installEntry, loadEntry, seenHi, seenLo } from './entry.ts';
import { EMPTY, type Format, LEAF, PAGE_LG2, TABLE } from './format.ts';
import type { Geometry } from './geometry.ts';
import { PT_TOP, PT_TOP_LOCK, TOP_LEVEL_MASK, TOP_TABLE_SHIFT } from './layout.ts';
import type { TablePool } from './table-pool.ts';

/** Told of a new root before any walker may need it. Under the top lock. @param table its number. */
export type ChangeTop = (table: number, level: number) => void;

export class TableTree {
  readonly format: Format;
  readonly geometry: Geometry;
  readonly pool: TablePool;
  readonly entries: Entries;
  readonly words: Words;
  readonly base: number;
  /** Races for a slot that another thread's table won. */
  lostRaces = 0;
  readonly #self: ThreadSelf;
  readonly #changeTop: ChangeTop;
  readonly #tablePages: number;
  readonly #maxTable: number;
  #top: number;
  /** Addresses from 0 up to here can be reached from #top. */
  #lowPages: number;

  constructor(
    words: Words,
    base: number,
    pool: TablePool,
    format: Format,
    geometry: Geometry,
    self: ThreadSelf,
    changeTop: ChangeTop,
  ) {
    this.format = format;
    this.geometry = geometry;
    this.pool = pool;
    this.entries = pool.entries;
    this.words = words;
    this.base = base;
    this.#self = self;
    this.#changeTop = changeTop;
    this.#tablePages = 1 << (format.granuleLg2 - PAGE_LG2);
    this.#maxTable = pool.tables + pool.roots * pool.rootTables;
    this.#top = Atomics.load(words, base + PT_TOP);
    this.#lowPages = geometry.lowPages(this.#top & TOP_LEVEL_MASK);
  }

  /** Root and its level as they are now. */
  top(): number {
    this.#top = Atomics.load(this.words, this.base + PT_TOP);
    this.#lowPages = this.geometry.lowPages(this.#top & TOP_LEVEL_MASK);
    return this.#top;
  }

  /** A root from which the addresses can be reached: the one seen last, if it will do. Roots are never freed while the table lives,
   * and an older one is the new one's first child. @returns -1 when they are too wide for any. */
  topFor(first: number, last: number): number {
    if (last < this.#lowPages || this.geometry.reaches(this.#top & TOP_LEVEL_MASK, first, last)) return this.#top;
    const top = this.top();
    return this.geometry.reaches(top & TOP_LEVEL_MASK, first, last) ? top : -1;
  }

  /** Entry of a slot. */
  at(table: number, index: number): number {
    return table * this.geometry.slots + index;
  }

  /** Slots of a table: more at a root of joined ones. */
  slots(table: number): number {
    return table > this.pool.tables ? this.geometry.rootSlots : this.geometry.slots;
  }

  /** The table that a table entry names. @throws IommuError EFAULT no table of this pool: the entry was overwritten. */
  tableOf(lo: number, hi: number): number {
    const table = this.format.tableNumber(lo, hi);
    if (table >= 1 && table <= this.#maxTable) return table;
    throw noTable(table); // apart, so that this is small enough to be compiled into its callers
  }

  /** The table that a table entry names, 0 where it names none that is in use: for those who look at damage and go on.
   * Its holder may be about to publish or free it: then this says what was so a moment ago, as the entry did. */
  findTable(lo: number, hi: number): number {
    const table = this.format.tableNumber(lo, hi);
    return table >= 1 && table <= this.#maxTable && this.pool.isHeld(table) ? table : 0;
  }

  /** Slots of the leaf that a slot belongs to. 1 where the entry names a size that its level does not have. */
  leafSlots(lo: number, hi: number, level: number): number {
    const slotsLg2 = this.format.leafLg2(lo, hi, level) - this.geometry.itemLg2[level];
    return slotsLg2 > 0 && slotsLg2 < this.format.indexLg2 ? 1 << slotsLg2 : 1;
  }

  tablePage(table: number): number {
    return table * this.#tablePages;
  }

  /** A new table. @throws IommuError ENOMEM */
  alloc(): number {
    const table = this.pool.alloc();
    if (table === 0) throw new IommuError('ENOMEM', 'TableTree', 'tables', this.pool.tables, 'no table is free');
    return table;
  }

  /** The table of a level that `page` falls into. Tables that are missing on the way are made.
   * @throws IommuError EADDRINUSE a larger leaf is there, ERANGE the addresses are too wide, ENOMEM. */
  tableFor(page: number, last: number, level: number): number {
    let top = this.topFor(page, last);
    if (top === -1 || (top & TOP_LEVEL_MASK) < level) top = this.#grow(page, last, level);
    let table = top >>> TOP_TABLE_SHIFT;
    for (let above = top & TOP_LEVEL_MASK; above > level; above--) {
      const at = this.at(table, this.geometry.index(page, above));
      const lo = loadEntry(this.entries, at);
      const hi = seenHi();
      const kind = this.format.kind(lo, hi, above);
      if (kind === LEAF) throw inUse(page);
      table = kind === TABLE ? this.tableOf(lo, hi) : this.#install(at, above, page);
    }
    return table;
  }

  /** Puts a table into an empty slot, or finds the one that another thread put there first. */
  #install(at: number, level: number, page: number): number {
    const { format, entries, pool } = this;
    const table = this.alloc();
    const address = this.tablePage(table);
    const lo = format.tableLo(address, level);
    const hi = format.tableHi(address, level);
    if (installEntry(entries, at, lo, hi)) return table; // [P] zeroed when it was taken
    // Not zero, yet empty: a bit that a test-and-clear sweep left behind.
    while (format.kind(seenLo(), seenHi(), level) === EMPTY)
      if (compareExchangeEntry(entries, at, seenLo(), seenHi(), lo, hi)) return table;
    // Ours was never linked: nobody can have seen it.
    pool.free(table);
    this.lostRaces++;
    if (format.kind(seenLo(), seenHi(), level) === LEAF) throw inUse(page);
    return this.tableOf(seenLo(), seenHi());
  }

  /** Puts roots above the present one until the addresses are reached. @throws IommuError ERANGE */
  #grow(first: number, last: number, level: number): number {
    const { words, format, geometry, pool } = this;
    for (;;) {
      const top = this.top();
      let topLevel = top & TOP_LEVEL_MASK;
      if (topLevel >= level && geometry.reaches(topLevel, first, last)) return top;
      let root = top >>> TOP_TABLE_SHIFT;
      const chain: number[] = [];
      try {
        while (topLevel < level || !geometry.reaches(topLevel, first, last)) {
          if (topLevel === format.maxTopLevel)
            throw new IommuError('ERANGE', 'TableTree', 'page', last, `is too wide for ${format.name}`);
          topLevel++;
          const above = this.alloc();
          chain.push(above);
          const address = this.tablePage(root);
          fillEntry(
            this.entries,
            this.at(above, 0),
            format.tableLo(address, topLevel),
            format.tableHi(address, topLevel),
          );
          root = above;
        }
      } catch (error) {
        for (const table of chain) pool.free(table); // never linked
        throw error;
      }
      // TOP_LOCK guards TOP's change, and that hardware and TOP change in one order.
      mutexLock(words, this.base + PT_TOP_LOCK, this.#self);
      let changed = false;
      try {
        if (Atomics.load(words, this.base + PT_TOP) === top) {
          // Hardware first: once a walker of ours sees addresses above the old limit, it must reach them as well. Nothing that was
          // reachable has changed, so nothing is invalidated.
          this.#changeTop(root, topLevel);
          Atomics.store(words, this.base + PT_TOP, (root << TOP_TABLE_SHIFT) | topLevel); // [P] pairs with the load in top()
          changed = true;
        }
      } finally {
        mutexUnlock(words, this.base + PT_TOP_LOCK, this.#self);
      }
      if (!changed) {
        this.lostRaces++;
        for (const table of chain) pool.free(table); // never linked
      }
    }
  }
}

/** Whether no leaf is in a table or below it. */
export function isEmptyTable(tree: TableTree, table: number, level: number): boolean {
  const { format, entries } = tree;
  for (let index = 0; index < tree.slots(table); index++) {
    const lo = loadEntry(entries, tree.at(table, index));
    const hi = seenHi();
    const kind = format.kind(lo, hi, level);
    if (kind === LEAF) return false;
    if (kind === TABLE && !isEmptyTable(tree, tree.tableOf(lo, hi), level - 1)) return false;
  }
  return true;
}

/** Calls `visit` for a table that was unlinked and for all below it, children first. */
export function forEachTable(tree: TableTree, table: number, level: number, visit: (table: number) => void): void {
  if (level > 0)
    for (let index = 0; index < tree.slots(table); index++) {
      const lo = loadEntry(tree.entries, tree.at(table, index));
      const hi = seenHi();
      if (tree.format.kind(lo, hi, level) === TABLE) forEachTable(tree, tree.tableOf(lo, hi), level - 1, visit);
    }
  visit(table);
}

function noTable(table: number): IommuError {
  return new IommuError('EFAULT', 'TableTree.tableOf', 'table', table, 'an entry names no table of the pool');
}

export function inUse(page: number): IommuError {
  return new IommuError('EADDRINUSE', 'map', 'iovaPage', page, 'is mapped already');
}
