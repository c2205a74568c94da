const WAITS = 32;
// A wait under way: the tags it waits for, its flags, where and what it writes.
const WAIT_FOR = 0;
const WAIT_FLAGS = 1;
const WAIT_AT = 2;
const WAIT_DATA = 3;
const WAIT_WORDS = 4;

/** Wait descriptors under way, oldest first: each waits for the device-TLB invalidations that were under way when it was taken, and so for
 * no fewer than those before it. */
export class WaitList {
  readonly #waits: Int32Array = new Int32Array(WAITS * WAIT_WORDS); // a ring
  #head = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }
  get full(): boolean {
    return this.#count === WAITS;
  }
  // Of the oldest.
  get flags(): number {
    return this.#waits[this.#head * WAIT_WORDS + WAIT_FLAGS];
  }
  get wordAt(): number {
    return this.#waits[this.#head * WAIT_WORDS + WAIT_AT] >>> 0;
  }
  get data(): number {
    return this.#waits[this.#head * WAIT_WORDS + WAIT_DATA];
  }

  /** There is room. @param busy tags in use, one bit each. */
  add(busy: number, flags: number, wordAt: number, data: number): void {
    const entry = ((this.#head + this.#count++) % WAITS) * WAIT_WORDS;
    this.#waits[entry + WAIT_FOR] = busy;
    this.#waits[entry + WAIT_FLAGS] = flags;
    this.#waits[entry + WAIT_AT] = wordAt;
    this.#waits[entry + WAIT_DATA] = data;
  }

  /** Takes note of the tags that are still in use. Before any of the others is used again: that use is not for an older wait. */
  narrow(busy: number): void {
    for (let i = 0; i < this.#count; i++) this.#waits[((this.#head + i) % WAITS) * WAIT_WORDS + WAIT_FOR] &= busy;
  }

  /** Whether the oldest is over. */
  isOver(): boolean {
    return this.#count > 0 && this.#waits[this.#head * WAIT_WORDS + WAIT_FOR] === 0;
  }

  /** Drops the oldest. */
  shift(): void {
    this.#head = (this.#head + 1) % WAITS;
    this.#count--;
  }

  /** Drops all. @returns how many. */
  clear(): number {
    const dropped = this.#count;
    this.#count = 0;
    return dropped;
  }
}
