// RISC-V Sv39, Sv48 and Sv57. A table entry is one without R, W and X. The address stands at bits 53:10.
// With Svnapot sixteen level 0 slots hold copies of one 64 KiB leaf: N set, and the low four bits of its page number 1000.
// @see RISC-V Privileged Architecture, Sv39 and Svnapot; Linux drivers/iommu/generic_pt/fmt/riscv.h
import { IommuError } from '@faultline/core/errors';
import {
  type Bits,
  type DirtyRule,
  EMPTY,
  type EntryField,
  type Format,
  LEAF,
  PAGE_LG2,
  PROT_NOEXEC,
  PROT_READ,
  PROT_WRITE,
  TABLE,
} from '../format.ts';

const VALID = 1 << 0;
const READ = 1 << 1;
const WRITE = 1 << 2;
const EXECUTE = 1 << 3;
const USER = 1 << 4;
const ACCESSED = 1 << 6;
const DIRTY = 1 << 7;
const PPN_SHIFT = 10;
const NAPOT_HI = 1 << 31;
/** What the low four bits of a 64 KiB leaf's page number say. */
const NAPOT_64K = 8;
const NAPOT_LG2 = 16;
const INDEX_LG2 = 9;

const FIELDS: readonly EntryField[] = [
  { name: 'V', hi: 0, lo: 0, where: 'both' },
  { name: 'R', hi: 1, lo: 1, where: 'both' },
  { name: 'W', hi: 2, lo: 2, where: 'both' },
  { name: 'X', hi: 3, lo: 3, where: 'both' },
  { name: 'U', hi: 4, lo: 4, where: 'leaf' },
  { name: 'G', hi: 5, lo: 5, where: 'leaf' },
  { name: 'A', hi: 6, lo: 6, where: 'leaf' },
  { name: 'D', hi: 7, lo: 7, where: 'leaf' },
  { name: 'RSW', hi: 9, lo: 8, where: 'both' },
  { name: 'PPN', hi: 53, lo: 10, where: 'both' },
  { name: 'PBMT', hi: 62, lo: 61, where: 'leaf' },
  { name: 'N', hi: 63, lo: 63, where: 'leaf' },
];

const DIRTY_RULE: DirtyRule = {
  mask: { lo: VALID | DIRTY, hi: 0 },
  value: { lo: VALID | DIRTY, hi: 0 },
  bit: DIRTY,
  inverted: false,
};

export interface RiscvSvOptions {
  /** 39, 48 or 57. Default 48. */
  readonly mode?: number;
  /** 64 KiB leaves. */
  readonly svnapot?: boolean;
  /** Hardware sets D on a first write (GADE or SADE): leaves are born clean, and dirtiness can be read. Otherwise D is set in
   * advance. */
  readonly hardwareDirty?: boolean;
}

/** @throws IommuError EINVAL */
export function riscvSv(options: RiscvSvOptions = {}): Format {
  const mode = options.mode ?? 48;
  if (mode !== 39 && mode !== 48 && mode !== 57)
    throw new IommuError('EINVAL', 'riscvSv', 'mode', mode, 'must be 39, 48 or 57');
  const topLevel = (mode - PAGE_LG2) / INDEX_LG2 - 1;
  const items = Array.from({ length: topLevel + 1 }, (_, level) => PAGE_LG2 + level * INDEX_LG2);
  const written = options.hardwareDirty === true ? WRITE | READ : WRITE | READ | DIRTY;
  const [first, ...others] = items;
  return {
    name: `riscv-sv${mode}`,
    granuleLg2: PAGE_LG2,
    indexLg2: INDEX_LG2,
    topLevel,
    maxTopLevel: topLevel,
    joinedLg2: 0,
    iovaLg2: mode,
    signExtended: true,
    oaLg2: 56,
    sizesLg2: options.svnapot === true ? [first, NAPOT_LG2, ...others] : items,
    replicated: true,
    partialUnmap: 'whole-leaf',
    breakBeforeMake: false,
    ...(options.hardwareDirty === true ? { dirty: DIRTY_RULE } : {}),
    attributeMask: { lo: READ | WRITE | EXECUTE | USER | ACCESSED | DIRTY, hi: 0 },
    fields: FIELDS,
    attributes(prot): Bits {
      const lo =
        ACCESSED |
        USER |
        ((prot & PROT_WRITE) !== 0 ? written : 0) |
        ((prot & PROT_READ) !== 0 ? READ : 0) |
        ((prot & PROT_NOEXEC) !== 0 ? 0 : EXECUTE);
      return { lo, hi: 0 };
    },
    kind(lo, _hi, level) {
      if ((lo & VALID) === 0) return EMPTY;
      return level === 0 || (lo & (READ | WRITE | EXECUTE)) !== 0 ? LEAF : TABLE;
    },
    leafLg2: (_lo, hi, level) => ((hi & NAPOT_HI) !== 0 ? NAPOT_LG2 : PAGE_LG2 + level * INDEX_LG2),
    leafPage(lo, hi) {
      const page = ppnOf(lo, hi);
      return (hi & NAPOT_HI) !== 0 ? page - (page % 16) : page;
    },
    tableNumber: (lo, hi) => ((hi & 0x3fffc0) === 0 ? ((hi & 0x3f) << 22) | (lo >>> PPN_SHIFT) : -1),
    leafLo: (page, sizeLg2) => ppnLo(sizeLg2 === NAPOT_LG2 ? page + NAPOT_64K : page) | VALID,
    leafHi: (page, sizeLg2) => ppnHi(page) | (sizeLg2 === NAPOT_LG2 ? NAPOT_HI : 0),
    tableLo: (page) => ppnLo(page) | VALID,
    tableHi: ppnHi,
    allows: (lo, _hi, write) => (lo & (write ? WRITE : READ)) !== 0,
    marked: (lo, _hi, write) => lo | ACCESSED | (write ? DIRTY : 0),
  };
}

function ppnLo(page: number): number {
  return page << PPN_SHIFT;
}
function ppnHi(page: number): number {
  return (page / 2 ** 22) | 0;
}
function ppnOf(lo: number, hi: number): number {
  return (hi & 0x3fffff) * 2 ** 22 + (lo >>> PPN_SHIFT);
}
