import {
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_OFFSET_SHIFT,
  FAULT_PAGE_HI,
  FAULT_PAGE_HI_MASK,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  GROUP_COOKIE,
  GROUP_COUNT,
  GROUP_FAULTS,
  REQUEST_CHAIN,
  REQUEST_WORDS,
} from '@faultline/core/iopf';
import type { Words } from '@faultline/core/sync';
import { userFaultFlags } from '../driver/fault-flags.ts';

const USER_FLAGS = FAULT_FLAG_PASID_VALID | FAULT_FLAG_LAST_PAGE;

/** A view on one fault of a group, where it lies: nothing is copied, and one cursor serves a reader for good.
 * What it shows is the group's until its cookie is answered; on no group, every field is 0.
 * @see Linux struct iommu_hwpt_pgfault */
export class FaultCursor {
  readonly #words: Words;
  readonly #objects: number;
  // Word offsets of the group and of the member shown. 0, the arena's unused first line, while there is none: it reads as zeros.
  #groupAt = 0;
  #at = 0;

  /** @param objects word offset of request object 0. */
  constructor(words: Words, objects: number) {
    this.#words = words;
    this.#objects = objects;
  }

  /** FAULT_FLAG_PASID_VALID and, on the group's last fault, FAULT_FLAG_LAST_PAGE. */
  get flags(): number {
    return userFaultFlags(this.#words[this.#at + FAULT_FLAGS]) & USER_FLAGS;
  }
  /** Index in the core's device table. */
  get devId(): number {
    return this.#words[this.#at + FAULT_DEVICE];
  }
  /** Meaningful with FAULT_FLAG_PASID_VALID. */
  get pasid(): number {
    return this.#words[this.#at + FAULT_PASID];
  }
  /** The device's number for the group. Answer the cookie, not this. */
  get grpid(): number {
    return this.#words[this.#at + FAULT_GRPID] >>> 0;
  }
  /** FAULT_PERM_* bits. */
  get perm(): number {
    return this.#words[this.#at + FAULT_PERM];
  }
  /** The I/O virtual address in pages of 4 KiB: 52 bits, exact. */
  get page(): number {
    const high = this.#words[this.#at + FAULT_PAGE_HI] & FAULT_PAGE_HI_MASK;
    return high * 2 ** 32 + (this.#words[this.#at + FAULT_PAGE_LO] >>> 0);
  }
  /** The byte in the page, 0 from hardware that names pages only: VT-d, AMD, PRI. */
  get offset(): number {
    return this.#words[this.#at + FAULT_PAGE_HI] >>> FAULT_OFFSET_SHIFT;
  }
  /** The I/O virtual address in bytes, as the driver gave it: not always a page's first. */
  get addr(): bigint {
    return (BigInt(this.page) << 12n) | BigInt(this.offset);
  }
  /** The same for all faults of a group. */
  get cookie(): number {
    return this.#words[this.#groupAt + GROUP_COOKIE];
  }
  /** Faults of the group. */
  get count(): number {
    return this.#words[this.#groupAt + GROUP_COUNT];
  }

  /** Steps to the group's next fault, in the order in which the device asked. @returns false, and stays, on the last one. */
  next(): boolean {
    if (this.#at === this.#groupAt) return false;
    this.#show(this.#words[this.#at + REQUEST_CHAIN]);
    return true;
  }

  /** Back to the group's first fault. */
  rewind(): void {
    this.#show(this.#groupAt === 0 ? 0 : this.#words[this.#groupAt + GROUP_FAULTS]);
  }

  /** Another view on the same group, on its first fault: for who holds several groups at once. */
  copy(): FaultCursor {
    const copy = new FaultCursor(this.#words, this.#objects);
    copy.#groupAt = this.#groupAt;
    copy.rewind();
    return copy;
  }

  /** Shows the first fault of a group; of 0, nothing. For the queue. */
  place(group: number): void {
    this.#groupAt = group === 0 ? 0 : this.#objects + group * REQUEST_WORDS;
    this.rewind();
  }

  /** The members that were set aside come first; the last request is the group itself. */
  #show(member: number): void {
    this.#at = member === 0 ? this.#groupAt : this.#objects + member * REQUEST_WORDS;
  }
}
