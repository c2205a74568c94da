import { INVALIDATE_ALL } from './pri-port.layout.ts';

// Ranges of pages, as ATS invalidations have them and as VT-d and AMD hand them on: an aligned power of two of pages. The size stands in the
// address: for 2^k pages, k > 0, bits 0 to k - 2 of the page number are ones and bit k - 1 is zero, and a flag S beside it says so.
// Page numbers have 52 bits, in two halves; for everything all bits but the topmost are ones.

/** log2 of the smallest naturally aligned span of pages that covers both: one past the highest bit in which they differ. */
export function spanLg2(first: number, last: number): number {
  const high = Math.floor(first / 2 ** 32) ^ Math.floor(last / 2 ** 32);
  if (high !== 0) return 64 - Math.clz32(high);
  return 32 - Math.clz32((first | 0) ^ (last | 0));
}

/** Bits 31:0 of the page number with the size in it. `pageLo` need not be aligned. */
export function codedLo(pageLo: number, sizeLg2: number): number {
  if (sizeLg2 === 0) return pageLo;
  const zero = 1 << (sizeLg2 - 1);
  return sizeLg2 > 32 ? -1 : (pageLo & ~zero) | (zero - 1);
}

/** Bits 51:32. */
export function codedHi(pageHi: number, sizeLg2: number): number {
  if (sizeLg2 <= 32) return pageHi;
  const zero = 1 << (sizeLg2 - 33);
  return sizeLg2 >= INVALIDATE_ALL ? 0x7ffff : (pageHi & ~zero) | (zero - 1);
}

/** log2 of the pages, of a coded page number with S: one past its lowest zero. */
export function codedSizeLg2(lo: number, hi: number): number {
  return lo !== -1 ? 32 - Math.clz32(~lo & (lo + 1)) : Math.min(64 - Math.clz32(~hi & (hi + 1)), INVALIDATE_ALL);
}

/** Half of the first page's number, the bits that code the size cleared. */
export function firstLo(lo: number, sizeLg2: number): number {
  return sizeLg2 >= 32 ? 0 : lo & -(1 << sizeLg2);
}
export function firstHi(hi: number, sizeLg2: number): number {
  return sizeLg2 <= 32 ? hi : sizeLg2 >= INVALIDATE_ALL ? 0 : hi & -(1 << (sizeLg2 - 32));
}
