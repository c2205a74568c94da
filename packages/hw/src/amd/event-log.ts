import { address, type Field, type FieldValues, field } from '../record/fields.ts';
import type { RecordView } from '../record/view.ts';
import { PPR_FIELDS, pprHigh, pprLow, withPasidChecked } from './ppr-log.ts';
import {
  type DecodedRecord,
  describeRecord,
  encodeRecord,
  RECORD_WORDS,
  type RecordKind,
  recordKind,
  strictRecord,
} from './records.ts';

// Event log entries (AMD 48882, 2.5; layouts as in VirtualBox DevIommuAmd.h, too). Bits are counted from the entry's first.
// Left out: the events of guest virtual interrupts, of a virtual IOMMU and of SEV-SNP (0xb to 0xe), which are on none of our paths.
// INVALID_PPR_REQUEST lays PASID and tag out as a PPR log entry does (Linux commit "iommu/amd: Fix incorrect PASID decoding from event
// log", which says so of this event alone; the tag is what Linux prints); that its flags do so too is not verified.

export const EVENT_ENTRY_WORDS: number = RECORD_WORDS;

export const EVENT_ILLEGAL_DEV_TABLE_ENTRY = 1;
export const EVENT_IO_PAGE_FAULT = 2;
export const EVENT_DEV_TAB_HARDWARE_ERROR = 3;
export const EVENT_PAGE_TAB_HARDWARE_ERROR = 4;
export const EVENT_ILLEGAL_COMMAND_ERROR = 5;
export const EVENT_COMMAND_HARDWARE_ERROR = 6;
export const EVENT_IOTLB_INV_TIMEOUT = 7;
export const EVENT_INVALID_DEVICE_REQUEST = 8;
export const EVENT_INVALID_PPR_REQUEST = 9;
export const EVENT_COUNTER_ZERO = 10;

const DEVICE: Field = field('device', 15, 0);
const PASID: readonly Field[] = [field('pasidHi', 19, 16), field('pasidLo', 47, 32)];
const GN: Field = field('gn', 48);
const INTERRUPT: Field = field('interrupt', 51);
const WRITE: Field = field('write', 53);
const RZ: Field = field('reservedNonzero', 55);
const TR: Field = field('translation', 56);
const ERROR: Field = field('error', 58, 57);

export const EVENT_KINDS: readonly RecordKind[] = [
  recordKind(
    EVENT_ILLEGAL_DEV_TABLE_ENTRY,
    'ILLEGAL_DEV_TABLE_ENTRY',
    ...[DEVICE, ...PASID, GN, INTERRUPT, WRITE, RZ, TR, ...address('address', 127, 66)],
  ),
  recordKind(
    EVENT_IO_PAGE_FAULT,
    'IO_PAGE_FAULT',
    ...[DEVICE, field('pasidHi', 19, 16), field('domainOrPasidLo', 47, 32), GN, field('nx', 49), field('user', 50)],
    ...[INTERRUPT, field('present', 52), WRITE, field('permission', 54), RZ, TR, ...address('address', 127, 64)],
  ),
  recordKind(
    EVENT_DEV_TAB_HARDWARE_ERROR,
    'DEV_TAB_HARDWARE_ERROR',
    ...[DEVICE, INTERRUPT, WRITE, TR, ERROR, ...address('address', 127, 68)],
  ),
  recordKind(
    EVENT_PAGE_TAB_HARDWARE_ERROR,
    'PAGE_TAB_HARDWARE_ERROR',
    ...[DEVICE, field('pasidHi', 19, 16), field('domainOrPasidLo', 47, 32), GN, INTERRUPT, WRITE, TR, ERROR],
    ...address('address', 127, 68),
  ),
  recordKind(EVENT_ILLEGAL_COMMAND_ERROR, 'ILLEGAL_COMMAND_ERROR', ...address('address', 127, 68)),
  recordKind(
    EVENT_COMMAND_HARDWARE_ERROR,
    'COMMAND_HARDWARE_ERROR',
    field('flags', 59, 48),
    ...address('address', 127, 68),
  ),
  recordKind(EVENT_IOTLB_INV_TIMEOUT, 'IOTLB_INV_TIMEOUT', DEVICE, ...address('address', 127, 68)),
  recordKind(
    EVENT_INVALID_DEVICE_REQUEST,
    'INVALID_DEVICE_REQUEST',
    ...[DEVICE, ...PASID, GN, field('user', 49), TR, field('request', 59, 57), ...address('address', 127, 64)],
  ),
  recordKind(EVENT_INVALID_PPR_REQUEST, 'INVALID_PPR_REQUEST', ...PPR_FIELDS, ...address('address', 127, 76)),
  recordKind(EVENT_COUNTER_ZERO, 'EVENT_COUNTER_ZERO', field('noteHi', 83, 64), field('noteLo', 127, 96)),
];

const NAMES: readonly string[] = Array.from(
  { length: 16 },
  (_, type) => EVENT_KINDS.find((k) => k.type === type)?.name ?? '',
);

/** @returns the name of event `type`, or '' for one that is unknown or left out. */
export function eventName(type: number): string {
  return NAMES[type] ?? '';
}

/** Writes an event by the table. @throws IommuError ENOENT, EINVAL, as {@link encodeRecord} */
export function encodeEventEntry(words: Int32Array, at: number, type: number, values: FieldValues): void {
  encodeRecord('encodeEventEntry', EVENT_KINDS, words, at, type, values);
}

/** Reads any event, right or wrong. */
export function describeEventEntry(words: Int32Array, at: number): RecordView {
  const view = describeRecord(EVENT_KINDS, words, at);
  return view.fields.type === EVENT_INVALID_PPR_REQUEST ? withPasidChecked(view) : view;
}

/** Reads an event that has nothing wrong with it. @throws IommuError EINVAL with everything that has */
export function decodeEventEntry(words: Int32Array, at: number): DecodedRecord {
  return strictRecord('decodeEventEntry', describeEventEntry(words, at));
}

/** Writes INVALID_PPR_REQUEST. @param flags REQUEST_* of the port's record. */
export function writeInvalidPprRequest(
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
  words[at + 1] = pprHigh(pasid, prgIndex, flags) | (EVENT_INVALID_PPR_REQUEST << 28);
}

/** Writes an event about a command: which device (0 for none) and the word offset of the command, or of what it could not reach. */
export function writeCommandEvent(
  words: Int32Array,
  at: number,
  type: number,
  deviceId: number,
  addressLo: number,
  addressHi: number,
): void {
  words[at] = deviceId;
  words[at + 2] = addressLo & ~0xf;
  words[at + 3] = addressHi;
  words[at + 1] = type << 28;
}
