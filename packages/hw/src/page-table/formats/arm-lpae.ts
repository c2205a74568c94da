// Arm's long-descriptor format (VMSAv8-64), stages 1 and 2, with 4, 16 and 64 KiB granules. The file's levels count from the
// leaves up, as everywhere here: Arm's level is 3 minus ours.
// The Contiguous bit makes one leaf of several slots, each with its own address; Linux's mainline never sets it.
// @see Arm ARM D8.3, D8.5, D8.7; Linux drivers/iommu/io-pgtable-arm.c
import { IommuError } from '@faultline/core/errors';
import {
  addressHi,
  addressLo,
  addressNumber,
  addressPage,
  type Bits,
  type DirtyRule,
  EMPTY,
  type EntryField,
  type Format,
  LEAF,
  PAGE_LG2,
  PROT_CACHE,
  PROT_MMIO,
  PROT_NOEXEC,
  PROT_PRIV,
  PROT_READ,
  PROT_WRITE,
  TABLE,
} from '../format.ts';

const VALID = 1 << 0;
/** With VALID: a table, or a page at our level 0. Without: a block. */
const TABLE_OR_PAGE = 1 << 1;
const ATTR_INDEX_SHIFT = 2;
const S1_UNPRIVILEGED = 1 << 6;
const S1_READ_ONLY = 1 << 7;
const S2_READ = 1 << 6;
const S2_WRITE = 1 << 7;
const INNER_SHAREABLE = 3 << 8;
const OUTER_SHAREABLE = 2 << 8;
const ACCESS_FLAG = 1 << 10;
const S1_NOT_GLOBAL = 1 << 11;
/** Bits 11:2. */
const LOWER_ATTRIBUTES = 0xffc;
const DBM_HI = 1 << 19;
const CONTIGUOUS_HI = 1 << 20;
const EXECUTE_NEVER_HI = 3 << 21;

/** MAIR slots of stage 1. */
const S1_WRITE_BACK = 1;
const S1_DEVICE = 2;
const S2_WRITE_BACK = 0xf;
const S2_FORCED_WRITE_BACK = 6;
const S2_NON_CACHEABLE = 5;
const S2_DEVICE = 1;

/** log2 of a contiguous group's slots, by granule and by our level; 0 for none. */
const CONTIGUOUS_LG2: Readonly<Record<number, readonly number[]>> = {
  12: [4, 4, 4, 0],
  14: [7, 5, 0, 0],
  16: [5, 5, 0, 0],
};
const ITEM_SIZES: Readonly<Record<number, readonly number[]>> = { 12: [12, 21, 30], 14: [14, 25], 16: [16, 29] };
const LARGEST_64K_LG2 = 42;
const MAX_JOINED_LG2 = 4;

const FIELDS: readonly EntryField[] = [
  { name: 'VALID', hi: 0, lo: 0, where: 'both' },
  { name: 'TYPE', hi: 1, lo: 1, where: 'both' },
  { name: 'OA', hi: 47, lo: 12, where: 'both' },
  { name: 'SH', hi: 9, lo: 8, where: 'leaf' },
  { name: 'AF', hi: 10, lo: 10, where: 'leaf' },
  { name: 'DBM', hi: 51, lo: 51, where: 'leaf' },
  { name: 'CONTIGUOUS', hi: 52, lo: 52, where: 'leaf' },
  { name: 'XN', hi: 54, lo: 53, where: 'leaf' },
];
const S1_FIELDS: readonly EntryField[] = [
  ...FIELDS,
  { name: 'ATTR_INDX', hi: 4, lo: 2, where: 'leaf' },
  { name: 'NS', hi: 5, lo: 5, where: 'leaf' },
  { name: 'AP_UNPRIV', hi: 6, lo: 6, where: 'leaf' },
  { name: 'AP_READ_ONLY', hi: 7, lo: 7, where: 'leaf' },
  { name: 'NG', hi: 11, lo: 11, where: 'leaf' },
  { name: 'NSTABLE', hi: 63, lo: 63, where: 'table' },
];
const S2_FIELDS: readonly EntryField[] = [
  ...FIELDS,
  { name: 'MEM_ATTR', hi: 5, lo: 2, where: 'leaf' },
  { name: 'S2AP_READ', hi: 6, lo: 6, where: 'leaf' },
  { name: 'S2AP_WRITE', hi: 7, lo: 7, where: 'leaf' },
];

/** Dirty: DBM, and the write right given. */
const S1_DIRTY: DirtyRule = {
  mask: { lo: VALID | S1_READ_ONLY, hi: DBM_HI },
  value: { lo: VALID, hi: DBM_HI },
  bit: S1_READ_ONLY,
  inverted: true,
};
const S2_DIRTY: DirtyRule = {
  mask: { lo: VALID | S2_WRITE, hi: DBM_HI },
  value: { lo: VALID | S2_WRITE, hi: DBM_HI },
  bit: S2_WRITE,
  inverted: false,
};

export interface ArmLpaeOptions {
  readonly stage: 1 | 2;
  /** log2 of the granule: 12, 14 or 16. Default 12. */
  readonly granuleLg2?: number;
  /** Bits of an input address, 32 to 48, or 52 with 64 KiB. Default 48. */
  readonly iasLg2?: number;
  /** Bits of an output address. Default 48. */
  readonly oasLg2?: number;
  /** Offer the sizes of contiguous groups. */
  readonly contiguous?: boolean;
  /** Stage 2: cached leaves force write-back whatever stage 1 says (S2FWB). */
  readonly forceWriteBack?: boolean;
  /** Writable leaves carry DBM, and are born dirty. Mainline offers it at stage 1 only. */
  readonly dirty?: boolean;
}

/** @throws IommuError EINVAL naming the option that is out of range, or a root of more than 16 joined tables. */
export function armLpae(options: ArmLpaeOptions): Format {
  const { stage } = options;
  const granuleLg2 = options.granuleLg2 ?? 12;
  const iasLg2 = options.iasLg2 ?? 48;
  const oasLg2 = options.oasLg2 ?? 48;
  const widest = granuleLg2 === 16 ? 52 : 48;
  checkChoice('stage', stage, [1, 2]);
  checkChoice('granuleLg2', granuleLg2, [12, 14, 16]);
  checkWidth('iasLg2', iasLg2, widest);
  checkWidth('oasLg2', oasLg2, widest);

  const indexLg2 = granuleLg2 - 3;
  const { topLevel, joinedLg2 } = rootOf(stage, granuleLg2, iasLg2, oasLg2);
  const groups = options.contiguous === true ? CONTIGUOUS_LG2[granuleLg2] : [0, 0, 0, 0];
  const itemSizes =
    granuleLg2 === 16 && oasLg2 > 48 ? [...ITEM_SIZES[granuleLg2], LARGEST_64K_LG2] : ITEM_SIZES[granuleLg2];
  const items = itemSizes.filter((_, level) => level <= topLevel);
  const sizesLg2 = items.flatMap((item, level) => (groups[level] === 0 ? [item] : [item, item + groups[level]]));
  const wide = granuleLg2 === 16;
  const allGroups = CONTIGUOUS_LG2[granuleLg2];
  const itemLg2 = (level: number): number => granuleLg2 + level * indexLg2;
  const lo = wide ? wideLo : addressLo;
  const hi = wide ? narrowHi : addressHi;
  const page = wide ? widePage : narrowPage;
  const isStage1 = stage === 1;
  const cached = options.forceWriteBack === true ? S2_FORCED_WRITE_BACK : S2_WRITE_BACK;
  const granuleShift = granuleLg2 - PAGE_LG2;

  return {
    name: `arm-lpae-s${stage}-${2 ** (granuleLg2 - 10)}k`,
    granuleLg2,
    indexLg2,
    topLevel,
    maxTopLevel: topLevel,
    joinedLg2,
    iovaLg2: iasLg2,
    signExtended: false,
    oaLg2: oasLg2,
    sizesLg2: sizesLg2.sort((a, b) => a - b),
    replicated: false,
    partialUnmap: 'refuse',
    breakBeforeMake: true,
    ...(options.dirty === true ? { dirty: isStage1 ? S1_DIRTY : S2_DIRTY } : {}),
    attributeMask: { lo: LOWER_ATTRIBUTES, hi: DBM_HI | EXECUTE_NEVER_HI },
    fields: isStage1 ? S1_FIELDS : S2_FIELDS,
    attributes: (prot): Bits =>
      isStage1
        ? stage1Attributes(prot, options.dirty === true)
        : stage2Attributes(prot, options.dirty === true, cached),
    kind(entryLo, _hi, level) {
      if ((entryLo & VALID) === 0) return EMPTY;
      return level === 0 || (entryLo & TABLE_OR_PAGE) === 0 ? LEAF : TABLE;
    },
    leafLg2: (_lo, entryHi, level) => itemLg2(level) + ((entryHi & CONTIGUOUS_HI) !== 0 ? allGroups[level] : 0),
    leafPage: page,
    // A table of a 64 KiB granule is one: its address's own bits 15:12 are zero, and those in their place are too high.
    tableNumber: (entryLo, entryHi) =>
      wide && (entryLo & 0xf000) !== 0 ? -1 : addressNumber(entryLo, entryHi & 0xffff) >> granuleShift,
    leafLo: (at, _sizeLg2, level) => lo(at) | VALID | (level === 0 ? TABLE_OR_PAGE : 0),
    leafHi: (at, sizeLg2, level) => hi(at) | (sizeLg2 === itemLg2(level) ? 0 : CONTIGUOUS_HI),
    tableLo: (at) => lo(at) | VALID | TABLE_OR_PAGE,
    tableHi: (at) => hi(at),
    allows(entryLo, entryHi, write) {
      if (!write) return isStage1 || (entryLo & S2_READ) !== 0;
      if ((entryHi & DBM_HI) !== 0) return true;
      return isStage1 ? (entryLo & S1_READ_ONLY) === 0 : (entryLo & S2_WRITE) !== 0;
    },
    marked(entryLo, entryHi, write) {
      const accessed = entryLo | ACCESS_FLAG;
      if (!write || (entryHi & DBM_HI) === 0) return accessed;
      return isStage1 ? accessed & ~S1_READ_ONLY : accessed | S2_WRITE;
    },
  };
}

function stage1Attributes(prot: number, dirty: boolean): Bits {
  const readOnly = (prot & PROT_WRITE) === 0;
  let lo = ACCESS_FLAG | S1_NOT_GLOBAL | shareability(prot);
  if (readOnly) lo |= S1_READ_ONLY;
  if ((prot & PROT_PRIV) === 0) lo |= S1_UNPRIVILEGED;
  if ((prot & PROT_MMIO) !== 0) lo |= S1_DEVICE << ATTR_INDEX_SHIFT;
  else if ((prot & PROT_CACHE) !== 0) lo |= S1_WRITE_BACK << ATTR_INDEX_SHIFT;
  return { lo, hi: executeNever(prot) | (dirty && !readOnly ? DBM_HI : 0) };
}

function stage2Attributes(prot: number, dirty: boolean, cached: number): Bits {
  let lo = ACCESS_FLAG | shareability(prot);
  if ((prot & PROT_READ) !== 0) lo |= S2_READ;
  if ((prot & PROT_WRITE) !== 0) lo |= S2_WRITE;
  if ((prot & PROT_MMIO) !== 0) lo |= S2_DEVICE << ATTR_INDEX_SHIFT;
  else lo |= ((prot & PROT_CACHE) !== 0 ? cached : S2_NON_CACHEABLE) << ATTR_INDEX_SHIFT;
  return { lo, hi: executeNever(prot) | (dirty && (prot & PROT_WRITE) !== 0 ? DBM_HI : 0) };
}

function shareability(prot: number): number {
  return (prot & PROT_CACHE) !== 0 ? INNER_SHAREABLE : OUTER_SHAREABLE;
}
function executeNever(prot: number): number {
  return (prot & PROT_NOEXEC) !== 0 ? EXECUTE_NEVER_HI : 0;
}

/** Root level, and how many tables are joined to it where the architecture demands that of a stage 2. */
function rootOf(
  stage: number,
  granuleLg2: number,
  iasLg2: number,
  oasLg2: number,
): { topLevel: number; joinedLg2: number } {
  const indexLg2 = granuleLg2 - 3;
  const topLevel = Math.ceil((iasLg2 - granuleLg2) / indexLg2) - 1;
  const armStart = 3 - topLevel;
  const joined =
    stage === 2 &&
    ((granuleLg2 === 14 && armStart === 0 && (iasLg2 === 48 || oasLg2 === 48)) ||
      (granuleLg2 === 12 && armStart === 0 && (oasLg2 === 40 || oasLg2 === 42)) ||
      (granuleLg2 === 14 && armStart === 1 && oasLg2 === 40));
  if (!joined) return { topLevel, joinedLg2: 0 };
  const joinedLg2 = iasLg2 - granuleLg2 - topLevel * indexLg2;
  if (joinedLg2 > MAX_JOINED_LG2)
    throw new IommuError('EINVAL', 'armLpae', 'iasLg2', iasLg2, `would join ${2 ** joinedLg2} tables, 16 at most`);
  return { topLevel: topLevel - 1, joinedLg2 };
}

function checkChoice(field: string, value: number, choices: readonly number[]): void {
  if (!choices.includes(value))
    throw new IommuError('EINVAL', 'armLpae', field, value, `must be one of ${choices.join(', ')}`);
}

function checkWidth(field: string, value: number, widest: number): void {
  if (!Number.isInteger(value) || value < 32 || (value > 48 && value !== widest))
    throw new IommuError('EINVAL', 'armLpae', field, value, 'must be from 32 to 48, or 52 with a granule of 64 KiB');
}

// Bits 47:12. Address bits 51:48 are none of theirs here: Contiguous and DBM stand there.
function narrowPage(lo: number, hi: number): number {
  return addressPage(lo, hi & 0xffff);
}

// With 64 KiB the address's own bits 15:12 are zero, and carry its bits 51:48 instead.
function wideLo(page: number): number {
  return (addressLo(page) & ~0xffff) | ((page / 2 ** 24) & 0xf000);
}
function narrowHi(page: number): number {
  return addressHi(page) & 0xffff;
}
function widePage(lo: number, hi: number): number {
  return ((lo >>> 12) & 0xf) * 2 ** 36 + (hi & 0xffff) * 2 ** 20 + ((lo >>> 16) << 4);
}
