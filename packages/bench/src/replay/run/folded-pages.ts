import { FAULT_PERM_READ, FAULT_PERM_WRITE } from '@faultline/core/fault-record';
import type { Words } from '@faultline/core/sync';
import type { Mm } from '@faultline/hw/mm';
import { FEED_PAGE_HI, FEED_PAGE_LO } from './layout.ts';

/** Pages that are taken away together. */
const BLOCK_PAGES = 128;

/** The traced pages in an address space that holds fewer: page p stands at p modulo its size, so that neighbours stay neighbours, and a page
 * that is in its range stays itself. A page that faults was absent in the traced system; if it is present here, from an earlier fault or
 * another page that folds to it, it is taken away first, so that the handler has its work to do; with its neighbours, as what is touched next here
 * is touched by a fault, and one invalidation does for all of them. */
export class FoldedPages {
  readonly #words: Words;
  readonly #mm: Mm;
  readonly #first: number;
  readonly #pages: number;

  /** @param first a multiple of `pages`. */
  constructor(words: Words, mm: Mm, first: number, pages: number) {
    this.#words = words;
    this.#mm = mm;
    this.#first = first;
    this.#pages = pages;
  }

  /** Folds the page of the record at `at` (FEED_*) where it stands. Context: may block, where a page is taken away. */
  fold(at: number): void {
    const words = this.#words;
    const page = this.#first + ((words[at + FEED_PAGE_LO] >>> 0) % this.#pages);
    const lo = page | 0;
    const hi = Math.floor(page / 2 ** 32);
    words[at + FEED_PAGE_LO] = lo;
    words[at + FEED_PAGE_HI] = hi;
    if (this.#mm.translate(lo, hi, FAULT_PERM_READ) || this.#mm.translate(lo, hi, FAULT_PERM_WRITE))
      this.#mm.discard(page - (page % BLOCK_PAGES), BLOCK_PAGES);
  }
}
