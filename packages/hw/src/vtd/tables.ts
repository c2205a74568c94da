import { address, type Field, field, setFields } from '../record/fields.ts';

// Scalable-mode context entries (32 bytes), PASID directory entries (8) and PASID table entries (64): VT-d chapter 9, as far as
// attaching and page requests need them. Positions are those of Linux's pasid.h and iommu.h; left out are the memory type and snoop
// fields that no part of this model looks at, and the root table: the context table here is one table, indexed by the whole RID.

export const CONTEXT_WORDS = 8;
export const CONTEXT_FIELDS: readonly Field[] = [
  field('p', 0),
  field('fpd', 1),
  field('dte', 2),
  field('paside', 3),
  field('pre', 4),
  field('pdts', 11, 9),
  ...address('pasidDirectory', 63, 12),
  field('ridPasid', 83, 64),
  field('ridPriv', 84),
];

export const CONTEXT_P: number = 1 << 0;
export const CONTEXT_FPD: number = 1 << 1;
export const CONTEXT_DTE: number = 1 << 2;
export const CONTEXT_PASIDE: number = 1 << 3;
export const CONTEXT_PRE: number = 1 << 4;
export const CONTEXT_PDTS_SHIFT = 9;

/** A directory entry covers this many PASIDs; PDTS = n is a directory of 2^(n + 7) entries. */
export const PASIDS_PER_TABLE = 64;
export const DIRECTORY_ENTRY_WORDS = 2;
export const DIRECTORY_P: number = 1 << 0;
export const DIRECTORY_FPD: number = 1 << 1;
/** Bits 11:2. @see VirtualBox iommu-intel.h, VTD_BF_SM_PASID_DIR_ENTRY_*; so for the entry below */
export const DIRECTORY_RESERVED = 0xffc;
export const PDTS_BASE_LG2 = 7;

export const PASID_ENTRY_WORDS = 16;
export const PASID_ENTRY_FIELDS: readonly Field[] = [
  field('p', 0),
  field('fpd', 1),
  field('aw', 4, 2),
  field('pgtt', 8, 6),
  field('ssade', 9),
  ...address('secondLevel', 63, 12),
  field('did', 79, 64),
  field('pwsnp', 87),
  field('pgsnp', 88),
  field('sre', 128),
  field('ere', 129),
  field('flpm', 131, 130),
  field('wpe', 132),
  field('eafe', 135),
  ...address('firstLevel', 191, 140),
];

export const PASID_P: number = 1 << 0;
export const PASID_FPD: number = 1 << 1;
export const PGTT_SHIFT = 6;
export const PGTT_MASK: number = 7 << PGTT_SHIFT;
/** PASID granular translation types. */
export const PGTT_FIRST_LEVEL = 1;
export const PGTT_SECOND_LEVEL = 2;
export const PGTT_NESTED = 3;
export const PGTT_PASS_THROUGH = 4;
/** Reserved bits of a PASID entry in words 0 (11:10), 2 (22:16) and 4 (11:8). Newer revisions may use others, so those are not looked at. */
export const PASID_RESERVED_0 = 0xc00;
export const PASID_RESERVED_2 = 0x7f0000;
export const PASID_RESERVED_4 = 0xf00;
/** Word 0 of a PASID entry. */
export const PASID_SSADE: number = 1 << 9;
/** Word 4 of a PASID entry. */
export const PASID_SRE: number = 1 << 0;
export const PASID_ERE: number = 1 << 1;
export const PASID_FLPM_SHIFT = 2;
export const PASID_FLPM_MASK: number = 3 << PASID_FLPM_SHIFT;

/** The PASID under which a device's traffic without one is translated: RID_PASID. */
export const NO_PASID = 0;

/** What a PASID translates to. */
export interface Translation {
  readonly kind: 'identity' | 'first-level' | 'second-level' | 'nested';
  /** Domain id, 16 bits: tags the caches. */
  readonly did: number;
  /** Byte address of the first-level root, aligned to 4 KB, as two words. For first-level and nested. */
  readonly firstLevelLo?: number;
  readonly firstLevelHi?: number;
  /** Byte address of the second-level root. For second-level and nested. */
  readonly secondLevelLo?: number;
  readonly secondLevelHi?: number;
  /** Requests with supervisor privilege are let in. Default false. */
  readonly supervisor?: boolean;
  /** Requests to execute are let in. Default false. */
  readonly execute?: boolean;
  /** First-level tables of five levels, not four. Default false. */
  readonly fiveLevels?: boolean;
  /** First level: write protection counts for supervisor requests, too. Default true. */
  readonly writeProtect?: boolean;
  /** First level: extended accessed flags are set. Default false. */
  readonly extendedAccessed?: boolean;
  /** Second level: accessed and dirty bits are set. Default false. */
  readonly dirtyBits?: boolean;
}

const PGTT: Readonly<Record<Translation['kind'], number>> = {
  identity: PGTT_PASS_THROUGH,
  'first-level': PGTT_FIRST_LEVEL,
  'second-level': PGTT_SECOND_LEVEL,
  nested: PGTT_NESTED,
};
const FOUR_LEVELS = 2; // AW: 48-bit second-level tables
const FIVE_LEVELS = 1; // FLPM: 57-bit first-level tables

/** Encodes a PASID table entry. @throws IommuError EINVAL for a value that does not fit */
export function encodePasidEntry(words: Int32Array, at: number, translation: Translation): void {
  const first = translation.kind === 'first-level' || translation.kind === 'nested';
  const second = translation.kind === 'second-level' || translation.kind === 'nested';
  setFields(
    words,
    at,
    PASID_ENTRY_WORDS,
    PASID_ENTRY_FIELDS,
    {
      p: 1,
      pgtt: PGTT[translation.kind],
      did: translation.did,
      aw: first && !second ? 0 : FOUR_LEVELS,
      secondLevelLo: second ? (translation.secondLevelLo ?? 0) : 0,
      secondLevelHi: second ? (translation.secondLevelHi ?? 0) : 0,
      firstLevelLo: first ? (translation.firstLevelLo ?? 0) : 0,
      firstLevelHi: first ? (translation.firstLevelHi ?? 0) : 0,
      sre: first && translation.supervisor === true ? 1 : 0,
      ere: first && translation.execute === true ? 1 : 0,
      flpm: first && translation.fiveLevels === true ? FIVE_LEVELS : 0,
      wpe: first && translation.writeProtect !== false ? 1 : 0,
      eafe: first && translation.extendedAccessed === true ? 1 : 0,
      ssade: second && translation.dirtyBits === true ? 1 : 0,
    },
    'encodePasidEntry',
  );
}

/** Byte address of a word, as two words; and back. */
export function byteAddressLo(wordAt: number): number {
  return (wordAt << 2) >>> 0;
}
export function byteAddressHi(wordAt: number): number {
  return wordAt >>> 30;
}
/** @returns 0, which is nowhere, for an address beyond any memory here. */
export function wordOfAddress(lo: number, hi: number): number {
  return hi >>> 2 === 0 ? ((lo >>> 2) | (hi << 30)) >>> 0 : 0;
}
