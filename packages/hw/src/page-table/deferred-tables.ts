// Tables that hardware no longer walks, until no thread reads them either. Chained through their descriptors, so any number of
// them can wait, and waiting takes no memory. Those unlinked while one grace period runs share the next.
import type { Rcu, ThreadSelf } from '@faultline/core/sync';
import type { TablePool } from './table-pool.ts';

/** Frees tables after a grace period. Owned by one thread; the chains are its own until the tables are free. */
export class DeferredTables {
  readonly #rcu: Rcu;
  readonly #pool: TablePool;
  /** Chain that waits for `#gracePeriod`, and the one that comes after it. */
  #waiting = 0;
  #open = 0;
  #gracePeriod = 0;
  #pending = 0;
  /** Tables freed so far. */
  freed = 0;

  constructor(rcu: Rcu, pool: TablePool) {
    this.#rcu = rcu;
    this.#pool = pool;
  }

  /** Frees `table` after a grace period, from a later {@link poll} or {@link flush}. It is unlinked, and retired. Never blocks. */
  defer(table: number): void {
    this.#pool.setDeferredLink(table, this.#open);
    this.#open = table;
    this.#pending++;
  }

  /** Frees what is due, and asks for a grace period for the rest. @returns how many tables were freed. Never blocks. */
  poll(): number {
    let freed = 0;
    if (this.#waiting !== 0 && this.#rcu.isDone(this.#gracePeriod)) freed = this.#freeWaiting();
    if (this.#waiting === 0 && this.#open !== 0) {
      this.#waiting = this.#open;
      this.#open = 0;
      this.#gracePeriod = this.#rcu.startGracePeriod();
    }
    return freed;
  }

  /** Tables that wait. */
  pending(): number {
    return this.#pending;
  }

  /** Waits until nothing is pending. The caller holds no table. Context: may block; as {@link Rcu.synchronize}. */
  flush(self: ThreadSelf): void {
    while (this.#pending > 0) {
      this.#rcu.synchronize(self);
      this.#freeWaiting();
      this.#waiting = this.#open;
      this.#open = 0;
    }
  }

  /** Nobody can hold these: what unlinked them was followed by an invalidation that was waited for, then by a grace period. */
  #freeWaiting(): number {
    let freed = 0;
    for (let table = this.#waiting; table !== 0; freed++) {
      const next = this.#pool.deferredLink(table);
      this.#pool.free(table);
      table = next;
    }
    this.#waiting = 0;
    this.#pending -= freed;
    this.freed += freed;
    return freed;
  }
}
