// What a sweep reports: one bit a page of some size, from the first page of the request on. A thread's own.
import { checkInteger } from '@faultline/core/errors';
import { PAGE_LG2 } from './format.ts';

/** Below this a bit's number fits an i32. */
const MAX_SMALL = 2 ** 31;

/** Bits are only ever set: who uses a bitmap again clears it. Bits outside the request are dropped.
 * @see Linux iova_bitmap, whose bit 0 is the start of the request as well */
export class DirtyBitmap {
  /** First page of the request. */
  readonly first: number;
  readonly pages: number;
  /** log2 of the 4 KiB pages of a bit. */
  readonly unitLg2: number;
  readonly bits: Int32Array;
  readonly #scale: number;

  /** @param pageSizeLg2 log2 of the bytes of a bit's page. @throws IommuError EINVAL */
  constructor(first: number, pages: number, pageSizeLg2: number = PAGE_LG2) {
    checkInteger('DirtyBitmap', 'first', first, 0, 2 ** 52 - 1);
    checkInteger('DirtyBitmap', 'pages', pages, 1, 2 ** 52);
    checkInteger('DirtyBitmap', 'pageSizeLg2', pageSizeLg2, PAGE_LG2, 63);
    this.first = first;
    this.pages = pages;
    this.unitLg2 = pageSizeLg2 - PAGE_LG2;
    this.#scale = 1 / 2 ** this.unitLg2;
    checkInteger('DirtyBitmap', 'bits', Math.ceil(pages * this.#scale), 1, 2 ** 36);
    this.bits = new Int32Array(Math.ceil((pages * this.#scale) / 32));
  }

  /** Sets the bits of pages from `page` up to `end`, which is not included. */
  set(page: number, end: number): void {
    const only = page - this.first;
    if (this.unitLg2 === 0 && end === page + 1 && only >= 0 && only < this.pages && only < MAX_SMALL) {
      this.bits[only >>> 5] |= 1 << (only & 31);
      return;
    }
    const from = Math.max(only, 0);
    const last = Math.min(end - this.first, this.pages) - 1;
    if (last < from) return;
    const fromBit = Math.floor(from * this.#scale);
    const lastBit = Math.floor(last * this.#scale);
    const { bits } = this;
    const lastWord = Math.floor(lastBit / 32);
    let word = Math.floor(fromBit / 32);
    let mask = -1 << (fromBit & 31);
    for (; word < lastWord; word++) {
      bits[word] |= mask;
      mask = -1;
    }
    bits[word] |= mask & (-1 >>> (31 - (lastBit & 31)));
  }

  /** Whether the page's bit is set. */
  has(page: number): boolean {
    const bit = Math.floor((page - this.first) * this.#scale);
    return (this.bits[Math.floor(bit / 32)] & (1 << (bit & 31))) !== 0;
  }

  /** Bits that are set. */
  count(): number {
    let count = 0;
    for (let left of this.bits) for (; left !== 0; left &= left - 1) count++;
    return count;
  }

  clear(): void {
    this.bits.fill(0);
  }
}
