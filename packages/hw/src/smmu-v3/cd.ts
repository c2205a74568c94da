import { address, type Field, type FieldValues, field, getFields, setFields } from '../record/fields.ts';
import { addressBits, STALL_FORCED, TERMINATE_ONLY } from './id-registers.ts';
import { granuleOffered, illegalEndian, outOfRange } from './ste.ts';

// Context descriptors, 64 bytes, and the first level of a table of them, 8 bytes (IHI 0070, 5.3 and 5.4), with what makes one illegal
// (5.4.2, CdIllegal). Left out: as in ste.ts, and the hierarchical-attribute and translation-hardening bits of words 1 and 2.

export const CD_WORDS = 16;
export const L1CD_WORDS = 2;
/** Descriptors in a 64 KiB second-level table, log2; in a 4 KiB one. */
export const CD_LEAF_64K_LG2 = 10;
export const CD_LEAF_4K_LG2 = 6;

export const CD_FIELDS: readonly Field[] = [
  field('t0sz', 5, 0),
  field('tg0', 7, 6),
  field('ir0', 9, 8),
  field('or0', 11, 10),
  field('sh0', 13, 12),
  field('epd0', 14),
  field('endi', 15),
  field('t1sz', 21, 16),
  field('tg1', 23, 22),
  field('ir1', 25, 24),
  field('or1', 27, 26),
  field('sh1', 29, 28),
  field('epd1', 30),
  field('v', 31),
  field('ips', 34, 32),
  field('affd', 35),
  field('wxn', 36),
  field('uwxn', 37),
  field('tbi0', 38),
  field('tbi1', 39),
  field('pan', 40),
  field('aa64', 41),
  field('hd', 42),
  field('ha', 43),
  field('s', 44),
  field('r', 45),
  field('a', 46),
  field('aset', 47),
  field('asid', 63, 48),
  ...address('ttb0', 119, 68),
  ...address('ttb1', 183, 132),
  field('mair0', 223, 192),
  field('mair1', 255, 224),
];

export const L1CD_FIELDS: readonly Field[] = [field('v', 0), ...address('l2Ptr', 55, 12)];

/** Writes a descriptor; fields not named are zero. The hardware must not be reading it: see entry-writer.ts for one in use.
 * @throws IommuError ENOENT for an unknown field, EINVAL for a value that does not fit. */
export function encodeCd(words: Int32Array, at: number, values: FieldValues): void {
  setFields(words, at, CD_WORDS, CD_FIELDS, values, 'encodeCd');
}

export function decodeCd(words: Int32Array, at: number): Record<string, number> {
  return getFields(words, at, CD_FIELDS);
}

/** Writes a first-level descriptor that points at the table at word offset `tableAt`. */
export function writeL1Cd(words: Int32Array, at: number, tableAt: number): void {
  words[at] = (tableAt << 2) | 1;
  words[at + 1] = tableAt >>> 30;
}

/** @returns the field that makes a descriptor illegal, so that its use is C_BAD_CD, or '' for a legal one. `v` when V is 0.
 * @param ste the entry it is reached through; @param idrs what the SMMU offers. */
export function cdIllegal(cd: FieldValues, ste: FieldValues, idrs: FieldValues): string {
  if (cd.v === 0) return 'v';
  if (ste.s1STALLD === 1 && cd.s === 1) return 's';
  if (idrs.termModel === 1 && cd.a === 0) return 'a';
  if (idrs.stallModel === TERMINATE_ONLY && cd.s === 1) return 's';
  if (idrs.stallModel === STALL_FORCED && cd.s === 0) return 's';
  if ((cd.epd0 === 0 || cd.epd1 === 0) && illegalEndian(cd.endi, idrs)) return 'endi';
  if (cd.aa64 === 0 || (idrs.ttf & 2) === 0) return 'aa64';
  if ((cd.ha === 1 || cd.hd === 1) && idrs.httu === 0) return cd.ha === 1 ? 'ha' : 'hd';
  if (cd.hd === 1 && idrs.httu === 1) return 'hd';
  if (idrs.asid16 === 0 && cd.asid > 0xff && (ste.strw & 2) === 0) return 'asid';
  return illegalTables(cd, idrs);
}

function illegalTables(cd: FieldValues, idrs: FieldValues): string {
  const tg1 = [3, 2, 0, 1][cd.tg1] ?? 3; // TG1 counts 1 16 KiB, 2 4 KiB, 3 64 KiB; 0 is reserved
  if (cd.epd0 === 0) {
    if (!sizeFits(cd.t0sz, cd.tg0, idrs)) return 't0sz';
    if (!granuleOffered(cd.tg0, idrs)) return 'tg0';
    if (outOfRange(cd.ttb0Hi, tableBits(cd.ips, cd.tg0, idrs))) return 'ttb0';
  }
  if (cd.epd1 === 0) {
    if (!sizeFits(cd.t1sz, tg1, idrs)) return 't1sz';
    if (!granuleOffered(tg1, idrs)) return 'tg1';
    if (outOfRange(cd.ttb1Hi, tableBits(cd.ips, tg1, idrs))) return 'ttb1';
  }
  return '';
}

function sizeFits(size: number, tg: number, idrs: FieldValues): boolean {
  const shortest = idrs.vax === 1 && tg === 1 ? 12 : 16;
  const longest = idrs.stt !== 1 ? 39 : tg === 1 ? 47 : 48;
  return size >= shortest && size <= longest;
}

function tableBits(ips: number, tg: number, idrs: FieldValues): number {
  return Math.min(addressBits(ips), addressBits(idrs.oas), tg === 1 ? 52 : 48);
}
