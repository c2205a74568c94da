// The hardware's stalls by STAG: private to it, so plain memory. A tag is taken when its record is written and given back by the
// RESUME, STALL_TERM or disable that ends it, never before: a record in the queue always names its own stall.

const SLOT = 0; // word offset of the stall's port slot; 0: the tag is free
const PORT = 1;
const STREAM = 2;
const ENTRY = 4; // one entry is 16 bytes, so that a look-up touches one line

export class StallTable {
  readonly #entries: Int32Array;
  readonly #free: Int32Array; // a stack: the tag given back last is the warmest
  #top: number;
  readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#entries = new Int32Array(capacity * ENTRY);
    this.#free = new Int32Array(capacity);
    for (let i = 0; i < capacity; i++) this.#free[i] = capacity - 1 - i;
    this.#top = capacity;
  }

  /** Tags that may be taken. */
  get free(): number {
    return this.#top;
  }

  get live(): number {
    return this.capacity - this.#top;
  }

  /** Takes a tag for the stall in the slot at `slotAt`. The caller has seen that one is {@link free}. */
  take(slotAt: number, port: number, streamId: number): number {
    const stag = this.#free[--this.#top];
    const at = stag * ENTRY;
    this.#entries[at + SLOT] = slotAt;
    this.#entries[at + PORT] = port;
    this.#entries[at + STREAM] = streamId;
    return stag;
  }

  /** @returns word offset of the slot of the stall that (StreamID, STAG) names, or 0. The key is both: a tag of another stream names nothing.
   * `streamId` as i32 bits. */
  find(stag: number, streamId: number): number {
    if (stag >= this.capacity) return 0;
    const at = stag * ENTRY;
    return this.#entries[at + STREAM] === streamId ? this.#entries[at + SLOT] : 0;
  }

  /** @returns the slot that tag `stag` names whatever its stream, or 0. */
  slot(stag: number): number {
    return this.#entries[stag * ENTRY + SLOT];
  }

  port(stag: number): number {
    return this.#entries[stag * ENTRY + PORT];
  }

  stream(stag: number): number {
    return this.#entries[stag * ENTRY + STREAM];
  }

  release(stag: number): void {
    this.#entries[stag * ENTRY + SLOT] = 0;
    this.#free[this.#top++] = stag;
  }
}
