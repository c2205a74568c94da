import {
  LINE_BLANK,
  LINE_COMMENT,
  LINE_LOST,
  LINE_OTHER,
  LINE_RECORD,
  LINE_UNREADABLE,
  LineParser,
} from '../trace/line-parser.ts';
import { GROUP_INDICES, type TraceRecord } from '../trace/trace-record.ts';
import { LineSplitter, MAX_LINE_BYTES } from './line-splitter.ts';

/** Unreadable lines that are shown; the others are counted. */
const SHOWN_LINES = 10;
const SHOWN_BYTES = 160;

export interface UnreadableLine {
  line: number;
  why: string;
  text: string;
}

/** What a trace was made of. Every line is counted under one of these. */
export interface TraceCounts {
  lines: number;
  /** Page requests. */
  records: number;
  /** Lines that are none of these; the first of them are shown. */
  unreadable: number;
  /** Lines of other events, and of their stacks. */
  other: number;
  comments: number;
  blank: number;
  /** Lines on which the tracer says that it lost events, and how many of these, as far as it knows. */
  lostLines: number;
  lost: number;
  /** Groups that have their last request, and those that still wanted it in the end. */
  groups: number;
  partial: number;
  /** Records that are older than the one before. */
  backwards: number;
  /** Records that do not say when they were reported. */
  untimed: number;
}

/** Reads a trace chunk by chunk, in memory that does not grow with it. */
export class TraceReader {
  readonly parser: LineParser = new LineParser();
  /** Not yet `partial`, which {@link finish} counts. */
  readonly counts: TraceCounts = {
    ...{ lines: 0, records: 0, unreadable: 0, other: 0, comments: 0, blank: 0, lostLines: 0, lost: 0 },
    ...{ groups: 0, partial: 0, backwards: 0, untimed: 0 },
  };
  /** The first of the lines that could not be read. */
  readonly unreadable: UnreadableLine[] = [];
  readonly #splitter: LineSplitter = new LineSplitter();
  /** By device, then by group index: 1 while a group wants its last request. */
  readonly #open: Uint8Array[] = [];
  #lastNs = 0;

  push(chunk: Uint8Array): void {
    this.#splitter.push(chunk);
  }

  /** @returns the next page request of what was pushed, or undefined: push more. It is the same object each time. */
  next(): TraceRecord | undefined {
    while (this.#splitter.next()) if (this.#take()) return this.parser.record;
    return undefined;
  }

  /** After the last chunk. @returns the request of a last line without an end, if it is one. */
  finish(): TraceRecord | undefined {
    const found = this.#splitter.finish() && this.#take();
    for (const open of this.#open) for (const wanted of open) this.counts.partial += wanted;
    return found ? this.parser.record : undefined;
  }

  #take(): boolean {
    const { parser, counts } = this;
    const splitter = this.#splitter;
    counts.lines++;
    if (splitter.isCut) this.#note(`longer than ${MAX_LINE_BYTES} bytes`);
    else
      switch (parser.parse(splitter.text, splitter.start, splitter.end)) {
        case LINE_RECORD:
          this.#count(parser.record);
          return true;
        case LINE_UNREADABLE:
          this.#note(parser.why);
          break;
        case LINE_OTHER:
          counts.other++;
          break;
        case LINE_LOST:
          counts.lostLines++;
          counts.lost += parser.lost;
          break;
        case LINE_COMMENT:
          counts.comments++;
          break;
        case LINE_BLANK:
          counts.blank++;
      }
    return false;
  }

  #count(record: TraceRecord): void {
    const { counts } = this;
    counts.records++;
    while (this.#open.length <= record.device) this.#open.push(new Uint8Array(GROUP_INDICES));
    this.#open[record.device][record.index] = record.isLast ? 0 : 1;
    if (record.isLast) counts.groups++;
    if (Number.isNaN(record.timeNs)) counts.untimed++;
    else {
      if (record.timeNs < this.#lastNs) counts.backwards++;
      this.#lastNs = record.timeNs;
    }
  }

  #note(why: string): void {
    this.counts.unreadable++;
    if (this.unreadable.length === SHOWN_LINES) return;
    const { text, start, end, number } = this.#splitter;
    const shown = text.subarray(start, Math.min(end, start + SHOWN_BYTES));
    this.unreadable.push({ line: number, why, text: showBytes(shown) });
  }
}

/** Whatever stands there, as text that does nothing to a terminal. */
function showBytes(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes)
    text += byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  return text;
}
