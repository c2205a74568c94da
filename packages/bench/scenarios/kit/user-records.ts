// A user's buffer for fault records, a word each: the record's cookie, from the moment at which it can be seen.
import type { Context, Region } from '@faultline/bench/explore';
import type { Words } from '@faultline/core/sync';
import { PGFAULT, type UserMemory } from './iommufd.ts';

const RECORDS = 4;
const PAGE = 4096;
const NAME = 'user buffer';
const COOKIE_WORD = PGFAULT.cookie / 4;

export const userRegion: Region = { name: NAME, words: RECORDS, fields: { 0: 0, 1: 1, 2: 2, 3: 3 } };

/** One thread's end of the buffer. Addresses are bytes of records from 0 on. */
export class UserRecords implements UserMemory {
  /** Records from here on cannot be written. Each thread's own: whoever reads sets it. */
  writable = RECORDS;
  readonly #words: Words;
  readonly #at: number;

  constructor({ words, at }: Context) {
    this.#words = words;
    this.#at = at(NAME);
  }

  /** As other processes' memory is written: what can be, in order. */
  write(address: bigint, from: Uint8Array): boolean {
    const first = Number(address) / PGFAULT.bytes;
    const records = from.length / PGFAULT.bytes;
    const view = new Int32Array(from.buffer, from.byteOffset, from.length / 4);
    for (let i = 0; i < records; i++) {
      if (first + i >= this.writable) return false;
      Atomics.store(this.#words, this.#at + first + i, view[i * (PGFAULT.bytes / 4) + COOKIE_WORD]);
    }
    return true;
  }

  /** What a copy does that fails behind the first record. */
  showFirst(cookie: number): void {
    Atomics.store(this.#words, this.#at, cookie);
  }

  /** The cookie in record `index`, 0 before one is there. */
  cookie(index: number): number {
    return Atomics.load(this.#words, this.#at + index);
  }

  read(): boolean {
    return false;
  }
  /** All memory is the same page. */
  pin(): number {
    return PAGE;
  }
  unpin(): void {}
  charge(): boolean {
    return true;
  }
  uncharge(): void {}
}
