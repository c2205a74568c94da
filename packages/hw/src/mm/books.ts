import { LINE, type Words } from '@faultline/core/sync';
import { MM_BOOKS_AT, MM_THREADS } from './layout.ts';

// What each thread did to pages: a line a thread, that thread its only writer. Sums are exact once the writers have stopped.
//
//   POPULATED  0  absent pages zeroed and mapped
//   RESTORED   1  pages given back after the scanner took them
//   FOUND      2  faults on a page that was there already
//   WAITED     3  faults that waited for another handler's zeroing
//   STUCK      4  of these, given up: the other handler did not finish
//   TAKEN      5  pages taken by the scanner
//   DISCARDED  6  present pages made absent
//   RECLAIMED  7  pages taken back from a dead handler
//   LEASED     8  pages that the scanner passed by, as they were leased
//   POPULATED = DISCARDED + pages present now
export const BOOK_POPULATED = 0;
export const BOOK_RESTORED = 1;
export const BOOK_FOUND = 2;
export const BOOK_WAITED = 3;
export const BOOK_STUCK = 4;
export const BOOK_TAKEN = 5;
export const BOOK_DISCARDED = 6;
export const BOOK_RECLAIMED = 7;
export const BOOK_LEASED = 8;

export interface MmBooks {
  populated: number;
  restored: number;
  found: number;
  waited: number;
  stuck: number;
  taken: number;
  discarded: number;
  reclaimed: number;
  leased: number;
}

/** Counts in a thread's own line. */
export function book(words: Words, row: number, field: number, count: number): void {
  Atomics.add(words, row + field, count);
}

/** Sums the books of the address space at `base` over its threads. */
export function readMmBooks(words: Words, base: number): MmBooks {
  const rows = words[base + MM_BOOKS_AT];
  const sum = (field: number): number => {
    let total = 0;
    for (let thread = 1; thread <= words[base + MM_THREADS]; thread++)
      total += Atomics.load(words, rows + thread * LINE + field) >>> 0;
    return total;
  };
  return {
    populated: sum(BOOK_POPULATED),
    restored: sum(BOOK_RESTORED),
    found: sum(BOOK_FOUND),
    waited: sum(BOOK_WAITED),
    stuck: sum(BOOK_STUCK),
    taken: sum(BOOK_TAKEN),
    discarded: sum(BOOK_DISCARDED),
    reclaimed: sum(BOOK_RECLAIMED),
    leased: sum(BOOK_LEASED),
  };
}
