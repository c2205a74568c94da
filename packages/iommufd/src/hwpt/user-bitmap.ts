// A caller's bitmap of dirty pages. Bits are only ever set. It is reached through a window of a page: sparse dirt touches little of it.
import type { UserMemory } from '../caller/index.ts';
import { PAGE_BYTES } from '../caller/index.ts';
import type { DirtySink } from '../driver/index.ts';
import { max64, min64 } from '../memory/index.ts';

export class UserBitmap implements DirtySink {
  readonly #memory: UserMemory;
  readonly #address: bigint;
  readonly #start: bigint;
  readonly #last: bigint;
  readonly #shift: bigint;
  readonly #bytes: number;
  readonly #window = new Uint8Array(PAGE_BYTES);
  /** First byte of the bitmap that the window shows, -1 for none. */
  #at = -1;
  #isReachable = false;
  /** Pages reported: of the caller's page size, counted once a mark. */
  marked = 0;

  /** @param shift log2 of the bytes that a bit stands for. Bit 0 is the page at `start`. */
  constructor(memory: UserMemory, address: bigint, start: bigint, last: bigint, shift: number) {
    this.#memory = memory;
    this.#address = address;
    this.#start = start;
    this.#last = last;
    this.#shift = BigInt(shift);
    this.#bytes = Math.ceil((Number((last - start) >> this.#shift) + 1) / 8);
  }

  /** Clipped to the request: a leaf may be larger. */
  mark(first: bigint, last: bigint): void {
    const from = Number((max64(first, this.#start) - this.#start) >> this.#shift);
    const to = Number((min64(last, this.#last) - this.#start) >> this.#shift);
    for (let bit = from; bit <= to; bit++) {
      const byte = bit >>> 3;
      if (byte < this.#at || byte >= this.#at + PAGE_BYTES || this.#at < 0) this.#move(byte);
      this.#window[byte - this.#at] |= 1 << (bit & 7);
      this.marked++;
    }
  }

  /** Writes out what the window holds. @returns false when part of the bitmap could not be reached: its bits are lost. */
  flush(): boolean {
    if (this.#at >= 0 && this.#isReachable) {
      const bytes = this.#window.subarray(0, Math.min(PAGE_BYTES, this.#bytes - this.#at));
      if (!this.#memory.write(this.#address + BigInt(this.#at), bytes)) this.#lost = true;
    }
    this.#at = -1;
    return !this.#lost;
  }
  #lost = false;

  #move(byte: number): void {
    this.flush();
    this.#at = byte - (byte % PAGE_BYTES);
    const bytes = this.#window.subarray(0, Math.min(PAGE_BYTES, this.#bytes - this.#at));
    this.#isReachable = this.#memory.read(this.#address + BigInt(this.#at), bytes);
    if (!this.#isReachable) this.#lost = true;
  }
}
