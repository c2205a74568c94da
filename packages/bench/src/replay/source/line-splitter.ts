const NEWLINE = 10;
/** Longer lines are no trace's: they are passed over, whatever their length, and counted. */
export const MAX_LINE_BYTES = 4096;

/** Cuts chunks into lines. A line that goes over a chunk's end is kept, up to MAX_LINE_BYTES: memory does not grow with the text.
 * Push a chunk, then call {@link next} until it says no; the chunk must not change meanwhile. */
export class LineSplitter {
  /** The line: `text` from `start` to `end`. */
  text: Uint8Array;
  start = 0;
  end = 0;
  /** It was longer than MAX_LINE_BYTES, and is its beginning alone. */
  isCut = false;
  /** Its number, from 1. */
  number = 0;
  readonly #kept: Uint8Array = new Uint8Array(MAX_LINE_BYTES);
  #keptLength = 0;
  #isKeptCut = false;
  #chunk: Uint8Array;
  #at = 0;

  constructor() {
    this.text = this.#kept;
    this.#chunk = this.#kept.subarray(0, 0);
  }

  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** @returns false once the chunk holds no whole line any more. */
  next(): boolean {
    const chunk = this.#chunk;
    if (this.#at === chunk.length) return false;
    const end = chunk.indexOf(NEWLINE, this.#at);
    if (end < 0) {
      this.#keep(chunk.length);
      this.#at = chunk.length;
      return false;
    }
    if (this.#keptLength > 0 || this.#isKeptCut) {
      this.#keep(end);
      this.#giveKept();
    } else this.#give(chunk, this.#at, end);
    this.#at = end + 1;
    return true;
  }

  /** After the last chunk. @returns whether there is a line that no newline ended. */
  finish(): boolean {
    if (this.#keptLength === 0 && !this.#isKeptCut) return false;
    this.#giveKept();
    return true;
  }

  #give(text: Uint8Array, start: number, end: number): void {
    this.text = text;
    this.start = start;
    this.isCut = end - start > MAX_LINE_BYTES;
    this.end = this.isCut ? start + MAX_LINE_BYTES : end;
    this.number++;
  }

  #giveKept(): void {
    this.text = this.#kept;
    this.start = 0;
    this.end = this.#keptLength;
    this.isCut = this.#isKeptCut;
    this.number++;
    this.#keptLength = 0;
    this.#isKeptCut = false;
  }

  #keep(end: number): void {
    const length = Math.min(end - this.#at, MAX_LINE_BYTES - this.#keptLength);
    this.#kept.set(this.#chunk.subarray(this.#at, this.#at + length), this.#keptLength);
    this.#keptLength += length;
    if (this.#at + length < end) this.#isKeptCut = true;
  }
}
