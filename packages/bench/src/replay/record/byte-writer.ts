import { writeSync } from 'node:fs';

const ZERO = 48;
const MAX_DIGITS = 20;

/** Text for a file, gathered in one buffer: writing a number or a name makes no string. */
export class ByteWriter {
  readonly #fd: number;
  readonly #bytes: Uint8Array;
  readonly #digits: Uint8Array = new Uint8Array(MAX_DIGITS);
  #length = 0;

  constructor(fd: number, capacity: number) {
    this.#fd = fd;
    this.#bytes = new Uint8Array(capacity);
  }

  /** Makes room, by writing to the file if need be. */
  reserve(bytes: number): void {
    if (this.#length + bytes > this.#bytes.length) this.flush();
  }

  text(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) this.#bytes[this.#length++] = bytes[i];
  }

  byte(byte: number): void {
    this.#bytes[this.#length++] = byte;
  }

  /** @param value a whole number from 0 on. */
  decimal(value: number): void {
    const digits = this.#digits;
    let count = 0;
    let rest = value;
    while (rest > 0x7fffffff) {
      const next = Math.floor(rest / 10);
      digits[count++] = rest - next * 10;
      rest = next;
    }
    let small = rest | 0; // the rest in whole-number arithmetic
    do {
      const next = (small / 10) | 0;
      digits[count++] = small - next * 10;
      small = next;
    } while (small > 0);
    while (count > 0) this.#bytes[this.#length++] = ZERO + digits[--count];
  }

  flush(): void {
    for (let at = 0; at < this.#length; ) at += writeSync(this.#fd, this.#bytes, at, this.#length - at);
    this.#length = 0;
  }
}
