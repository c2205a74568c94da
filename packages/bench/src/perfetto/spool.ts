// Where a cell's records are kept until it is over: taken from the rings as they are, in a file of its own, so that neither memory bounds
// a cell nor the processors pay for more than a copy while it is measured.
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import type { Words } from '@faultline/core/sync';
import { TRACE_WORDS, TraceReader } from '@faultline/core/trace';
import { ringBase, ringsOf, type TracePlace } from './place.ts';

const RECORD_BYTES = TRACE_WORDS * 4;
/** Records kept before they are written, and read at a time of one ring. */
const CHUNK_RECORDS = 2 ** 16;
const READ_RECORDS = 2 ** 12;

/** Runs of one ring's records in the file: offset and length in records, in turn. */
type Runs = number[];

export class Spool {
  readonly #path: string;
  readonly #fd: number;
  readonly #chunk: Int32Array = new Int32Array(CHUNK_RECORDS * TRACE_WORDS);
  #filled = 0; // records in the chunk
  #written = 0; // records in the file
  #readers: TraceReader[] = [];
  #runs: Runs[] = [];

  /** @param path of a file that is made, and is gone when closed. */
  constructor(path: string) {
    this.#path = path;
    this.#fd = openSync(path, 'w+');
  }

  /** Forgets what it has, and turns to a cell's rings. */
  begin(words: Words, place: TracePlace): void {
    this.#filled = 0;
    this.#written = 0;
    this.#readers = Array.from({ length: ringsOf(place) }, (_, i) => new TraceReader(words, ringBase(place, i + 1)));
    this.#runs = this.#readers.map(() => []);
  }

  /** Takes what the rings hold. */
  drain(): void {
    for (let ring = 0; ring < this.#readers.length; ring++) this.#take(this.#readers[ring], this.#runs[ring]);
  }

  #take(reader: TraceReader, runs: Runs): void {
    for (;;) {
      const taken = reader.take(this.#chunk, this.#filled);
      if (taken === 0 && this.#filled < CHUNK_RECORDS) return;
      if (taken > 0) {
        const at = this.#written + this.#filled;
        const last = runs.length - 2;
        if (last >= 0 && runs[last] + runs[last + 1] === at) runs[last + 1] += taken;
        else runs.push(at, taken);
        this.#filled += taken;
      }
      if (this.#filled === CHUNK_RECORDS) this.#flush();
    }
  }

  #flush(): void {
    const bytes = new Uint8Array(this.#chunk.buffer, 0, this.#filled * RECORD_BYTES);
    for (let done = 0; done < bytes.length; )
      done += writeSync(this.#fd, bytes, done, bytes.length - done, this.#written * RECORD_BYTES + done);
    this.#written += this.#filled;
    this.#filled = 0;
  }

  /** Records that each ring dropped, from ring 1. */
  lost(): number[] {
    return this.#readers.map((reader) => reader.lost());
  }

  /** Everything that was taken, by ring from 1. Nothing is taken meanwhile. */
  cursors(): SpoolCursor[] {
    this.#flush();
    return this.#runs.map((runs) => new SpoolCursor(this.#fd, runs));
  }

  close(): void {
    closeSync(this.#fd);
    rmSync(this.#path, { force: true });
  }
}

/** Reads one ring's records in order. */
export class SpoolCursor {
  readonly #fd: number;
  readonly #runs: Runs;
  #run = 0;
  #into = 0; // records of the run that are behind
  /** Records from the file, of which the one at {@link at} is next. */
  words: Int32Array = new Int32Array(0);
  /** Word offset. */
  at: number = -TRACE_WORDS;
  #end = 0;

  constructor(fd: number, runs: Runs) {
    this.#fd = fd;
    this.#runs = runs;
  }

  /** Steps to the next record. @returns false at the end. */
  next(): boolean {
    this.at += TRACE_WORDS;
    if (this.at < this.#end) return true;
    if (this.#run === this.#runs.length) return false;
    const length = this.#runs[this.#run + 1];
    const count = Math.min(READ_RECORDS, length - this.#into);
    if (this.words.length < count * TRACE_WORDS) this.words = new Int32Array(count * TRACE_WORDS);
    const bytes = new Uint8Array(this.words.buffer, 0, count * RECORD_BYTES);
    const from = (this.#runs[this.#run] + this.#into) * RECORD_BYTES;
    for (let done = 0; done < bytes.length; ) {
      const read = readSync(this.#fd, bytes, done, bytes.length - done, from + done);
      if (read === 0) throw new Error(`Spool: ends at byte ${from + done}, in the middle of a run`);
      done += read;
    }
    this.#end = count * TRACE_WORDS;
    this.at = 0;
    this.#into += count;
    if (this.#into === length) {
      this.#run += 2;
      this.#into = 0;
    }
    return true;
  }
}
