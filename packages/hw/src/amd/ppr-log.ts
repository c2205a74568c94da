import { FAULT_PERM_EXEC, FAULT_PERM_PRIV, FAULT_PERM_READ, FAULT_PERM_WRITE } from '@faultline/core/iopf';
import {
  REQUEST_EXEC,
  REQUEST_LAST,
  REQUEST_PASID_VALID,
  REQUEST_PRIV,
  REQUEST_READ,
  REQUEST_WRITE,
} from '../pcie/pri-port.layout.ts';
import { address, type Field, type FieldValues, field } from '../record/fields.ts';
import type { RecordView } from '../record/view.ts';
import {
  type DecodedRecord,
  describeRecord,
  encodeRecord,
  RECORD_WORDS,
  type RecordKind,
  recordKind,
  strictRecord,
} from './records.ts';

// PPR log entries (AMD 48882, 2.6; Linux PPR_* of amd_iommu_types.h). Bits are counted from the entry's first.

export const PPR_ENTRY_WORDS: number = RECORD_WORDS;

/** The one type that there is. An entry that reads 0 has not arrived yet: the tail can move first. */
export const PPR_PAGE_SERVICE_REQUEST = 1;

/** What the two records of a page request share, this one and the event INVALID_PPR_REQUEST. */
export const PPR_FIELDS: readonly Field[] = [
  field('device', 15, 0),
  field('pasidLo', 31, 16),
  field('prgIndex', 40, 32),
  field('last', 41),
  field('pasidHi', 45, 42),
  field('exec', 49),
  field('read', 50),
  field('write', 53),
  field('user', 54),
  field('reservedNonzero', 55),
  field('gn', 56),
];

export const PPR_KINDS: readonly RecordKind[] = [
  recordKind(PPR_PAGE_SERVICE_REQUEST, 'PAGE_SERVICE_REQUEST', ...PPR_FIELDS, ...address('address', 127, 76)),
];

/** Writes an entry by the table. @throws IommuError ENOENT, EINVAL, as {@link encodeRecord} */
export function encodePprEntry(words: Int32Array, at: number, type: number, values: FieldValues): void {
  encodeRecord('encodePprEntry', PPR_KINDS, words, at, type, values);
}

/** Reads any entry, right or wrong. */
export function describePprEntry(words: Int32Array, at: number): RecordView {
  return withPasidChecked(describeRecord(PPR_KINDS, words, at));
}

/** Adds to the errors of a page request's record, here or in the event log, a PASID that nothing says is one. */
export function withPasidChecked(view: RecordView): RecordView {
  const { gn, pasidLo, pasidHi } = view.fields;
  if (gn === 0 && (pasidLo !== 0 || pasidHi !== 0)) view.errors.push('PASID without GN');
  return view;
}

/** Reads an entry that has nothing wrong with it. @throws IommuError EINVAL with everything that has */
export function decodePprEntry(words: Int32Array, at: number): DecodedRecord {
  return strictRecord('decodePprEntry', describePprEntry(words, at));
}

/** Bits 63:32 of an entry, from {@link writePprEntry} to the readers below. */
export const PPR_LAST: number = 1 << 9;
export const PPR_EXEC: number = 1 << 17;
export const PPR_READ: number = 1 << 18;
export const PPR_WRITE: number = 1 << 21;
export const PPR_USER: number = 1 << 22;
export const PPR_RESERVED: number = 1 << 23;
export const PPR_GN: number = 1 << 24;
const GROUP_MASK = 0x1ff;
const TYPE_SHIFT = 28;

/** Bits 31:0: requester and the PASID's low half. `pasid` counts only with REQUEST_PASID_VALID. */
export function pprLow(deviceId: number, pasid: number, flags: number): number {
  return (deviceId & 0xffff) | ((flags & REQUEST_PASID_VALID) !== 0 ? pasid << 16 : 0);
}

/** Bits 63:32, but for the type. Each flag of the port's record moves to its place by a power of two. */
export function pprHigh(pasid: number, prgIndex: number, flags: number): number {
  const hasPasid = flags & REQUEST_PASID_VALID;
  return (
    (prgIndex & GROUP_MASK) |
    ((flags & REQUEST_LAST) * (PPR_LAST / REQUEST_LAST)) |
    ((flags & REQUEST_EXEC) * (PPR_EXEC / REQUEST_EXEC)) |
    ((flags & REQUEST_READ) * (PPR_READ / REQUEST_READ)) |
    ((flags & REQUEST_WRITE) * (PPR_WRITE / REQUEST_WRITE)) |
    ((~flags & REQUEST_PRIV) * (PPR_USER / REQUEST_PRIV)) |
    (hasPasid * (PPR_GN / REQUEST_PASID_VALID)) |
    (hasPasid === 0 ? 0 : (pasid >>> 6) & (0xf << 10))
  );
}

/** Writes the entry of a page request. Plain: the log's tail publishes it.
 * @param flags REQUEST_* of the port's record. */
export function writePprEntry(
  words: Int32Array,
  at: number,
  deviceId: number,
  pasid: number,
  prgIndex: number,
  flags: number,
  pageLo: number,
  pageHi: number,
): void {
  words[at] = pprLow(deviceId, pasid, flags);
  words[at + 2] = pageLo << 12;
  words[at + 3] = (pageLo >>> 20) | (pageHi << 12);
  words[at + 1] = pprHigh(pasid, prgIndex, flags) | (PPR_PAGE_SERVICE_REQUEST << TYPE_SHIFT);
}

export function pprDevice(words: Int32Array, at: number): number {
  return words[at] & 0xffff;
}

export function pprPasid(words: Int32Array, at: number): number {
  return (words[at] >>> 16) | ((words[at + 1] & (0xf << 10)) << 6);
}

export function pprGroup(words: Int32Array, at: number): number {
  return words[at + 1] & GROUP_MASK;
}

/** Bits 63:32 to FAULT_PERM_*: supervisor is what is not user. @see Linux ppr_flag_to_fault_perm() */
export function pprPerm(high: number): number {
  return (
    ((high & PPR_READ) !== 0 ? FAULT_PERM_READ : 0) |
    ((high & PPR_WRITE) !== 0 ? FAULT_PERM_WRITE : 0) |
    ((high & PPR_EXEC) !== 0 ? FAULT_PERM_EXEC : 0) |
    ((high & PPR_USER) !== 0 ? 0 : FAULT_PERM_PRIV)
  );
}

/** Whether bits 63:32 are a stop marker's: last, with a PASID, asking for nothing. */
export function pprIsStopMarker(high: number): boolean {
  return (high & (PPR_LAST | PPR_GN | PPR_READ | PPR_WRITE)) === (PPR_LAST | PPR_GN);
}
