// A page's life in one word, the PTE. Every transition is one compare-exchange, so nobody undoes what he did not see.
//
//   from             to                  who                    mmap lock   what keeps it right
//   absent           BUSY by owner       handler                shared      one winner: a page is zeroed by one thread, once
//   BUSY             BUSY, WAITERS       another handler        shared      the announcement; the owner's publish then notifies
//   BUSY             present             its owner              shared      [P] zeroes first: no page is handed out unzeroed
//   present          present, A, D       device's table walk    none        fails when anything moved; the walk looks again
//   present          present, NUMA_HINT  page scanner           shared      only from present without a lease; contents and A, D stay
//   present, LEASE   present, LEASE - 1  page scanner           shared      a round of the lease; the page stays
//   present, LEASE   present, LEASE less device's table walk    none        its first access: the lease has served
//   NUMA_HINT        present             handler                shared      no zeroing: the contents were never away; may lease
//   present or HINT  absent              discard                shared      by value seen: never takes a BUSY page
//   present or HINT  absent              removeArea, last user  exclusive   no handler, so no BUSY; see TAG
//   BUSY             absent              reclaimBusy            none        the owner is dead, so says the caller
//
// discard steps over BUSY: that page is not mapped, and will hold zeroes when it is. So the discard came first.
// The scanner steps over it as well. Nobody but its owner and reclaimBusy ends BUSY, so frames have one writer while BUSY.
//
// LEASE: a page that was made present for a device may be leased to it: the scanner passes it by until the device has accessed it, as
// Linux's NUMA balancing passes by what is pinned for DMA. It is counted in the scanner's visits, so a device that never accesses what
// it asked for keeps nothing from the scanner for ever: a fault on a page that is there renews no lease, and only a taken or absent
// page can be leased again. Discarding and unmapping do not look at it. All moves are the compare-exchanges above, so a lease needs
// no owner and nobody frees it.
//
// TAG: a present PTE carries its area's tag, and no two areas ever have the same. A device that remembers where an area's PTEs
// are and finds them handed to another area sees the tag differ. So a walk is one load, and needs no look at the table of areas.
//
// Ordering. Frame words are plain.
//   [P] publish: frame zeroed, then PTE present    pairs with  [C] translate: PTE present, then the page is used
//   [D] discard: page used, then PTE absent        pairs with  [Z] populate: PTE absent, then frame zeroed
//   [W] publish: PTE, then the WAITERS it found    pairs with  waitForPage: WAITERS, then PTE (compared inside Atomics.wait)
// [D] holds for a thread that discards what it used itself. Discarding what another thread still uses loses that thread's
// last writes, as in Linux; here the frame is reused at once, as the device model caches no translation past a touch.
//
// A walk that finds the PTE present, is put aside, and succeeds after the page was discarded and populated again is right: it
// marks the page that is there now.
import type { ThreadSelf, Words } from '@faultline/core/sync';

// The access bits have the values of core's FAULT_PERM bits (checked in a test), so that a walk compares them as they come. Not
// imported: every device thread loads this file, and none of them needs the fault path behind that import.
export const PTE_READABLE = 1;
export const PTE_WRITABLE = 2;
export const PTE_EXECUTABLE = 4;
export const PTE_ACCESS: number = PTE_READABLE | PTE_WRITABLE | PTE_EXECUTABLE;
export const PTE_PRESENT: number = 1 << 4;
export const PTE_ACCESSED: number = 1 << 5;
/** PTE_WRITABLE << PTE_DIRTY_SHIFT: an access's dirty bit without a branch. */
export const PTE_DIRTY: number = 1 << 6;
const PTE_DIRTY_SHIFT = 5;
/** Present, but taken from the device to see who asks for it (PROT_NONE, NUMA balancing). */
export const PTE_NUMA_HINT: number = 1 << 7;
/** Being zeroed by the thread in TAG's place. */
export const PTE_BUSY: number = 1 << 8;
/** Somebody sleeps until BUSY ends. */
export const PTE_WAITERS: number = 1 << 9;
const LEASE_SHIFT = 10;
/** Visits of the scanner that pass the page by, at most: what a fault that leases gives. With 512 device threads a job comes back to its
 * first page up to nine visits later. Leases of 3 visits left a fifth of the faults to lost pages, of 7 visits one in 250. */
export const PTE_LEASE: number = 15 << LEASE_SHIFT;
/** What the first access leaves of it: a job goes over its pages more than once, and between two passes others may run. With none left
 * one fault in thirteen was for a page lost there, with one visit one in eighty. */
export const PTE_LEASE_USED: number = 3 << LEASE_SHIFT;
const LEASE_AWAITED: number = PTE_LEASE & ~PTE_LEASE_USED;
const LEASE_ROUND: number = 1 << LEASE_SHIFT;
/** The bits below TAG. */
export const PTE_FLAGS: number = (1 << 14) - 1;
/** Bits 31:14. */
export const MAX_TAG: number = 2 ** 18 - 1;
const TAG_SHIFT = 14;
const PTE_TAG: number = MAX_TAG << TAG_SHIFT;

export function busyBy(owner: number): number {
  return PTE_BUSY | (owner << TAG_SHIFT);
}
/** The thread that zeroes the page, 0 for none. */
export function pteOwner(pte: number): number {
  return (pte & PTE_BUSY) === 0 ? 0 : pte >>> TAG_SHIFT;
}
/** An area's tag where a PTE has it. */
export function tagBits(tag: number): number {
  return tag << TAG_SHIFT;
}
/** What an access of kind `perm` leaves behind in a PTE. */
export function marksOf(perm: number): number {
  return PTE_ACCESSED | ((perm & PTE_WRITABLE) << PTE_DIRTY_SHIFT);
}

/** One table walk: is the access granted, by the area with this tag? Sets ACCESSED and DIRTY and ends the wait for a
 * leased page, and stores nothing when all that is done. Lock-free. @param tag as {@link tagBits} gives it. */
export function pteTouch(words: Words, at: number, tag: number, perm: number): boolean {
  const need = tag | PTE_PRESENT | (perm & PTE_ACCESS);
  const marks = marksOf(perm);
  for (let pte = Atomics.load(words, at); ; ) {
    if ((pte & (PTE_TAG | need | PTE_NUMA_HINT)) !== need) return false; // [C]
    const isAwaited = (pte & LEASE_AWAITED) !== 0;
    if (!isAwaited && (pte & marks) === marks) return true;
    const kept = isAwaited ? (pte & ~PTE_LEASE) | PTE_LEASE_USED : pte;
    const found = Atomics.compareExchange(words, at, pte, kept | marks);
    if (found === pte) return true;
    pte = found;
  }
}

/** What {@link pteTake} found. */
export const TAKE_NOTHING = 0; // absent, BUSY or taken already
export const TAKE_DONE = 1;
export const TAKE_LEASED = 2; // the page stays; its lease is a visit shorter
export type Take = typeof TAKE_NOTHING | typeof TAKE_DONE | typeof TAKE_LEASED;

/** Takes a present page from the device, unless it is leased. */
export function pteTake(words: Words, at: number): Take {
  for (let pte = Atomics.load(words, at); ; ) {
    if ((pte & (PTE_PRESENT | PTE_NUMA_HINT)) !== PTE_PRESENT) return TAKE_NOTHING;
    const isLeased = (pte & PTE_LEASE) !== 0;
    const found = Atomics.compareExchange(words, at, pte, isLeased ? pte - LEASE_ROUND : pte | PTE_NUMA_HINT);
    if (found === pte) return isLeased ? TAKE_LEASED : TAKE_DONE;
    pte = found;
  }
}

/** Makes a present page absent. @returns false when it was not present. */
export function pteDiscard(words: Words, at: number): boolean {
  for (let pte = Atomics.load(words, at); ; ) {
    if ((pte & PTE_PRESENT) === 0) return false;
    const found = Atomics.compareExchange(words, at, pte, 0); // [D]
    if (found === pte) return true;
    pte = found;
  }
}

/** Waits until the page is BUSY no longer. @returns false when it still is at `deadline` (performance.now()). */
export function waitForPage(words: Words, at: number, self: ThreadSelf, deadline: number): boolean {
  for (let spin = 0; spin < self.spins; spin++) if ((Atomics.load(words, at) & PTE_BUSY) === 0) return true;
  for (let pte = Atomics.load(words, at); (pte & PTE_BUSY) !== 0; pte = Atomics.load(words, at)) {
    const left = deadline - performance.now();
    if (left <= 0) return false;
    const announced = pte | PTE_WAITERS;
    if (pte === announced || Atomics.compareExchange(words, at, pte, announced) === pte)
      Atomics.wait(words, at, announced, left); // [W]
  }
  return true;
}
