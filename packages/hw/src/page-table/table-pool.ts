// Storage: tables of entries, taken and given back by any thread, each with a descriptor. Knows nothing of what is in them.
import { checkInteger, IommuError } from '@faultline/core/errors';
import { alignLine, checkRegion, initSlab, OBJECT_FREE, Slab, SlabCache } from '@faultline/core/memory';
import type { ThreadSelf, Words } from '@faultline/core/sync';
import { type Entries, firstUnspoilt, poisonEntries, zeroEntries } from './entry.ts';
import {
  BANK_TABLES,
  banksOf,
  bankWords,
  checkPool,
  DESCRIPTOR_WORDS,
  POOL_BANKS,
  POOL_ROOT_TABLES,
  POOL_ROOTS,
  POOL_SLOTS,
  POOL_TABLES,
  TABLE_DEFERRED,
  TABLE_LINK,
  type TablePoolConfig,
  tablesOfBank,
} from './layout.ts';

/** 32-bit words of a pool. @throws IommuError EINVAL naming the field. */
export function tablePoolWords(config: TablePoolConfig): number {
  const { tables } = checkPool('tablePoolWords', config);
  let words = POOL_BANKS;
  for (let bank = 0; bank < banksOf(tables); bank++) words += bankWords(tables, bank);
  return alignLine(words);
}

/** 64-bit words of a pool: what its `entries` must have. @throws IommuError EINVAL naming the field. */
export function tablePoolEntries(config: TablePoolConfig): number {
  const { tables, slots, roots, rootTables } = checkPool('tablePoolEntries', config);
  return (1 + tables + roots * rootTables) * slots;
}

/** Lays a pool out over zeroed words, all tables free. @throws IommuError EINVAL */
export function initTablePool(words: Words, base: number, config: TablePoolConfig): void {
  const { tables, slots, roots, rootTables } = checkPool('initTablePool', config);
  checkRegion('initTablePool', words, base, tablePoolWords(config));
  words[base + POOL_TABLES] = tables;
  words[base + POOL_SLOTS] = slots;
  words[base + POOL_ROOTS] = roots;
  words[base + POOL_ROOT_TABLES] = rootTables;
  let at = base + POOL_BANKS;
  for (let bank = 0; bank < banksOf(tables); bank++) {
    initSlab(words, at, tablesOfBank(tables, bank), DESCRIPTOR_WORDS);
    at += bankWords(tables, bank);
  }
}

export interface TablePoolOptions {
  /** Free tables that the thread keeps at hand: up to twice as many. Default 8. */
  readonly batch?: number;
  /** Spoil what is freed, and check that nobody wrote to it when it is taken again. All threads of a pool alike. */
  readonly checked?: boolean;
}

interface Bank {
  readonly slab: Slab;
  readonly cache: SlabCache;
}

/** One thread's way to a pool. Not shared: make one a thread. */
export class TablePool {
  readonly words: Words;
  readonly entries: Entries;
  /** Slots of a table. */
  readonly slots: number;
  readonly tables: number;
  /** Roots of joined tables. */
  readonly roots: number;
  readonly rootTables: number;
  readonly #banks: readonly Bank[];
  readonly #checked: boolean;
  #bank = 0;

  /** @throws IommuError EINVAL no pool was laid out at `base`, or `entries` are too few for it. */
  constructor(words: Words, base: number, entries: Entries, self: ThreadSelf, options: TablePoolOptions = {}) {
    checkRegion('TablePool', words, base, POOL_BANKS);
    const { batch = 8, checked = false } = options;
    this.words = words;
    this.entries = entries;
    this.tables = words[base + POOL_TABLES];
    this.slots = words[base + POOL_SLOTS];
    this.roots = words[base + POOL_ROOTS];
    this.rootTables = words[base + POOL_ROOT_TABLES];
    if (this.tables === 0) throw new IommuError('EINVAL', 'TablePool', 'base', base, 'no pool was laid out here');
    const need = (1 + this.tables + this.roots * this.rootTables) * this.slots;
    if (entries.length < need)
      throw new IommuError('EINVAL', 'TablePool', 'entries', entries.length, `the pool needs ${need}`);
    const banks: Bank[] = [];
    let at = base + POOL_BANKS;
    for (let bank = 0; bank < banksOf(this.tables); bank++) {
      const slab = new Slab(words, at);
      banks.push({ slab, cache: new SlabCache(slab, self, { batch, checked: false }) });
      at += bankWords(this.tables, bank);
    }
    this.#banks = banks;
    this.#checked = checked;
  }

  /** Takes a table, all slots empty. @returns its number, or 0 when there is none. Never blocks.
   * @throws IommuError EINVAL (checked) somebody wrote to it while it was free. */
  alloc(): number {
    for (let tried = 0; tried < this.#banks.length; tried++) {
      const index = this.#banks[this.#bank].cache.alloc();
      if (index !== 0) {
        const table = this.#bank * BANK_TABLES + index;
        if (this.#checked) this.#verifySpoilt(table);
        zeroEntries(this.entries, table * this.slots, this.slots);
        return table;
      }
      this.#bank = (this.#bank + 1) % this.#banks.length;
    }
    return 0;
  }

  /** Gives a table back. Nobody else can hold it: it was never seen, or its grace period is over.
   * @throws IommuError EINVAL it is free already. */
  free(table: number): void {
    const { cache } = this.#bankOf(table);
    if (this.#checked) poisonEntries(this.entries, table * this.slots, this.slots);
    cache.free(indexOf(table));
  }

  /** Marks a table as unlinked: those who found it may still read it. @throws IommuError EINVAL unless it is live. */
  retire(table: number): void {
    this.#bankOf(table).cache.retire(indexOf(table));
  }

  /** Whether the number names a table that may be in use: of the pool or of a joined root, and not free. */
  isHeld(table: number): boolean {
    if (table > this.tables) return table < 1 + this.tables + this.roots * this.rootTables;
    return table >= 1 && this.#bankOf(table).slab.state(indexOf(table)) !== OBJECT_FREE;
  }

  /** First table of a joined root. @throws IommuError EINVAL */
  rootBlock(root: number): number {
    checkInteger('TablePool.rootBlock', 'root', root, 0, this.roots - 1);
    return 1 + this.tables + root * this.rootTables;
  }

  /** Next table of the list that `table` is on. Its holder's alone. */
  link(table: number): number {
    return this.words[this.#descriptor(table) + TABLE_LINK];
  }
  setLink(table: number, next: number): void {
    this.words[this.#descriptor(table) + TABLE_LINK] = next;
  }

  /** Next table that waits for the same grace period as `table`. Its holder's alone. */
  deferredLink(table: number): number {
    return this.words[this.#descriptor(table) + TABLE_DEFERRED];
  }
  setDeferredLink(table: number, next: number): void {
    this.words[this.#descriptor(table) + TABLE_DEFERRED] = next;
  }

  /** Tables that are not free, those in their grace period included. Exact while nobody takes or frees. */
  live(): number {
    return this.#banks.reduce((sum, { slab }) => sum + slab.live(), 0);
  }

  /** Gives the tables kept at hand to the others, for a thread that stops or idles. */
  flush(): void {
    for (const { cache } of this.#banks) cache.flush();
  }

  #verifySpoilt(table: number): void {
    if (this.#bankOf(table).slab.generation(indexOf(table)) === 0) return; // was never freed
    const slot = firstUnspoilt(this.entries, table * this.slots, this.slots);
    if (slot !== -1)
      throw new IommuError('EINVAL', 'TablePool.alloc', 'table', table, `use after free: slot ${slot} was written to`);
  }

  #descriptor(table: number): number {
    const { slab } = this.#bankOf(table);
    return slab.objects + indexOf(table) * DESCRIPTOR_WORDS;
  }

  #bankOf(table: number): Bank {
    if (table < 1 || table > this.tables)
      throw new IommuError('EINVAL', 'TablePool', 'table', table, `must be from 1 to ${this.tables}`);
    return this.#banks[table <= BANK_TABLES ? 0 : Math.floor((table - 1) / BANK_TABLES)];
  }
}

function indexOf(table: number): number {
  return table <= BANK_TABLES ? table : ((table - 1) % BANK_TABLES) + 1;
}
