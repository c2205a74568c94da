import { IommuError } from '@faultline/core/errors';
import { FAULT_PERM_EXEC, FAULT_PERM_PRIV, FAULT_PERM_READ, FAULT_PERM_WRITE } from '@faultline/core/iopf';
import { address, type Field, type FieldValues, field, setFields } from '../record/fields.ts';
import { type RecordView, reservedBits, strictView, viewRecord } from '../record/view.ts';

// Page request descriptors, 32 bytes (VT-d 7.4.1.1). Bits are counted from the record's first; bits not named are zero.
// Older hardware (before the private data field was taken out) set bit 9 and carried 128 bits of its own in w2 and w3.

export const REQUEST_DESCRIPTOR_WORDS = 8;
export const REQUEST_DESCRIPTOR_BYTES: number = REQUEST_DESCRIPTOR_WORDS * 4;

export const PAGE_REQUEST_TYPE = 1;

export const PAGE_REQUEST_FIELDS: readonly Field[] = [
  field('type', 7, 0),
  field('pasidPresent', 8),
  field('rid', 31, 16),
  field('pasid', 51, 32),
  field('exe', 52),
  field('priv', 53),
  field('rd', 64),
  field('wr', 65),
  field('lpig', 66),
  field('prgi', 75, 67),
  ...address('address', 127, 76),
];
const RESERVED = reservedBits(PAGE_REQUEST_FIELDS, REQUEST_DESCRIPTOR_WORDS);

/** Writes a descriptor by the table, its type included. @throws IommuError ENOENT for an unknown field, EINVAL for a value that does not fit */
export function encodePageRequest(words: Int32Array, at: number, values: FieldValues): void {
  const whole = { type: PAGE_REQUEST_TYPE, ...values };
  setFields(words, at, REQUEST_DESCRIPTOR_WORDS, PAGE_REQUEST_FIELDS, whole, 'encodePageRequest');
}

/** Reads any descriptor, right or wrong: kind PAGE_REQUEST, STOP_MARKER, or '' with the type alone. */
export function describePageRequest(words: Int32Array, at: number): RecordView {
  const type = words[at] & 0xff;
  if (type !== PAGE_REQUEST_TYPE)
    return { kind: '', fields: { type }, errors: [`type ${type} is no page request queue descriptor`] };
  const kind = (words[at + 2] & (W1_RD | W1_WR | W1_LPIG)) === W1_LPIG ? 'STOP_MARKER' : 'PAGE_REQUEST';
  const view = viewRecord(words, at, kind, PAGE_REQUEST_FIELDS, RESERVED);
  if (view.fields.pasidPresent === 0 && (view.fields.pasid !== 0 || view.fields.exe === 1 || view.fields.priv === 1))
    view.errors.push('PASID, EXE or PRIV without PASID present');
  return view;
}

/** Reads a descriptor that has nothing wrong with it. @throws IommuError EINVAL for an unknown type or reserved bits */
export function decodePageRequest(words: Int32Array, at: number): RecordView {
  return strictView('decodePageRequest', describePageRequest(words, at));
}

// The fault path's codec: what a pump and the hardware do with the same bits, without an object.

export const W0_PASID_PRESENT: number = 1 << 8;
/** In the high half of w0. */
export const W0_EXE: number = 1 << 20;
export const W0_PRIV: number = 1 << 21;
/** In the low half of w1. */
export const W1_RD: number = 1 << 0;
export const W1_WR: number = 1 << 1;
export const W1_LPIG: number = 1 << 2;
const PRGI_SHIFT = 3;
const PRGI_MASK = 0x1ff;
const PASID_MASK = 0xfffff;

/** Writes a descriptor.
 * @param pasid 20 bits, or -1: no PASID, and then neither EXE nor PRIV.
 * @param perm FAULT_PERM_*; none with `last` is a stop marker.
 * @param pageLo address bits 43:12. @param pageHi address bits 63:44. */
export function writePageRequest(
  words: Int32Array,
  at: number,
  rid: number,
  pasid: number,
  perm: number,
  last: boolean,
  prgi: number,
  pageLo: number,
  pageHi: number,
): void {
  const present = pasid >= 0;
  words[at] = PAGE_REQUEST_TYPE | (rid << 16) | (present ? W0_PASID_PRESENT : 0);
  words[at + 1] = present
    ? pasid | ((perm & FAULT_PERM_EXEC) !== 0 ? W0_EXE : 0) | ((perm & FAULT_PERM_PRIV) !== 0 ? W0_PRIV : 0)
    : 0;
  words[at + 2] = (perm & (W1_RD | W1_WR)) | (last ? W1_LPIG : 0) | (prgi << PRGI_SHIFT) | (pageLo << 12);
  words[at + 3] = (pageLo >>> 20) | (pageHi << 12);
  words[at + 4] = 0;
  words[at + 5] = 0;
  words[at + 6] = 0;
  words[at + 7] = 0;
}

export function requestRid(words: Int32Array, at: number): number {
  return words[at] >>> 16;
}

/** @returns the PASID, or -1 for a request without one. */
export function requestPasid(words: Int32Array, at: number): number {
  return (words[at] & W0_PASID_PRESENT) !== 0 ? words[at + 1] & PASID_MASK : -1;
}

export function requestPrgi(words: Int32Array, at: number): number {
  return (words[at + 2] >>> PRGI_SHIFT) & PRGI_MASK;
}

export function requestIsLast(words: Int32Array, at: number): boolean {
  return (words[at + 2] & W1_LPIG) !== 0;
}

/** RD, WR, EXE and PRIV as FAULT_PERM_*: RD and WR have the same places. */
export function requestPerm(words: Int32Array, at: number): number {
  return permOfWords(words[at + 1], words[at + 2]);
}

/** {@link requestPerm} of the high half of w0 and the low half of w1. EXE and PRIV stand side by side, as EXEC and PRIV do. */
export function permOfWords(w0High: number, w1: number): number {
  return (w1 & (FAULT_PERM_READ | FAULT_PERM_WRITE)) | ((w0High >>> 18) & (FAULT_PERM_EXEC | FAULT_PERM_PRIV));
}

/** Address bits 43:12, as i32. */
export function requestPageLo(words: Int32Array, at: number): number {
  return (words[at + 2] >>> 12) | (words[at + 3] << 20);
}

/** Address bits 63:44. */
export function requestPageHi(words: Int32Array, at: number): number {
  return words[at + 3] >>> 12;
}

/** Why Linux's driver refuses a request as soon as it has read it. */
export const REQUEST_GOOD = 0;
export const REQUEST_STOP_MARKER = 1; // not refused, not reported either: it asks for nothing
export const REQUEST_NOT_CANONICAL = 2;
export const REQUEST_PRIVILEGED = 3; // PRIV with RD or WR
export const REQUEST_EXECUTE = 4; // EXE with RD
export const REQUEST_UNKNOWN_TYPE = 5; // not Linux's: it does not look at the type

/** Judges a descriptor as the driver's handler does, in its order.
 * @param signShift bits that a canonical address's sign takes in the high half of w1: 15 for 48-bit addresses, 24 for 57-bit ones.
 * @see Linux prq_event_thread() */
export function judgeRequest(words: Int32Array, at: number, signShift: number): number {
  return judgeWords(words[at], words[at + 1], words[at + 2], words[at + 3], signShift);
}

/** {@link judgeRequest} for who has the descriptor's four words in hand: the two of w0, then the two of w1. */
export function judgeWords(w0: number, w0High: number, w1: number, w1High: number, signShift: number): number {
  if ((w0 & 0xff) !== PAGE_REQUEST_TYPE) return REQUEST_UNKNOWN_TYPE;
  const sign = w1High >> signShift;
  if (sign !== 0 && sign !== -1) return REQUEST_NOT_CANONICAL;
  if ((w0High & (W0_PRIV | W0_EXE)) !== 0) {
    if ((w0High & W0_PRIV) !== 0 && (w1 & (W1_RD | W1_WR)) !== 0) return REQUEST_PRIVILEGED;
    if ((w0High & W0_EXE) !== 0 && (w1 & W1_RD) !== 0) return REQUEST_EXECUTE;
  }
  return (w1 & (W1_RD | W1_WR | W1_LPIG)) === W1_LPIG ? REQUEST_STOP_MARKER : REQUEST_GOOD;
}

/** {@link judgeRequest}'s argument. @throws IommuError EINVAL unless 48 or 57 */
export function canonicalShift(addressBits: number): number {
  if (addressBits !== 48 && addressBits !== 57)
    throw new IommuError('EINVAL', 'canonicalShift', 'addressBits', addressBits, 'must be 48 or 57');
  return addressBits - 33;
}
