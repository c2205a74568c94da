import { FAULT_PERM_EXEC, FAULT_PERM_PRIV, FAULT_PERM_READ, FAULT_PERM_WRITE } from '@faultline/core/iopf';
import { address, type Field, type FieldValues, field, getFields, setFields } from '../record/fields.ts';
import type { RecordView } from '../record/view.ts';
import { type Described, type Flaw, type Judged, strict, view } from './describe.ts';

// PRI queue records, 16 bytes (IHI 0070, chapter 8). Bits are counted from the record's first; bits not named are zero.
// READ and WRITE are the request's, LAST ends its group. LAST alone, with a SubstreamID, is a stop marker; LAST alone without one is a
// page request like any other, and owed an answer.

export const PRIQ_RECORD_WORDS = 4;

export const PRIQ_FIELDS: readonly Field[] = [
  field('streamId', 31, 0),
  field('substreamId', 51, 32),
  field('priv', 58),
  field('exec', 59),
  field('read', 60),
  field('write', 61),
  field('last', 62),
  field('ssv', 63),
  field('prgIndex', 72, 64),
  ...address('address', 127, 76),
];

/** High half of w0. */
export const PRIQ_PRIV: number = 1 << 26;
export const PRIQ_EXEC: number = 1 << 27;
export const PRIQ_READ: number = 1 << 28;
export const PRIQ_WRITE: number = 1 << 29;
export const PRIQ_LAST: number = 1 << 30;
export const PRIQ_SSV: number = 1 << 31;
const SUBSTREAM_MASK = 0xfffff;
const KIND_MASK: number = PRIQ_READ | PRIQ_WRITE | PRIQ_LAST | PRIQ_SSV;
const STOP_MARKER: number = PRIQ_LAST | PRIQ_SSV;
const RESERVED_HIGH: number = 0x3f << 20;
const RESERVED_W1 = 0xe00;

/** Writes a record by the table. For tests, dumps and injection; the hardware has {@link writePriqRecord}.
 * @throws IommuError ENOENT for an unknown field, EINVAL for a value that does not fit. */
export function encodePriqRecord(words: Int32Array, at: number, values: FieldValues): void {
  setFields(words, at, PRIQ_RECORD_WORDS, PRIQ_FIELDS, values, 'encodePriqRecord');
}

/** Reads a record by the table, reserved bits and all. */
export function decodePriqRecord(words: Int32Array, at: number): Record<string, number> {
  return getFields(words, at, PRIQ_FIELDS);
}

/** Reads a record: reserved bits, and EXEC or PRIV without a SubstreamID. */
export function viewPriqRecord(words: Int32Array, at: number): RecordView {
  return view(judgePriqRecord(words, at));
}

/** Reads a record that has nothing wrong with it.
 * @throws IommuError EINVAL when a reserved bit is set, or EXEC or PRIV without a SubstreamID. */
export function describePriqRecord(words: Int32Array, at: number): Described {
  return strict('describePriqRecord', judgePriqRecord(words, at));
}

function judgePriqRecord(words: Int32Array, at: number): Judged {
  const high = words[at + 1];
  const low = words[at + 2];
  const flaws: Flaw[] = [];
  if ((high & RESERVED_HIGH) !== 0) flaws.push({ field: 'w0', value: high >>> 0, why: 'sets reserved bits 57:52' });
  if ((low & RESERVED_W1) !== 0) flaws.push({ field: 'w1', value: low >>> 0, why: 'sets reserved bits 11:9' });
  if (high >= 0 && (high & (PRIQ_EXEC | PRIQ_PRIV)) !== 0)
    flaws.push({ field: 'w0', value: high >>> 0, why: 'has EXEC or PRIV without a SubstreamID' });
  const name = isStopMarker(high) ? 'STOP_MARKER' : 'PAGE_REQUEST';
  return { name, values: decodePriqRecord(words, at), flaws };
}

/** Whether the high half of w0 is a stop marker's. */
export function isStopMarker(w0High: number): boolean {
  return (w0High & KIND_MASK) === STOP_MARKER;
}

/** Writes a record. `flags` are PRI_*; `substreamId` counts with PRIQ_SSV alone. Page number in two words as everywhere. */
export function writePriqRecord(
  words: Int32Array,
  at: number,
  streamId: number,
  flags: number,
  substreamId: number,
  prgIndex: number,
  pageLo: number,
  pageHi: number,
): void {
  words[at] = streamId;
  words[at + 1] = flags | (flags < 0 ? substreamId & SUBSTREAM_MASK : 0);
  words[at + 2] = (prgIndex & 0x1ff) | (pageLo << 12);
  words[at + 3] = (pageLo >>> 20) | (pageHi << 12);
}

/** High half of w0 to FAULT_PERM_*. */
export function priqPerm(w0High: number): number {
  return (
    ((w0High & PRIQ_READ) !== 0 ? FAULT_PERM_READ : 0) |
    ((w0High & PRIQ_WRITE) !== 0 ? FAULT_PERM_WRITE : 0) |
    ((w0High & PRIQ_EXEC) !== 0 ? FAULT_PERM_EXEC : 0) |
    ((w0High & PRIQ_PRIV) !== 0 ? FAULT_PERM_PRIV : 0)
  );
}
