// x86-64 tables as VT-d's first stage and AMD's v2 format use them. Accessed and dirty are set in advance, so that hardware never
// writes to the table: there is no dirty tracking.
// @see Intel VT-d Specification 9.7; Linux drivers/iommu/generic_pt/fmt/x86_64.h
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
  PROT_WRITE,
  TABLE,
} from '../format.ts';

const PRESENT = 1 << 0;
const WRITE = 1 << 1;
const USER = 1 << 2;
const ACCESSED = 1 << 5;
const DIRTY = 1 << 6;
const PAGE_SIZE = 1 << 7;
const NO_EXECUTE_HI = 1 << 31;
const INDEX_LG2 = 9;

const FIELDS: readonly EntryField[] = [
  { name: 'P', hi: 0, lo: 0, where: 'both' },
  { name: 'RW', hi: 1, lo: 1, where: 'both' },
  { name: 'U', hi: 2, lo: 2, where: 'both' },
  { name: 'A', hi: 5, lo: 5, where: 'both' },
  { name: 'D', hi: 6, lo: 6, where: 'leaf' },
  { name: 'PS', hi: 7, lo: 7, where: 'both' },
  { name: 'OA', hi: 51, lo: 12, where: 'both' },
  { name: 'XD', hi: 63, lo: 63, where: 'both' },
];

export interface X86FirstStageOptions {
  /** 4 (48 bits) or 5 (57 bits). Default 4. */
  readonly levels?: number;
  /** Both halves of the address space. Without it only the lower one, of one bit less: AMD's v2 format at PASID 0. Default true. */
  readonly signExtended?: boolean;
}

/** @throws IommuError EINVAL */
export function x86FirstStage(options: X86FirstStageOptions = {}): Format {
  const levels = checkInteger('x86FirstStage', 'levels', options.levels ?? 4, 4, 5);
  const signExtended = options.signExtended ?? true;
  return {
    name: 'x86-first-stage',
    granuleLg2: PAGE_LG2,
    indexLg2: INDEX_LG2,
    topLevel: levels - 1,
    maxTopLevel: levels - 1,
    joinedLg2: 0,
    iovaLg2: PAGE_LG2 + levels * INDEX_LG2 - (signExtended ? 0 : 1),
    signExtended,
    oaLg2: 52,
    sizesLg2: [12, 21, 30],
    replicated: false,
    partialUnmap: 'whole-leaf',
    breakBeforeMake: false,
    attributeMask: { lo: WRITE | USER | ACCESSED | DIRTY, hi: NO_EXECUTE_HI },
    fields: FIELDS,
    attributes: (prot): Bits => ({ lo: USER | ACCESSED | ((prot & PROT_WRITE) !== 0 ? WRITE | DIRTY : 0), hi: 0 }),
    kind(lo, _hi, level) {
      if ((lo & PRESENT) === 0) return EMPTY;
      return level === 0 || (lo & PAGE_SIZE) !== 0 ? LEAF : TABLE;
    },
    leafLg2: (_lo, _hi, level) => PAGE_LG2 + level * INDEX_LG2,
    leafPage: addressPage,
    tableNumber: addressNumber,
    leafLo: (page, _sizeLg2, level) => addressLo(page) | PRESENT | (level === 0 ? 0 : PAGE_SIZE),
    leafHi: addressHi,
    tableLo: (page) => addressLo(page) | PRESENT | WRITE | USER | ACCESSED,
    tableHi: addressHi,
    allows: (lo, _hi, write) => !write || (lo & WRITE) !== 0,
    marked: (lo, _hi, write) => lo | ACCESSED | (write ? DIRTY : 0),
  };
}
