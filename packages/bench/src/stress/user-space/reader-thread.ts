// A thread of user space: records out of the fault file, pages made present, answers back, all as bytes in memory of its own.
import { IommuError } from '@faultline/core/errors';
import {
  type AddressSpace,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  makePresent,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
} from '@faultline/core/iopf';
import type { Words } from '@faultline/core/sync';
import { FaultFile, type Machine, PAGE_RESPONSE, PGFAULT } from '@faultline/iommufd';
import { FAULT_QUEUE } from './machine.ts';
import { OwnMemory } from './own-memory.ts';
import { GROUPS, READS, REFUSED, WRITES } from './reader-books.ts';

/** Records that a read has room for at first: more once a group has more. */
const ROOM = 64;
const RECORD_WORDS = PGFAULT.bytes / 4;
const RESPONSE_WORDS = PAGE_RESPONSE.bytes / 4;
const FLAGS = PGFAULT.flags / 4;
const PERM = PGFAULT.perm / 4;
const ADDR = PGFAULT.addr / 4;
const COOKIE = PGFAULT.cookie / 4;

export interface ReaderParts {
  readonly machine: Machine;
  /** The process's memory. */
  readonly mm: AddressSpace;
  /** Word offset of the reader's row of books. */
  readonly row: number;
}

export class ReaderThread {
  readonly #machine: Machine;
  readonly #words: Words;
  readonly #file: FaultFile;
  readonly #mm: AddressSpace;
  readonly #row: number;
  readonly #leases: boolean;
  #room = 0;
  // Records first, then as many answers.
  #memory: OwnMemory;
  #own: Int32Array;

  constructor({ machine, mm, row }: ReaderParts) {
    this.#machine = machine;
    this.#words = machine.words;
    this.#file = new FaultFile(machine, FAULT_QUEUE);
    this.#mm = mm;
    this.#row = row;
    this.#leases = machine.path.leasesPages;
    [this.#memory, this.#own] = this.#makeRoom(ROOM);
  }

  #makeRoom(records: number): [OwnMemory, Int32Array] {
    this.#room = records;
    const memory = new OwnMemory(records * (PGFAULT.bytes + PAGE_RESPONSE.bytes));
    return [memory, new Int32Array(memory.bytes.buffer)];
  }

  /** Reads what waits, as much as there is room for, and answers it. @returns groups read. */
  step(): number {
    const bytes = this.#read();
    if (bytes === 0) return 0;
    const groups = this.#handle(bytes / PGFAULT.bytes);
    this.#words[this.#row + READS]++;
    this.#words[this.#row + GROUPS] += groups;
    this.#write(groups);
    return groups;
  }

  #read(): number {
    for (;;) {
      try {
        return this.#file.read(this.#memory, this.#memory.base, this.#room * PGFAULT.bytes);
      } catch (error) {
        if (!(error instanceof IommuError) || error.code !== 'EINVAL') throw error;
        [this.#memory, this.#own] = this.#makeRoom(2 * this.#room); // the first group has more records
      }
    }
  }

  /** Handles each record, and puts one answer a group in place: the first failure decides, the rest of its group is skipped.
   * @returns groups. */
  #handle(records: number): number {
    const own = this.#own;
    let groups = 0;
    let code: number = RESPONSE_SUCCESS;
    for (let at = 0; at < records * RECORD_WORDS; at += RECORD_WORDS) {
      if (code === RESPONSE_SUCCESS) code = this.#handleOne(at);
      if ((own[at + FLAGS] & FAULT_FLAG_LAST_PAGE) === 0) continue;
      const to = this.#room * RECORD_WORDS + groups++ * RESPONSE_WORDS;
      own[to + PAGE_RESPONSE.cookie / 4] = own[at + COOKIE];
      own[to + PAGE_RESPONSE.code / 4] = code;
      code = RESPONSE_SUCCESS;
    }
    return groups;
  }

  #handleOne(at: number): number {
    const own = this.#own;
    if ((own[at + FLAGS] & FAULT_FLAG_PASID_VALID) === 0) return RESPONSE_INVALID;
    const high = own[at + ADDR + 1];
    const pageLo = (own[at + ADDR] >>> 12) | (high << 20);
    return makePresent(this.#mm, pageLo, high >>> 12, own[at + PERM], this.#leases);
  }

  /** Writes the answers. One that is refused was taken from us, by a domain that went or a device that was turned off: the next ones are
   * written behind it. */
  #write(groups: number): void {
    const end = groups * PAGE_RESPONSE.bytes;
    const from = this.#memory.base + BigInt(this.#room * PGFAULT.bytes);
    for (let done = 0; done < end; ) {
      this.#words[this.#row + WRITES]++;
      try {
        done += this.#file.write(this.#memory, from + BigInt(done), end - done);
      } catch (error) {
        if (!(error instanceof IommuError) || error.field !== 'cookie') throw error;
        this.#words[this.#row + REFUSED]++;
        done += PAGE_RESPONSE.bytes;
      }
    }
  }

  /** Sleeps until groups wait, or for so long. */
  park(timeoutMs: number): void {
    this.#file.wait(timeoutMs);
  }

  close(): void {
    this.#machine.close();
  }
}
