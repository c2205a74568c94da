// Judges a line of a trace: every line is one of these, and none is passed over in silence.
import { bytesOf, Cursor, isDigit, isHexDigit, isSpace } from './cursor.ts';
import { DeviceNames } from './device-names.ts';
import { findSequence, parseEvent } from './event-line.ts';
import { isHeader, LOST_LINE, parseJson } from './json-line.ts';
import { TraceRecord } from './trace-record.ts';

export const LINE_RECORD = 0; // a page request
export const LINE_UNREADABLE = 1;
export const LINE_OTHER = 2; // another event, or a frame of its stack
export const LINE_LOST = 3; // the tracer says that it lost events
export const LINE_COMMENT = 4; // or the header of one of our own files
export const LINE_BLANK = 5;

const HASH = 35;
const COLON = 58;
const POINT = 46;
const OPEN_BRACE = 123;
const CPU = bytesOf('CPU:');
const LOST_OPEN = bytesOf(' [LOST ');
const LOST_CLOSE = bytesOf('EVENTS]');
const NAME = bytesOf('prq_report');
/** A stack's frame begins with an address. */
const ADDRESS_DIGITS = 8;

export class LineParser {
  readonly names: DeviceNames = new DeviceNames();
  /** The request, after LINE_RECORD. */
  readonly record: TraceRecord = new TraceRecord();
  /** What was wrong, after LINE_UNREADABLE. */
  why = '';
  /** Events lost, after LINE_LOST; 0 where the tracer does not know. */
  lost = 0;
  readonly #cursor: Cursor = new Cursor();

  /** @returns LINE_*. The line is `text` from `start` to `end`, its end of line not included. */
  parse(text: Uint8Array, start: number, end: number): number {
    let last = end;
    while (last > start && (isSpace(text[last - 1]) || text[last - 1] === 13)) last--;
    const cursor = this.#cursor;
    cursor.set(text, start, last);
    cursor.skipSpaces();
    if (cursor.isAtEnd()) return LINE_BLANK;
    const first = text[cursor.at];
    if (first === HASH) return LINE_COMMENT;
    if (first === OPEN_BRACE) return this.#parseOwn(cursor);
    const sequenceAt = findSequence(text, start, last);
    if (sequenceAt >= 0) {
      this.why = parseEvent(cursor, start, sequenceAt, this.names, this.record);
      return this.why === '' ? LINE_RECORD : LINE_UNREADABLE;
    }
    return this.#parseOther(cursor);
  }

  #parseOwn(cursor: Cursor): number {
    const start = cursor.at;
    if (isHeader(cursor)) return LINE_COMMENT;
    cursor.at = start;
    this.why = parseJson(cursor, this.names, this.record);
    if (this.why === '') return LINE_RECORD;
    if (this.why !== LOST_LINE) return LINE_UNREADABLE;
    this.lost = cursor.value;
    return LINE_LOST;
  }

  #parseOther(cursor: Cursor): number {
    const start = cursor.at;
    if (this.#isLost(cursor)) return LINE_LOST;
    cursor.at = start;
    if (isFrame(cursor) || isEvent(cursor, start)) return LINE_OTHER;
    this.why = 'no event';
    return LINE_UNREADABLE;
  }

  /** `CPU:1 [LOST 3 EVENTS]`, or without a number. */
  #isLost(cursor: Cursor): boolean {
    if (!cursor.take(CPU) || !cursor.takeDecimal(Number.MAX_SAFE_INTEGER) || !cursor.take(LOST_OPEN)) return false;
    this.lost = cursor.takeDecimal(Number.MAX_SAFE_INTEGER) ? cursor.value : 0;
    cursor.skipSpaces();
    return cursor.take(LOST_CLOSE) && cursor.isAtEnd();
  }
}

function isFrame(cursor: Cursor): boolean {
  let at = cursor.at;
  while (at < cursor.end && isHexDigit(cursor.text[at])) at++;
  return at - cursor.at >= ADDRESS_DIGITS && at < cursor.end && isSpace(cursor.text[at]);
}

/** Whether there is a time with its colon, and behind it the name of an event that is not ours. */
function isEvent({ text, end }: Cursor, start: number): boolean {
  for (let at = start + 1; at < end - 1; at++) {
    if (text[at] !== COLON || !isDigit(text[at - 1]) || !isSpace(text[at + 1])) continue;
    let from = at;
    while (from > start && (isDigit(text[from - 1]) || text[from - 1] === POINT)) from--;
    if (from > start && !isSpace(text[from - 1])) continue;
    return !holds(text, at, end, NAME);
  }
  return false;
}

function holds(text: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  for (let at = start; at + wanted.length <= end; at++) {
    let i = 0;
    while (i < wanted.length && text[at + i] === wanted[i]) i++;
    if (i === wanted.length) return true;
  }
  return false;
}
