// What an unmap leaves to be done: a range that hardware may have cached, and the tables that are linked no more. Ranges go out as
// one invalidation and one sync; only then are the tables handed on to wait for their grace period.
import { MAX_PAGES } from './addresses.ts';
import type { DeferredTables } from './deferred-tables.ts';
import type { TablePool } from './table-pool.ts';

/** Invalidation as the driver of an IOMMU offers it. */
export interface Invalidator {
  /** Adds a range to the batch. @param last the last page, included.
   * @param tables walk caches as well: tables were unlinked, or replaced by leaves. */
  invalidate(first: number, last: number, tables: boolean): void;
  /** Sends the batch and waits for it. When this returns, hardware has no translation of the ranges cached, and walks that began
   * before have ended: what they marked is to be seen. Context: may block. */
  sync(): void;
}

/** Nothing caches, nothing walks: for tables that no hardware uses. */
export const noInvalidator: Invalidator = { invalidate() {}, sync() {} };

export interface GatherOptions {
  /** A gap between two ranges sends the first one out: no invalidation covers more than was unmapped. Default: one wide range. */
  readonly noGaps?: boolean;
  /** Deferred flush: ranges are not kept, {@link Gather.sync} invalidates everything. */
  readonly queued?: boolean;
}

/** A range and a list of tables. One thread's; used again after each sync. @see Linux struct iommu_iotlb_gather */
export class Gather {
  readonly #invalidator: Invalidator;
  readonly #pool: TablePool;
  readonly #deferred: DeferredTables;
  readonly #noGaps: boolean;
  readonly #queued: boolean;
  #first = MAX_PAGES;
  #last = -1;
  #tables = 0;
  #walkCaches = false;
  #count = 0;
  /** Syncs so far. */
  syncs = 0;

  constructor(invalidator: Invalidator, pool: TablePool, deferred: DeferredTables, options: GatherOptions = {}) {
    this.#invalidator = invalidator;
    this.#pool = pool;
    this.#deferred = deferred;
    this.#noGaps = options.noGaps ?? false;
    this.#queued = options.queued ?? false;
  }

  /** First page of the gathered range, {@link MAX_PAGES} for none. */
  get first(): number {
    return this.#first;
  }
  /** Last page of the gathered range, -1 for none. */
  get last(): number {
    return this.#last;
  }
  /** Tables gathered. */
  get tables(): number {
    return this.#count;
  }

  /** Adds a range, before the tables that were unlinked with it: a gap may send out what is here. Nothing for no pages. */
  addRange(first: number, pages: number): void {
    if (pages <= 0) return;
    const last = first + pages - 1;
    if (this.#queued) {
      this.#last = Math.max(this.#last, last);
      return;
    }
    if (this.#noGaps && this.#last >= 0 && (last + 1 < this.#first || first > this.#last + 1)) this.sync();
    this.#first = Math.min(this.#first, first);
    this.#last = Math.max(this.#last, last);
  }

  /** Adds a table that is linked no more. It stays whole until {@link sync} and a grace period are over.
   * @throws IommuError EINVAL it is not live: it was unlinked twice. */
  addTable(table: number): void {
    this.#pool.retire(table);
    this.#pool.setLink(table, this.#tables);
    this.#tables = table;
    this.#count++;
    this.#walkCaches = true;
  }

  /** Walk caches go as well, though no table does. */
  addWalkCaches(): void {
    this.#walkCaches = true;
  }

  /** One invalidation, one sync, and the tables go to wait for their grace period. Nothing when nothing was gathered.
   * Context: may block, as {@link Invalidator.sync}. */
  sync(): void {
    if (this.#last < 0 && this.#tables === 0) return;
    if (this.#queued) this.#invalidator.invalidate(0, MAX_PAGES - 1, true);
    else if (this.#last >= 0) this.#invalidator.invalidate(this.#first, this.#last, this.#walkCaches);
    this.#invalidator.sync();
    this.syncs++;
    for (let table = this.#tables; table !== 0; ) {
      const next = this.#pool.link(table);
      this.#deferred.defer(table);
      table = next;
    }
    this.#first = MAX_PAGES;
    this.#last = -1;
    this.#tables = 0;
    this.#count = 0;
    this.#walkCaches = false;
    this.#deferred.poll();
  }
}
