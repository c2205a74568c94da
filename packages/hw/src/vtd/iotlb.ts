// What an invalidation of the IOTLB means to those who walk for devices, on whatever thread. A walker keeps translations for itself,
// each with its domain's generation: an invalidation begins the next one, and then waits for the walks that were under way. So when its
// wait descriptor completes, nothing is used any more that was read before. Domains share generations, 64 of them: hardware may forget
// more than it is asked to.
//
// Ordering.
//   [G] invalidate: generations, then BUSY       pairs with  begin: BUSY, then generations and tables. One side always sees the other.
//   [B] end: what was marked and moved, BUSY     pairs with  invalidate: BUSY, then the wait's status
//   [W] end: BUSY, then WAITING                  pairs with  invalidate: WAITING, then BUSY (compared inside Atomics.wait)
//   [T] keep: what was read, then TOTAL          pairs with  invalidate: the driver's change, then TOTAL. Nothing older is kept as new.
import { checkInteger } from '@faultline/core/errors';
import { LINE, type Words } from '@faultline/core/sync';
import {
  INV_CONTEXT,
  INV_INTERRUPT_ENTRY,
  INV_IOTLB,
  INV_PASID_CACHE,
  IOTLB_GLOBAL,
  PASID_CACHE_GLOBAL,
} from './invalidations.ts';
import {
  IOTLB_BUSY as BUSY,
  IOTLB_GENERATIONS as GENERATIONS,
  IOTLB_TOTAL as TOTAL,
  VTD_IOTLB,
  VTD_WALKERS,
  IOTLB_WAITING as WAITING,
} from './layout.ts';
import { checkVtd } from './unit.ts';

/** The hardware's end. */
export class IotlbControl {
  readonly #words: Words;
  readonly #at: number;
  readonly #walkers: number;

  constructor(words: Words, base: number) {
    this.#words = words;
    this.#at = base + words[base + VTD_IOTLB];
    this.#walkers = words[base + VTD_WALKERS];
  }

  /** Takes the invalidation at `at`, of whatever kind. Context: waits for as long as a walk takes. */
  invalidate(type: number, at: number): void {
    if (this.#walkers === 0 || type === INV_INTERRUPT_ENTRY) return;
    const granularity = (this.#words[at] >>> 4) & 3;
    const all =
      type === INV_CONTEXT ||
      (type === INV_IOTLB && granularity === IOTLB_GLOBAL) ||
      (type === INV_PASID_CACHE && granularity === PASID_CACHE_GLOBAL);
    this.#forget(all ? -1 : this.#words[at] >>> 16);
  }

  /** Everything: translation was switched on or off. */
  clear(): void {
    if (this.#walkers > 0) this.#forget(-1);
  }

  #forget(did: number): void {
    const words = this.#words;
    Atomics.add(words, this.#at + TOTAL, 1); // [T]
    if (did >= 0) Atomics.add(words, this.#at + (did % GENERATIONS), 1);
    else for (let each = 0; each < GENERATIONS; each++) Atomics.add(words, this.#at + each, 1);
    for (let walker = 0; walker < this.#walkers; walker++) {
      const busyAt = this.#at + BUSY + walker * LINE;
      const seen = Atomics.load(words, busyAt); // [G] [B]
      if ((seen & 1) === 1) this.#await(busyAt, seen);
    }
  }

  #await(busyAt: number, seen: number): void {
    const words = this.#words;
    Atomics.store(words, this.#at + WAITING, 1); // [W]
    while (Atomics.load(words, busyAt) === seen) Atomics.wait(words, busyAt, seen);
    Atomics.store(words, this.#at + WAITING, 0);
  }
}

/** A walker's end. Made by the thread that walks. */
export class IotlbWalk {
  readonly #words: Words;
  readonly #at: number;
  readonly #busyAt: number;
  #total = 0;

  /** @param walker from 0. @throws IommuError EINVAL there is no such walker. */
  constructor(words: Words, base: number, walker: number) {
    checkVtd(words, base, 'Remapper');
    checkInteger('Remapper', 'walker', walker, 0, words[base + VTD_WALKERS] - 1);
    this.#words = words;
    this.#at = base + words[base + VTD_IOTLB];
    this.#busyAt = this.#at + BUSY + walker * LINE;
  }

  begin(): void {
    Atomics.add(this.#words, this.#busyAt, 1); // [G]
    this.#total = Atomics.load(this.#words, this.#at + TOTAL);
  }

  generation(did: number): number {
    return Atomics.load(this.#words, this.#at + (did % GENERATIONS)); // [G]
  }

  /** Whether what was read since {@link begin} may be kept. */
  mayKeep(): boolean {
    return Atomics.load(this.#words, this.#at + TOTAL) === this.#total; // [T]
  }

  end(): void {
    Atomics.add(this.#words, this.#busyAt, 1); // [B]
    if (Atomics.load(this.#words, this.#at + WAITING) === 1) Atomics.notify(this.#words, this.#busyAt); // [W]
  }
}
