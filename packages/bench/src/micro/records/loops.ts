// Many records one after the other. A thread runs these loops with one record's codec alone, so that it is compiled into them.
import type { FieldObject, QueueRecord } from './record.ts';

/** Slots of the queue that is written and read, a power of two: it stays in the nearest cache. */
const SLOTS = 64;
const MOST_WORDS = 8;

/** A queue of one record's, full. */
export class RecordQueue {
  readonly #record: QueueRecord;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #wide: BigUint64Array<SharedArrayBuffer>;
  /** Where an object goes, so that making it cannot be left out. */
  kept: FieldObject = {};
  sum = 0;

  constructor(record: QueueRecord) {
    const memory = new SharedArrayBuffer(SLOTS * MOST_WORDS * 4);
    this.#record = record;
    this.#words = new Int32Array(memory);
    this.#wide = new BigUint64Array(memory);
    this.encode(SLOTS);
  }

  encode(items: number): void {
    const { encode, size } = this.#record;
    const words = this.#words;
    for (let i = 0; i < items; i++) encode(words, (i & (SLOTS - 1)) * size, i);
  }

  /** Leaves the sum of all fields of all records, wrapping, in `sum`: so that no reading can be left out. */
  decode(items: number): void {
    const { decode, size } = this.#record;
    const words = this.#words;
    let sum = 0;
    for (let i = 0; i < items; i++) sum = (sum + decode(words, (i & (SLOTS - 1)) * size)) | 0;
    this.sum = sum;
  }

  encodeObjects(items: number): void {
    const { encodeObject, size } = this.#record;
    const wide = this.#wide;
    for (let i = 0; i < items; i++) this.kept = encodeObject(wide, (i & (SLOTS - 1)) * (size / 2), i);
  }

  decodeObjects(items: number): void {
    const { decodeObject, size } = this.#record;
    const wide = this.#wide;
    for (let i = 0; i < items; i++) this.kept = decodeObject(wide, (i & (SLOTS - 1)) * (size / 2));
  }
}
