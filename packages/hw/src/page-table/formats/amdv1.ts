// AMD's IOMMU v1 format: leaves of nearly any power of two, written as identical copies into consecutive slots.
// The size of such a leaf stands in its address: below it, from bit 12 up, a run of ones and then a zero.
// @see AMD I/O Virtualization Technology Specification 2.2.3; Linux drivers/iommu/generic_pt/fmt/amdv1.h
import { checkInteger } from '@faultline/core/errors';
import {
  addressHi,
  addressLo,
  addressNumber,
  addressPage,
  type Bits,
  EMPTY,
  type EntryField,
  type Format,
  LEAF,
  PAGE_LG2,
  type PartialUnmap,
  PROT_READ,
  PROT_WRITE,
  TABLE,
} from '../format.ts';

const PRESENT = 1 << 0;
const ACCESSED = 1 << 5;
const DIRTY = 1 << 6;
const NEXT_LEVEL_SHIFT = 9;
const NEXT_LEVEL = 7 << NEXT_LEVEL_SHIFT;
/** A leaf whose size is in its address; 0 is one of its level's own size; 1 to 6 a table. */
const SIZED = 7 << NEXT_LEVEL_SHIFT;
const FORCE_COHERENT_HI = 1 << 28;
const READ_HI = 1 << 29;
const WRITE_HI = 1 << 30;

const INDEX_LG2 = 9;
/** 512G is left out: that leaf is avoided for a hardware bug. */
const MISSING_LG2 = 39;
const MAX_SIZE_LG2 = 51;
/** It resolves bits 63:57 only, and has no leaves. */
const MAX_TOP_LEVEL = 5;

const FIELDS: readonly EntryField[] = [
  { name: 'PR', hi: 0, lo: 0, where: 'both' },
  { name: 'A', hi: 5, lo: 5, where: 'leaf' },
  { name: 'D', hi: 6, lo: 6, where: 'leaf' },
  { name: 'NEXT_LEVEL', hi: 11, lo: 9, where: 'both' },
  { name: 'OA', hi: 51, lo: 12, where: 'both' },
  { name: 'FC', hi: 60, lo: 60, where: 'leaf' },
  { name: 'IR', hi: 61, lo: 61, where: 'both' },
  { name: 'IW', hi: 62, lo: 62, where: 'both' },
];

export interface AmdV1Options {
  /** Generic level of the root at first, 0 to 5. Default 2 (hardware mode 3). It grows as far as `iovaLg2` needs: up to level 5. */
  readonly startLevel?: number;
  /** Bits of an input address that the hardware takes, 13 to 64. Default 64. */
  readonly iovaLg2?: number;
  /** Bits of an output address, 32 to 52. Default 52. */
  readonly oaLg2?: number;
  /** Every leaf carries FC: the domain enforces snooping. */
  readonly forceCoherent?: boolean;
  /** `whole-leaf-anywhere` is what the driver did before 6.19. Default `whole-leaf`. */
  readonly partialUnmap?: PartialUnmap;
}

/** @throws IommuError EINVAL */
export function amdV1(options: AmdV1Options = {}): Format {
  const always = options.forceCoherent === true ? FORCE_COHERENT_HI : 0;
  const topLevel = checkInteger('amdV1', 'startLevel', options.startLevel ?? 2, 0, MAX_TOP_LEVEL);
  const iovaLg2 = checkInteger('amdV1', 'iovaLg2', options.iovaLg2 ?? 64, PAGE_LG2 + 1, 64);
  const maxTopLevel = Math.max(topLevel, Math.ceil((iovaLg2 - PAGE_LG2) / INDEX_LG2) - 1);
  // No leaf fills a table.
  const largest = Math.min(iovaLg2, PAGE_LG2 + (maxTopLevel + 1) * INDEX_LG2 - 1);
  const oaLg2 = checkInteger('amdV1', 'oaLg2', options.oaLg2 ?? 52, 32, 52);
  return {
    name: 'amdv1',
    granuleLg2: PAGE_LG2,
    indexLg2: INDEX_LG2,
    topLevel,
    maxTopLevel,
    joinedLg2: 0,
    iovaLg2,
    signExtended: false,
    oaLg2,
    sizesLg2: Array.from({ length: MAX_SIZE_LG2 - PAGE_LG2 + 1 }, (_, i) => PAGE_LG2 + i).filter(
      (lg2) => lg2 !== MISSING_LG2 && lg2 <= Math.min(oaLg2, largest),
    ),
    replicated: true,
    partialUnmap: options.partialUnmap ?? 'whole-leaf',
    breakBeforeMake: false,
    dirty: {
      mask: { lo: PRESENT | DIRTY, hi: 0 },
      value: { lo: PRESENT | DIRTY, hi: 0 },
      bit: DIRTY,
      inverted: false,
    },
    attributeMask: { lo: ACCESSED | DIRTY, hi: FORCE_COHERENT_HI | READ_HI | WRITE_HI },
    fields: FIELDS,
    attributes: (prot): Bits => ({
      lo: 0,
      hi: always | ((prot & PROT_READ) !== 0 ? READ_HI : 0) | ((prot & PROT_WRITE) !== 0 ? WRITE_HI : 0),
    }),
    kind(lo, _hi, level) {
      if ((lo & PRESENT) === 0) return EMPTY;
      const next = lo & NEXT_LEVEL;
      return level === 0 || next === 0 || next === SIZED ? LEAF : TABLE;
    },
    leafLg2(lo, hi, level) {
      if ((lo & NEXT_LEVEL) !== SIZED) return PAGE_LG2 + level * INDEX_LG2;
      return PAGE_LG2 + 1 + firstZero(addressPage(lo, hi));
    },
    leafPage(lo, hi) {
      const field = addressPage(lo, hi);
      return (lo & NEXT_LEVEL) !== SIZED ? field : field - (2 ** firstZero(field) - 1);
    },
    tableNumber: addressNumber,
    leafLo: (page, sizeLg2, level) => addressLo(sized(page, sizeLg2, level)) | nextLevel(sizeLg2, level) | PRESENT,
    leafHi: (page, sizeLg2, level) => addressHi(sized(page, sizeLg2, level)),
    tableLo: (page, level) => addressLo(page) | (level << NEXT_LEVEL_SHIFT) | PRESENT,
    tableHi: (page) => addressHi(page) | READ_HI | WRITE_HI,
    allows: (_lo, hi, write) => (hi & (write ? WRITE_HI : READ_HI)) !== 0,
    marked: (lo, _hi, write) => lo | ACCESSED | (write ? DIRTY : 0),
  };
}

function isItem(sizeLg2: number, level: number): boolean {
  return sizeLg2 === PAGE_LG2 + level * INDEX_LG2;
}

function nextLevel(sizeLg2: number, level: number): number {
  return isItem(sizeLg2, level) ? 0 : SIZED;
}

/** The address with the run of ones that says how large the leaf is. */
function sized(page: number, sizeLg2: number, level: number): number {
  return isItem(sizeLg2, level) ? page : page + (2 ** (sizeLg2 - PAGE_LG2 - 1) - 1);
}

/** Lowest zero bit of a number of at most 52 bits. */
function firstZero(field: number): number {
  const zeros = ~field;
  if (zeros !== 0) return 31 - Math.clz32(zeros & -zeros);
  const high = ~(field / 2 ** 32);
  return 63 - Math.clz32(high & -high);
}
