// Freeing after a grace period without waiting for it. Objects are collected; those collected while one grace period runs
// share the next one, so a thread asks for at most one at a time.
import { checkInteger, IommuError } from '../errors/index.ts';
import type { Rcu } from './rcu.ts';
import type { ThreadSelf } from './thread-self.ts';

/** Objects that wait for a grace period before they are released. Owned by one thread; nothing of it is shared. */
export class DeferredFree {
  readonly capacity: number;
  readonly #rcu: Rcu;
  readonly #release: (object: number) => void;
  /** A ring: `#waiting` objects from `#first` on wait for `#gracePeriod`, `#open` more for the one after it. */
  readonly #objects: Int32Array;
  #first: number;
  #waiting: number;
  #open: number;
  #gracePeriod: number;

  /** @param capacity objects that can wait at once. The slab's own capacity is always enough. */
  constructor(rcu: Rcu, capacity: number, release: (object: number) => void) {
    this.capacity = checkInteger('DeferredFree', 'capacity', capacity, 1, 65535);
    this.#rcu = rcu;
    this.#release = release;
    this.#objects = new Int32Array(capacity);
    this.#first = 0;
    this.#waiting = 0;
    this.#open = 0;
    this.#gracePeriod = 0;
  }

  /** Releases `object` after a grace period, from a later {@link poll} or {@link flush}. It is unlinked already. Never blocks.
   * @throws IommuError ENOMEM when `capacity` objects wait and none is due. */
  defer(object: number): void {
    if (this.pending() === this.capacity && this.poll() === 0)
      throw new IommuError('ENOMEM', 'DeferredFree.defer', 'object', object, `${this.capacity} objects wait already`);
    this.#objects[(this.#first + this.pending()) % this.capacity] = object;
    this.#open++;
  }

  /** Releases what is due, and asks for a grace period for the rest. @returns how many were released. Never blocks. */
  poll(): number {
    let released = 0;
    if (this.#waiting > 0 && this.#rcu.isDone(this.#gracePeriod)) released = this.#releaseWaiting();
    if (this.#waiting === 0 && this.#open > 0) {
      this.#waiting = this.#open;
      this.#open = 0;
      this.#gracePeriod = this.#rcu.startGracePeriod();
    }
    return released;
  }

  /** Objects that wait. */
  pending(): number {
    return this.#waiting + this.#open;
  }

  /** Waits until nothing is pending, what releases defer included. Context: may block; as {@link Rcu.synchronize}. */
  flush(self: ThreadSelf): void {
    while (this.pending() > 0) {
      this.#waiting += this.#open;
      this.#open = 0;
      this.#rcu.synchronize(self);
      this.#releaseWaiting();
    }
  }

  #releaseWaiting(): number {
    let released = 0;
    // Stepped over before each call, which may defer further objects: and, where there is no room for them, poll in turn. What
    // waits by then for a grace period of its own is not due.
    const gracePeriod = this.#gracePeriod;
    while (this.#waiting > 0 && this.#gracePeriod === gracePeriod) {
      const object = this.#objects[this.#first];
      this.#first = (this.#first + 1) % this.capacity;
      this.#waiting--;
      released++;
      this.#release(object);
    }
    return released;
  }
}
