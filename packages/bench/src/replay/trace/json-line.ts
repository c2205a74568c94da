// Our own lines, one object each, flat, in any order of keys, without escapes:
//
//   {"faultline":"trace","version":1,…}    opens a file or a part of one; what else it says is for people
//   {"t":1042,"device":"stress/1","seq":7,"rid":1,"pasid":1,"index":3,"page":34091302912,"flags":"rw--l"}
//   {"lost":12}                            so many requests were not recorded here
//
// t is in nanoseconds, and may be absent, as may seq. page is the page's number, flags are the event's.
import { bytesOf, type Cursor } from './cursor.ts';
import { type DeviceNames, NO_NAME } from './device-names.ts';
import { parseFlags } from './event-line.ts';
import {
  flagText,
  GROUP_INDICES,
  MAX_PAGE_NUMBER,
  MAX_PASID,
  MAX_RID,
  MAX_SEQUENCE,
  type TraceRecord,
} from './trace-record.ts';

export const TRACE_VERSION = 1;

const OPEN = 123;
const CLOSE = 125;
const QUOTE = 34;
const COLON = 58;
const COMMA = 44;
const BACKSLASH = 92;
const HEADER = bytesOf('{"faultline":"trace",');
const VERSION = bytesOf(`"version":${TRACE_VERSION}`);

const T = 1;
const DEVICE = 2;
const SEQ = 4;
const RID = 8;
const PASID = 16;
const INDEX = 32;
const PAGE = 64;
const FLAGS = 128;
const LOST = 256;
const NEEDED: number = DEVICE | RID | PASID | INDEX | PAGE | FLAGS;
const KEYS: readonly { readonly name: Uint8Array; readonly field: number; readonly max: number }[] = [
  { name: bytesOf('t"'), field: T, max: Number.MAX_SAFE_INTEGER },
  { name: bytesOf('device"'), field: DEVICE, max: 0 },
  { name: bytesOf('seq"'), field: SEQ, max: MAX_SEQUENCE },
  { name: bytesOf('rid"'), field: RID, max: MAX_RID },
  { name: bytesOf('pasid"'), field: PASID, max: MAX_PASID },
  { name: bytesOf('index"'), field: INDEX, max: GROUP_INDICES - 1 },
  { name: bytesOf('page"'), field: PAGE, max: MAX_PAGE_NUMBER },
  { name: bytesOf('flags"'), field: FLAGS, max: 0 },
  { name: bytesOf('lost"'), field: LOST, max: Number.MAX_SAFE_INTEGER },
];

export function isHeader(cursor: Cursor): boolean {
  return cursor.take(HEADER) && cursor.take(VERSION);
}

/** Reads the object at the cursor. @returns what is wrong with it, '' for nothing: `record` is filled, or, with `LOST_LINE`, cursor.value
 * holds how many were lost. */
export const LOST_LINE = 'lost';
export function parseJson(cursor: Cursor, names: DeviceNames, record: TraceRecord): string {
  record.timeNs = Number.NaN;
  record.sequence = 0;
  let seen = 0;
  if (!cursor.takeByte(OPEN)) return 'no object';
  do {
    cursor.skipSpaces();
    if (!cursor.takeByte(QUOTE)) return 'key';
    const key = takeKey(cursor);
    if (key === undefined) return 'key';
    if ((seen & key.field) !== 0) return 'a key twice';
    seen |= key.field;
    cursor.skipSpaces();
    if (!cursor.takeByte(COLON)) return 'no colon';
    cursor.skipSpaces();
    const wrong = takeValue(cursor, key.field, key.max, names, record);
    if (wrong !== '') return wrong;
    cursor.skipSpaces();
  } while (cursor.takeByte(COMMA));
  const { value } = cursor;
  if (!cursor.takeByte(CLOSE)) return 'no end';
  cursor.skipSpaces();
  if (!cursor.isAtEnd()) return 'text after the object';
  if (seen === LOST) {
    cursor.value = value;
    return LOST_LINE;
  }
  return (seen & (NEEDED | LOST)) === NEEDED ? '' : 'missing key';
}

function takeKey(cursor: Cursor): (typeof KEYS)[number] | undefined {
  for (let i = 0; i < KEYS.length; i++) if (cursor.take(KEYS[i].name)) return KEYS[i];
  return undefined;
}

function takeValue(cursor: Cursor, field: number, max: number, names: DeviceNames, record: TraceRecord): string {
  if (field === DEVICE) return takeDevice(cursor, names, record) ? '' : 'device';
  if (field === FLAGS)
    return cursor.takeByte(QUOTE) && parseFlags(cursor, record) && cursor.takeByte(QUOTE) ? '' : 'flags';
  if (!cursor.takeDecimal(max)) return 'a number that is none, or too large';
  const { value } = cursor;
  if (field === T) record.timeNs = value;
  else if (field === SEQ) record.sequence = value;
  else if (field === RID) record.rid = value;
  else if (field === PASID) record.pasid = value;
  else if (field === INDEX) record.index = value;
  else if (field === PAGE) record.page = value;
  return '';
}

function takeDevice(cursor: Cursor, names: DeviceNames, record: TraceRecord): boolean {
  if (!cursor.takeByte(QUOTE)) return false;
  const start = cursor.at;
  while (cursor.at < cursor.end && cursor.text[cursor.at] !== QUOTE) {
    if (cursor.text[cursor.at] === BACKSLASH || cursor.text[cursor.at] < 32) return false;
    cursor.at++;
  }
  if (cursor.isAtEnd() || cursor.at === start) return false;
  const device = names.number(cursor.text, start, cursor.at);
  if (device === NO_NAME) return false;
  record.device = device;
  return cursor.takeByte(QUOTE);
}

export function formatHeader(about: Readonly<Record<string, string | number>>): string {
  return JSON.stringify({ faultline: 'trace', version: TRACE_VERSION, ...about });
}

export function formatJson(record: TraceRecord, device: string): string {
  const { timeNs, sequence, rid, pasid, index, page, perm, isLast } = record;
  const time = Number.isNaN(timeNs) ? '' : `"t":${timeNs},`;
  return `{${time}"device":"${device}","seq":${sequence},"rid":${rid},"pasid":${pasid},"index":${index},"page":${page},"flags":"${flagText(perm, isLast)}"}`;
}
