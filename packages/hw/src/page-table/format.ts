// What a page table format has to say: widths, where the bits are, and a few rules. A format knows no memory and no algorithm; the
// algorithms know no bit. Entries travel as two 32-bit halves, addresses as numbers of 4 KiB pages (52 bits: exact in a number).
//
// Words used here, as in Linux's generic_pt: an *item* is one slot of a table, an *entry* the leaf that it belongs to, which may
// own 2^n slots. Level 0 can hold only leaves; the *top* level is the root's. Output address: OA.

/** What a slot holds. */
export const EMPTY = 0;
export const TABLE = 1;
export const LEAF = 2;

/** Rights and hints of a mapping: the values of Linux's IOMMU_READ and its siblings. @see Linux include/linux/iommu.h */
export const PROT_READ: number = 1 << 0;
export const PROT_WRITE: number = 1 << 1;
export const PROT_CACHE: number = 1 << 2;
export const PROT_NOEXEC: number = 1 << 3;
export const PROT_MMIO: number = 1 << 4;
export const PROT_PRIV: number = 1 << 5;

/** log2 of the bytes of a page number's page. */
export const PAGE_LG2 = 12;

/** An entry, or a mask of one. */
export interface Bits {
  readonly lo: number;
  readonly hi: number;
}

/** How dirtiness shows in a leaf. Reading needs both halves at most; cleaning changes the low half only. */
export interface DirtyRule {
  /** A leaf is dirty when its bits under this mask … */
  readonly mask: Bits;
  /** … are these. */
  readonly value: Bits;
  /** What the hardware turns when it makes the leaf dirty, in the low half. */
  readonly bit: number;
  /** Dirty is the bit clear, not set: cleaning sets it. */
  readonly inverted: boolean;
}

/** What an unmap does to a large leaf that it covers in part.
 * `whole-leaf`: a range that ends inside takes the leaf whole, and says so by its length; one that begins inside takes nothing.
 * `whole-leaf-anywhere`: both take it whole. `refuse`: neither does. */
export type PartialUnmap = 'whole-leaf' | 'whole-leaf-anywhere' | 'refuse';

/** One field of an entry, for people and tests. */
export interface EntryField {
  readonly name: string;
  readonly hi: number;
  readonly lo: number;
  /** Which entries have it. */
  readonly where: 'leaf' | 'table' | 'both';
}

export interface Format {
  readonly name: string;
  /** log2 of the bytes that a level 0 item maps, and of a table's own size. */
  readonly granuleLg2: number;
  /** log2 of a table's slots. */
  readonly indexLg2: number;
  /** Level of the root at first. */
  readonly topLevel: number;
  /** The root may grow up to here. */
  readonly maxTopLevel: number;
  /** log2 of the tables that are joined to a root, side by side in memory. */
  readonly joinedLg2: number;
  /** Bits of an input address, at the highest top. */
  readonly iovaLg2: number;
  /** Bit iovaLg2 - 1 is repeated above: half of the addresses are the highest ones. */
  readonly signExtended: boolean;
  readonly oaLg2: number;
  /** log2 of the bytes of the leaves there are, ascending. */
  readonly sizesLg2: readonly number[];
  /** The slots of a large leaf are copies of one another. Otherwise each holds its own address. */
  readonly replicated: boolean;
  readonly partialUnmap: PartialUnmap;
  /** A slot that changes between table and leaf, or between leaves of two sizes, is emptied and invalidated in between. */
  readonly breakBeforeMake: boolean;
  /** Absent where the format offers no dirty tracking. */
  readonly dirty?: DirtyRule;
  /** Bits that a leaf has from {@link attributes}, and keeps when it is cut or merged. Dirty and accessed bits included. */
  readonly attributeMask: Bits;
  readonly fields: readonly EntryField[];

  /** Bits of a leaf with these rights. @throws IommuError EINVAL the format has no such leaf. */
  attributes(prot: number): Bits;
  /** EMPTY, TABLE or LEAF. */
  kind(lo: number, hi: number, level: number): number;
  /** log2 of the bytes of the entry that a leaf's slot belongs to. */
  leafLg2(lo: number, hi: number, level: number): number;
  /** The address in a leaf's slot, without what encodes its size: the entry's, where slots are copies, else the item's. */
  leafPage(lo: number, hi: number, level: number): number;
  /** The address in a table entry, counted in granules. -1 from 2^28 pages on, which no pool reaches. */
  tableNumber(lo: number, hi: number): number;
  leafLo(page: number, sizeLg2: number, level: number): number;
  leafHi(page: number, sizeLg2: number, level: number): number;
  tableLo(page: number, level: number): number;
  tableHi(page: number, level: number): number;
  /** Whether a leaf grants the access. */
  allows(lo: number, hi: number, write: boolean): boolean;
  /** The low half after hardware has marked the leaf as accessed, and as dirty by a write. */
  marked(lo: number, hi: number, write: boolean): number;
}

/** Low half of an address at bits 51:12. */
export function addressLo(page: number): number {
  return page << PAGE_LG2;
}
/** High half of an address at bits 51:12. */
export function addressHi(page: number): number {
  return (page / 2 ** 20) | 0;
}
/** The address at bits 51:12, in pages. */
export function addressPage(lo: number, hi: number): number {
  return (hi & 0xfffff) * 2 ** 20 + (lo >>> PAGE_LG2);
}

/** The address at bits 51:12, in pages, -1 from 2^28 on: whole numbers of 32 bits all the way, as a walk waits for each. */
export function addressNumber(lo: number, hi: number): number {
  return (hi & 0xfff00) === 0 ? ((hi & 0xff) << 20) | (lo >>> PAGE_LG2) : -1;
}

/** Whether a leaf is dirty by the rule. */
export function isDirty({ mask, value }: DirtyRule, lo: number, hi: number): boolean {
  return (lo & mask.lo) === value.lo && (hi & mask.hi) === value.hi;
}
/** The low half of a leaf, cleaned. */
export function cleaned({ bit, inverted }: DirtyRule, lo: number): number {
  return inverted ? lo | bit : lo & ~bit;
}
/** The low half of a leaf, made dirty. */
export function dirtied({ bit, inverted }: DirtyRule, lo: number): number {
  return inverted ? lo & ~bit : lo | bit;
}
