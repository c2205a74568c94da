import { FAULT_PERM_EXEC, FAULT_PERM_PRIV } from '@faultline/core/iopf';
import { address, type Field, type FieldValues, field, setFields } from '../record/fields.ts';
import { type RecordView, reservedBits, strictView, viewRecord } from '../record/view.ts';
import { FAULT_REASONS } from './registers.ts';

// Fault recording registers, 16 bytes each (VT-d 11.4.9, FRCD): what cannot be answered by anybody is said here.
// Linux reads F, T1, FR, PASID, PP and the source (dma_frcd_*()); the order F, T, AT, PN, FR, PP, EXE, PRIV is also in Intel's public
// register documentation. T2, and what the two say, is as in VirtualBox's iommu-intel.h (VTD_BF_1_FRCD_REG_*, VTDREQTYPE).

export const FAULT_RECORD_WORDS = 4;

export const FAULT_RECORD_FIELDS: readonly Field[] = [
  ...address('address', 63, 12),
  field('sid', 79, 64),
  field('t2', 92),
  field('priv', 93),
  field('exe', 94),
  field('pasidPresent', 95),
  field('reason', 103, 96),
  field('pasid', 123, 104),
  field('at', 125, 124),
  field('t1', 126),
  field('f', 127),
];
const RESERVED = reservedBits(FAULT_RECORD_FIELDS, FAULT_RECORD_WORDS);

/** The record holds a fault that software has not taken; write-1-to-clear. In the last word. */
export const FRCD_F: number = 1 << 31;
/** The kind of request, T1 and T2 as one number. */
export const FAULT_OF_WRITE = 0;
export const FAULT_OF_PAGE_REQUEST = 1;
export const FAULT_OF_READ = 2;
export const FAULT_OF_ATOMIC = 3;
const T2_BIT: number = 1 << 28; // in word 2; T1, in word 3, stays clear: a page request
const PRIV_BIT: number = 1 << 29;
const EXE_BIT: number = 1 << 30;
const PP_BIT: number = 1 << 31;

/** @throws IommuError ENOENT for an unknown field, EINVAL for a value that does not fit */
export function encodeFaultRecord(words: Int32Array, at: number, values: FieldValues): void {
  setFields(words, at, FAULT_RECORD_WORDS, FAULT_RECORD_FIELDS, values, 'encodeFaultRecord');
}

/** FAULT_OF_*, of a record's fields. */
export function faultOf({ t1, t2 }: FieldValues): number {
  return t1 * 2 + t2;
}

/** Reads any record, right or wrong. */
export function describeFaultRecord(words: Int32Array, at: number): RecordView {
  const view = viewRecord(words, at, 'FAULT', FAULT_RECORD_FIELDS, RESERVED);
  if (view.fields.f === 0) view.errors.push('F is clear: no fault is recorded here');
  if (!FAULT_REASONS.has(view.fields.reason))
    view.errors.push(`reason 0x${view.fields.reason.toString(16)} is none of a page request's`);
  return view;
}

/** @throws IommuError EINVAL for reserved bits, an empty record or an unknown reason */
export function decodeFaultRecord(words: Int32Array, at: number): RecordView {
  return strictView('decodeFaultRecord', describeFaultRecord(words, at));
}

/** Writes the record of a page request that met a table error, all but the word with F: {@link faultLastWord} publishes it.
 * @param pasid or -1. @param perm FAULT_PERM_*, of which EXEC and PRIV are said. */
export function writeFaultRecord(
  words: Int32Array,
  at: number,
  rid: number,
  pasid: number,
  perm: number,
  pageLo: number,
  pageHi: number,
): void {
  words[at] = pageLo << 12;
  words[at + 1] = (pageLo >>> 20) | (pageHi << 12);
  words[at + 2] =
    rid |
    T2_BIT |
    ((perm & FAULT_PERM_PRIV) !== 0 ? PRIV_BIT : 0) |
    ((perm & FAULT_PERM_EXEC) !== 0 ? EXE_BIT : 0) |
    (pasid >= 0 ? PP_BIT : 0);
}

export function faultLastWord(reason: number, pasid: number): number {
  return FRCD_F | (pasid >= 0 ? pasid << 8 : 0) | reason;
}
