// A caller's bitmap of dirty pages. Bits are only ever set. It is reached through a window of a page of the caller's memory: sparse dirt
// touches little of it, and where one of its pages cannot be reached, the bits of the others are there.
import type { UserMemory } from '../caller/index.ts';
import { PAGE_BYTES } from '../caller/index.ts';
import type { DirtySink } from '../driver/index.ts';
import { max64, min64 } from '../memory/index.ts';

export class UserBitmap implements DirtySink {
  readonly #memory: UserMemory;
  readonly #address: bigint;
  readonly #inPage: number;
  readonly #start: bigint;
  readonly #last: bigint;
  readonly #shift: bigint;
  readonly #bytes: number;
  readonly #window = new Uint8Array(PAGE_BYTES);
  /** Bytes of the bitmap that the window shows: from, up to but not including. */
  #at = 0;
  #end = 0;
  #isReachable = false;

  /** @param shift log2 of the bytes that a bit stands for. Bit 0 is the page at `start`. */
  constructor(memory: UserMemory, address: bigint, start: bigint, last: bigint, shift: number) {
    this.#memory = memory;
    this.#address = address;
    this.#inPage = Number(address % BigInt(PAGE_BYTES));
    this.#start = start;
    this.#last = last;
    this.#shift = BigInt(shift);
    this.#bytes = Math.ceil((Number((last - start) >> this.#shift) + 1) / 8);
  }

  /** Clipped to the request: a leaf may be larger. */
  mark(first: bigint, last: bigint): void {
    const end = Number((min64(last, this.#last) - this.#start) >> this.#shift) + 1;
    for (let bit = Number((max64(first, this.#start) - this.#start) >> this.#shift); bit < end; ) {
      const byte = Math.floor(bit / 8);
      if (byte < this.#at || byte >= this.#end) this.#move(byte);
      if (bit % 8 === 0 && end - bit >= 8) {
        const until = Math.min(Math.floor(end / 8), this.#end);
        this.#window.fill(0xff, byte - this.#at, until - this.#at);
        bit = until * 8;
      } else {
        this.#window[byte - this.#at] |= 1 << (bit % 8);
        bit++;
      }
    }
  }

  /** Writes out what the window holds. Bits that cannot be reached are lost. */
  flush(): void {
    if (this.#isReachable)
      this.#memory.write(this.#address + BigInt(this.#at), this.#window.subarray(0, this.#end - this.#at));
    this.#isReachable = false;
    this.#end = this.#at;
  }

  #move(byte: number): void {
    this.flush();
    const page = byte - ((this.#inPage + byte) % PAGE_BYTES);
    this.#at = Math.max(0, page);
    this.#end = Math.min(page + PAGE_BYTES, this.#bytes);
    const bytes = this.#window.subarray(0, this.#end - this.#at);
    this.#isReachable = this.#memory.read(this.#address + BigInt(this.#at), bytes);
  }
}
