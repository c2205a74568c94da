import { checkInteger } from '@faultline/core/errors';
import { type Field, type FieldValues, field, getFields, setFields } from '../record/fields.ts';

// Identification registers IDR0, IDR1, IDR3 and IDR5 (IHI 0070, 6.3.1 to 6.3.6): what an SMMU offers. Others are not modelled.

/** The four registers as four words, in this order. */
export const IDR_WORDS = 4;
export const IDR0 = 0;
export const IDR1 = 1;
export const IDR3 = 2;
export const IDR5 = 3;

const BITS = 32;
const IDR0_FIELDS: readonly Field[] = [
  field('s2p', 0),
  field('s1p', 1),
  field('ttf', 3, 2), // 2: AArch64 tables alone, 3: AArch32 too
  field('cohacc', 4),
  field('btm', 5),
  field('httu', 7, 6), // 0 none, 1 access flag, 2 dirty state too
  field('hyp', 9),
  field('ats', 10),
  field('ns1ats', 11), // 1: no split-stage ATS
  field('asid16', 12),
  field('msi', 13),
  field('sev', 14),
  field('pri', 16),
  field('vmid16', 18),
  field('cd2l', 19),
  field('ttendian', 22, 21), // 0 mixed, 2 little, 3 big
  field('stallModel', 25, 24),
  field('termModel', 26), // 1: terminated accesses abort; CD.A = 0 is illegal
  field('stLevel', 28, 27), // 1: two-level stream tables
];
const IDR1_FIELDS: readonly Field[] = [
  field('sidSize', 5, 0),
  field('ssidSize', 10, 6),
  field('priqs', 15, 11),
  field('eventqs', 20, 16),
  field('cmdqs', 25, 21),
  field('attrTypesOvr', 27),
  field('rel', 28),
  field('queuesPreset', 29),
  field('tablesPreset', 30),
];
const IDR3_FIELDS: readonly Field[] = [
  field('pps', 5), // 1: automatic responses always carry the PASID
  field('fwb', 8),
  field('stt', 9),
  field('ril', 10),
  field('bbml', 12, 11),
];
const IDR5_FIELDS: readonly Field[] = [
  field('oas', 2, 0),
  field('gran4k', 4),
  field('gran16k', 5),
  field('gran64k', 6),
  field('vax', 11, 10),
  field('stallMax', 31, 16),
];

function at(register: number, fields: readonly Field[]): Field[] {
  return fields.map(({ name, hi, lo }) => ({ name, hi: hi + register * BITS, lo: lo + register * BITS }));
}

/** Every field of the four registers; bits are counted from the first one's bit 0. */
export const IDR_FIELDS: readonly Field[] = [
  ...at(IDR0, IDR0_FIELDS),
  ...at(IDR1, IDR1_FIELDS),
  ...at(IDR3, IDR3_FIELDS),
  ...at(IDR5, IDR5_FIELDS),
];

/** STALL_MODEL. */
export const STALL_AND_TERMINATE = 0;
export const TERMINATE_ONLY = 1;
export const STALL_FORCED = 2;

/** What this model offers unless told otherwise: both stages, AArch64 tables of every granule, 48 bits, 20-bit SubstreamIDs, ATS and
 * range invalidation. Accesses are aborted, never completed as RAZ/WI (TERM_MODEL = 1). */
export const IDR_DEFAULTS: FieldValues = {
  s2p: 1,
  s1p: 1,
  ttf: 2,
  cohacc: 1,
  httu: 2,
  hyp: 1,
  ats: 1,
  ns1ats: 0,
  asid16: 1,
  msi: 1,
  sev: 1,
  vmid16: 1,
  cd2l: 1,
  ttendian: 2,
  stallModel: STALL_AND_TERMINATE,
  termModel: 1,
  stLevel: 0,
  ssidSize: 20,
  eventqs: 19,
  cmdqs: 18,
  fwb: 1,
  ril: 1,
  oas: 5,
  gran4k: 1,
  gran16k: 1,
  gran64k: 1,
};

/** Writes the four registers. @throws IommuError as setFields */
export function writeIdrs(words: Int32Array, base: number, values: FieldValues): void {
  setFields(words, base, IDR_WORDS, IDR_FIELDS, values, 'writeIdrs');
}

/** @returns the fields of the four registers by name. */
export function readIdrs(words: Int32Array, base: number): Record<string, number> {
  checkInteger('readIdrs', 'base', base, 0, words.length - IDR_WORDS);
  return getFields(words, base, IDR_FIELDS);
}

/** Output address size in bits, of an OAS, IPS or S2PS encoding. 7 is reserved and counts as the largest. */
export function addressBits(encoding: number): number {
  return [32, 36, 40, 42, 44, 48, 52, 52][encoding] ?? 52;
}
