import { codedHi, codedLo, codedSizeLg2, firstHi, firstLo, spanLg2 } from '../pcie/ats-range.ts';
import { INVALIDATE_ALL } from '../pcie/pri-port.layout.ts';

// The page ranges of INVALIDATE_IOMMU_PAGES and INVALIDATE_IOTLB_PAGES (AMD 48882, 2.4.3; Linux build_inv_address()): bits 127:76 are an address,
// S, bit 64, says that it codes a size, as in ../pcie/ats-range.ts.

const SIZE_BIT = 1; // S

/** Last page number there is, and with 0 as the first: everything. */
export const LAST_PAGE_NUMBER: number = 2 ** 52 - 1;
/** log2 of the largest range: first and last page may differ up to address bit 51. Beyond that everything is invalidated. */
const MAX_RANGE_LG2 = 40;

/** Writes bits 127:64 of a command with a range: the smallest aligned power of two that covers the pages. Flags are added by the caller. */
export function writeRange(words: Int32Array, at: number, first: number, last: number): void {
  const span = spanLg2(first, last);
  const lg2 = span > MAX_RANGE_LG2 ? INVALIDATE_ALL : span;
  const lo = codedLo(first | 0, lg2);
  words[at + 2] = (lo << 12) | (lg2 > 0 ? SIZE_BIT : 0);
  words[at + 3] = (lo >>> 20) | (codedHi(Math.floor(first / 2 ** 32), lg2) << 12);
}

/** log2 of the pages that an invalidation covers: 0 for one page, 52 for everything. The two commands with a range share this. */
export function rangeSizeLg2(words: Int32Array, at: number): number {
  if ((words[at + 2] & SIZE_BIT) === 0) return 0;
  return codedSizeLg2((words[at + 2] >>> 12) | (words[at + 3] << 20), words[at + 3] >>> 12);
}

/** First page that it covers, bits 31:0 of its number. */
export function rangePageLo(words: Int32Array, at: number, sizeLg2: number): number {
  return firstLo((words[at + 2] >>> 12) | (words[at + 3] << 20), sizeLg2);
}
/** Bits 51:32. */
export function rangePageHi(words: Int32Array, at: number, sizeLg2: number): number {
  return firstHi(words[at + 3] >>> 12, sizeLg2);
}
