// VT-d second stage. It has no present bit: an entry is empty when all of its 64 bits are zero.
// @see Intel VT-d Specification 9.8; Linux drivers/iommu/generic_pt/fmt/vtdss.h
import { IommuError } from '@faultline/core/errors';
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
  PROT_READ,
  PROT_WRITE,
  TABLE,
} from '../format.ts';

const READ = 1 << 0;
const WRITE = 1 << 1;
const PAGE_SIZE = 1 << 7;
const ACCESSED = 1 << 8;
const DIRTY = 1 << 9;
const SNOOP = 1 << 11;
const INDEX_LG2 = 9;

const FIELDS: readonly EntryField[] = [
  { name: 'R', hi: 0, lo: 0, where: 'both' },
  { name: 'W', hi: 1, lo: 1, where: 'both' },
  { name: 'PS', hi: 7, lo: 7, where: 'both' },
  { name: 'A', hi: 8, lo: 8, where: 'leaf' },
  { name: 'D', hi: 9, lo: 9, where: 'leaf' },
  { name: 'SNP', hi: 11, lo: 11, where: 'leaf' },
  { name: 'OA', hi: 51, lo: 12, where: 'both' },
];

export interface VtdSecondStageOptions {
  /** Bits of an input address: above 30, up to 57. Default 48. More than 48 take five levels, more than 39 four, else three. */
  readonly iovaLg2?: number;
  /** Every leaf carries SNP. */
  readonly forceCoherent?: boolean;
  /** Parent of nested domains on parts with erratum 772415: read-only mappings are refused. */
  readonly forceWriteable?: boolean;
}

/** @throws IommuError EOPNOTSUPP for a width without a table layout. */
export function vtdSecondStage(options: VtdSecondStageOptions = {}): Format {
  const iovaLg2 = options.iovaLg2 ?? 48;
  if (!Number.isInteger(iovaLg2) || iovaLg2 <= 30 || iovaLg2 > 57)
    throw new IommuError('EOPNOTSUPP', 'vtdSecondStage', 'iovaLg2', iovaLg2, 'must be a whole number from 31 to 57');
  const always = options.forceCoherent === true ? SNOOP : 0;
  const forceWriteable = options.forceWriteable === true;
  return {
    name: 'vtd-second-stage',
    granuleLg2: PAGE_LG2,
    indexLg2: INDEX_LG2,
    topLevel: topLevelOf(iovaLg2),
    maxTopLevel: topLevelOf(iovaLg2),
    joinedLg2: 0,
    iovaLg2,
    signExtended: false,
    oaLg2: 52,
    sizesLg2: [12, 21, 30],
    replicated: false,
    partialUnmap: 'whole-leaf',
    breakBeforeMake: false,
    dirty: { mask: { lo: DIRTY, hi: 0 }, value: { lo: DIRTY, hi: 0 }, bit: DIRTY, inverted: false },
    attributeMask: { lo: READ | WRITE | ACCESSED | DIRTY | SNOOP, hi: 0 },
    fields: FIELDS,
    attributes(prot): Bits {
      if (forceWriteable && (prot & PROT_WRITE) === 0)
        throw new IommuError('EINVAL', 'vtdSecondStage', 'prot', prot, 'read-only mappings are refused here');
      return {
        lo: always | ((prot & PROT_READ) !== 0 ? READ : 0) | ((prot & PROT_WRITE) !== 0 ? WRITE : 0),
        hi: 0,
      };
    },
    kind(lo, hi, level) {
      if ((lo | hi) === 0) return EMPTY;
      return level === 0 || (lo & PAGE_SIZE) !== 0 ? LEAF : TABLE;
    },
    leafLg2: (_lo, _hi, level) => PAGE_LG2 + level * INDEX_LG2,
    leafPage: addressPage,
    tableNumber: addressNumber,
    leafLo: (page, _sizeLg2, level) => addressLo(page) | (level === 0 ? 0 : PAGE_SIZE),
    leafHi: addressHi,
    tableLo: (page) => addressLo(page) | READ | WRITE,
    tableHi: addressHi,
    allows: (lo, _hi, write) => (lo & (write ? WRITE : READ)) !== 0,
    marked: (lo, _hi, write) => lo | ACCESSED | (write ? DIRTY : 0),
  };
}

function topLevelOf(iovaLg2: number): number {
  if (iovaLg2 > 48) return 4;
  return iovaLg2 > 39 ? 3 : 2;
}
