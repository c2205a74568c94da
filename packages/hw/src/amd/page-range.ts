// The page ranges of INVALIDATE_IOMMU_PAGES and INVALIDATE_IOTLB_PAGES (AMD 48882, 2.4.3; Linux build_inv_address()): bits 127:76 are an address,
// S, bit 64, says that it codes a size: a run of ones from bit 12 of the address that ends in a zero.

const SIZE_BIT = 1; // S

/** Last page number there is, and with 0 as the first: everything. */
export const LAST_PAGE_NUMBER: number = 2 ** 52 - 1;
/** Bits of a page number that a range can differ in: address bit 51 less the page's 12. Above, everything is invalidated. */
const RANGE_TOP_BIT = 39;

/** Writes bits 127:64 of a command with a range: the smallest aligned power of two that covers the pages. Flags are added by the caller. */
export function writeRange(words: Int32Array, at: number, first: number, last: number): void {
  const firstHi = Math.floor(first / 2 ** 32);
  const firstLo = first | 0;
  const differHi = firstHi ^ Math.floor(last / 2 ** 32);
  const differLo = firstLo ^ (last | 0);
  const top = differHi !== 0 ? 63 - Math.clz32(differHi) : 31 - Math.clz32(differLo);
  let lo = firstLo;
  let hi = firstHi;
  if (top > RANGE_TOP_BIT) {
    lo = -1;
    hi = 0x7ffff;
  } else if (top >= 32) {
    lo = -1;
    hi |= (1 << (top - 32)) - 1;
  } else if (top >= 0) lo |= (1 << top) - 1;
  words[at + 2] = (lo << 12) | (top >= 0 ? SIZE_BIT : 0);
  words[at + 3] = (lo >>> 20) | (hi << 12);
}

/** log2 of the pages that an invalidation covers: 0 for one page, 52 for everything. The two commands with a range share this. */
export function rangeSizeLg2(words: Int32Array, at: number): number {
  if ((words[at + 2] & SIZE_BIT) === 0) return 0;
  const lo = (words[at + 2] >>> 12) | (words[at + 3] << 20); // page number, bits 31:0
  if (lo !== -1) return 32 - Math.clz32(~lo & (lo + 1));
  const hi = words[at + 3] >>> 12;
  const zero = 31 - Math.clz32(~hi & (hi + 1)); // place of the lowest zero
  return zero >= 19 ? 52 : 33 + zero;
}

/** First page that it covers, bits 31:0 of its number. */
export function rangePageLo(words: Int32Array, at: number, sizeLg2: number): number {
  const lo = (words[at + 2] >>> 12) | (words[at + 3] << 20);
  return sizeLg2 >= 32 ? 0 : lo & -(1 << sizeLg2);
}
/** Bits 51:32. */
export function rangePageHi(words: Int32Array, at: number, sizeLg2: number): number {
  const hi = words[at + 3] >>> 12;
  return sizeLg2 <= 32 ? hi : sizeLg2 >= 52 ? 0 : hi & -(1 << (sizeLg2 - 32));
}
