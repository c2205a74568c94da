// The text of VT-d's prq_report event, as ftrace and perf script print it:
//
//   irq/26-dmar0-pr-187     [003] d..1.   123.456789: prq_report: dmar0/0000:00:0a.0 seq# 1: rid=0x50 addr=0x559ef6f97 r---- pasid=0x2 index=0x1
//   └ columns, all or none of them ───────────────┘  └ name ───┘  └ device ────────┘        └ the descriptor, addr being a page number ──────┘
//
// The five flags are read, write, execute, privileged and last in group. Older kernels append ` private=0x…/0x…` and an empty line.
// @see Linux drivers/iommu/intel/trace.h, decode_prq_descriptor()
import { bytesOf, type Cursor, isSpace } from './cursor.ts';
import { type DeviceNames, NO_NAME } from './device-names.ts';
import {
  FLAG_PERMS,
  flagText,
  GROUP_INDICES,
  MAX_PAGE_NUMBER,
  MAX_PASID,
  MAX_RID,
  MAX_SEQUENCE,
  type TraceRecord,
} from './trace-record.ts';

const SEQUENCE = bytesOf('seq# ');
const RID = bytesOf('rid=0x');
const ADDRESS = bytesOf(' addr=0x');
const PASID = bytesOf(' pasid=0x');
const INDEX = bytesOf(' index=0x');
const PRIVATE = bytesOf(' private=0x');
const PRIVATE_HIGH = bytesOf('/0x');
const EVENT_NAME = bytesOf('prq_report:');
const LETTERS = bytesOf('rwxp');
const LETTER_LAST = 108;
const DASH = 45;
const COLON = 58;
const SLASH = 47;
const HASH = 35;
const SPACE = 32;
/** Private data is 64 bits, and nothing is made of it: its digits are looked at alone. */
const ANY = Number.POSITIVE_INFINITY;

/** @returns where `seq# ` begins in the text, or -1. */
export function findSequence(text: Uint8Array, start: number, end: number): number {
  for (let at = start + 3; at < end; at++)
    if (text[at] === HASH && text[at - 1] === 113 && text[at - 2] === 101 && text[at - 3] === 115) return at - 3;
  return -1;
}

/** Reads the line whose `seq# ` stands at `sequenceAt`. @returns what is wrong with it, '' for nothing: `record` is filled. */
export function parseEvent(
  cursor: Cursor,
  start: number,
  sequenceAt: number,
  names: DeviceNames,
  record: TraceRecord,
): string {
  return (
    parseDescriptor(cursor, sequenceAt, record) || parseColumns(cursor, start, sequenceAt, cursor.end, names, record)
  );
}

function parseDescriptor(cursor: Cursor, sequenceAt: number, record: TraceRecord): string {
  cursor.at = sequenceAt;
  if (!cursor.take(SEQUENCE)) return 'seq#';
  const isNegative = cursor.takeByte(DASH); // printed as a signed number
  if (!cursor.takeDecimal(MAX_SEQUENCE) || !cursor.takeByte(COLON) || !cursor.takeByte(SPACE)) return 'seq#';
  record.sequence = isNegative ? -cursor.value : cursor.value;
  if (!cursor.take(RID) || !cursor.takeHex(MAX_RID)) return 'rid';
  record.rid = cursor.value;
  if (!cursor.take(ADDRESS) || !cursor.takeHex(MAX_PAGE_NUMBER)) return 'addr';
  record.page = cursor.value;
  if (!cursor.takeByte(SPACE) || !parseFlags(cursor, record)) return 'flags';
  if (!cursor.take(PASID) || !cursor.takeHex(MAX_PASID)) return 'pasid';
  record.pasid = cursor.value;
  if (!cursor.take(INDEX) || !cursor.takeHex(GROUP_INDICES - 1)) return 'index';
  record.index = cursor.value;
  if (cursor.take(PRIVATE) && !(cursor.takeHex(ANY) && cursor.take(PRIVATE_HIGH) && cursor.takeHex(ANY)))
    return 'private';
  cursor.skipSpaces();
  return cursor.isAtEnd() ? '' : 'text after index';
}

/** Takes the five letters. */
export function parseFlags(cursor: Cursor, record: TraceRecord): boolean {
  let perm = 0;
  for (let i = 0; i < LETTERS.length; i++) {
    if (cursor.takeByte(LETTERS[i])) perm |= FLAG_PERMS[i];
    else if (!cursor.takeByte(DASH)) return false;
  }
  record.perm = perm;
  record.isLast = cursor.takeByte(LETTER_LAST);
  return record.isLast || cursor.takeByte(DASH);
}

/** What stands before `seq# `, from its end: the device, the event's name, the time. */
function parseColumns(
  cursor: Cursor,
  start: number,
  sequenceAt: number,
  lineEnd: number,
  names: DeviceNames,
  record: TraceRecord,
): string {
  const { text } = cursor;
  let end = beforeSpaces(text, start, sequenceAt);
  let at = tokenStart(text, start, end);
  if (!holdsByte(text, at, end, SLASH)) return 'device';
  const device = names.number(text, at, end);
  if (device === NO_NAME) return 'device';
  record.device = device;
  record.timeNs = Number.NaN;
  end = beforeSpaces(text, start, at);
  if (end === start) return ''; // no columns
  at = tokenStart(text, start, end);
  if (!endsWithName(text, at, end)) return 'event name';
  end = beforeSpaces(text, start, at);
  if (end === start || text[end - 1] !== COLON) return ''; // no time
  cursor.set(text, tokenStart(text, start, end), end - 1);
  const isTime = cursor.takeTime() && cursor.isAtEnd();
  record.timeNs = cursor.value;
  cursor.set(text, start, lineEnd);
  return isTime ? '' : 'timestamp';
}

/** `prq_report:`, or with its subsystem before it, as perf prints it. */
function endsWithName(text: Uint8Array, start: number, end: number): boolean {
  const from = end - EVENT_NAME.length;
  if (from < start) return false;
  for (let i = 0; i < EVENT_NAME.length; i++) if (text[from + i] !== EVENT_NAME[i]) return false;
  return from === start || text[from - 1] === COLON;
}

function holdsByte(text: Uint8Array, start: number, end: number, wanted: number): boolean {
  for (let at = start; at < end; at++) if (text[at] === wanted) return true;
  return false;
}

function beforeSpaces(text: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && isSpace(text[at - 1])) at--;
  return at;
}

function tokenStart(text: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && !isSpace(text[at - 1])) at--;
  return at;
}

/** The event as the kernel prints it, without columns. */
export function formatEvent(record: TraceRecord, device: string): string {
  const { sequence, rid, page, perm, isLast, pasid, index } = record;
  const hex = (value: number): string => `0x${value.toString(16)}`;
  return `prq_report: ${device} seq# ${sequence}: rid=${hex(rid)} addr=${hex(page)} ${flagText(perm, isLast)} pasid=${hex(pasid)} index=${hex(index)}`;
}
