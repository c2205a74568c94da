// A process's memory, modelled: a window of pages, each naming a frame of RAM. Shared by the process's threads; a fork copies it, and the
// pages of both are shared until one writes.
import { checkInteger, IommuError } from '@faultline/core/errors';
import { alignLine, checkRegion } from '@faultline/core/memory';
import { LINE, mutexLock, mutexUnlock, type Words } from '@faultline/core/sync';
import { highHalf, lowHalf } from '../memory/u64.ts';
import { hugeAlign, type PhysicalMemory } from './physical-memory.ts';
import {
  ACCOUNT_PROCESS,
  ACCOUNT_USER,
  type Account,
  PAGE_BYTES,
  PIN_FAULT,
  PIN_NO_MEMORY,
  type UserMemory,
} from './user-memory.ts';

// Offsets in words, from the region's base.
//
//   name     offset  guarded by   meaning
//   LOCK     0       atomic       mutex: all below. Before that of RAM
//   PAGES    1       constant     pages of the window; 0: no process was laid out here
//   LIMIT    2       LOCK         pages that may be locked
//   CHARGED  3       LOCK         pages that are: charged to the process itself
//   PINNED   4       atomic       pages that are pinned for it, whoever is charged
//   USER     5       constant     base of the process that counts for all of the user's
//   LOCKED   6       atomic       of that one: pages that are charged to the user
//   (LINE)   one word a page: frame << 3 | PTE_*, 0 for none
const LOCK = 0;
const PAGES = 1;
const LIMIT = 2;
const CHARGED = 3;
const PINNED = 4;
const USER = 5;
const LOCKED = 6;

const PTE_WRITE = 1;
/** Shared until written to. */
const PTE_COPY = 2;
/** A file's: written to by all who map it. */
const PTE_SHARED = 4;
const PTE_FRAME = 3;

/** Where the window begins: below it nothing is ever mapped. */
export const WINDOW: bigint = 0x10_0000_0000n;
const WINDOW_START = Number(WINDOW);

export const UNLIMITED: number = 2 ** 31 - 1;

/** @throws IommuError EINVAL */
export function processMemoryWords(pages: number): number {
  checkInteger('processMemoryWords', 'pages', pages, 1, 2 ** 24);
  return alignLine(LINE + pages);
}

/** Lays an empty process out over zeroed words. @param limit pages that may be locked. @param user base of another process of the same user;
 * its own: a user by itself. @throws IommuError EINVAL */
export function initProcessMemory(
  words: Words,
  base: number,
  pages: number,
  limit: number = UNLIMITED,
  user: number = base,
): void {
  checkRegion('initProcessMemory', words, base, processMemoryWords(pages));
  words[base + PAGES] = pages;
  words[base + LIMIT] = limit;
  words[base + USER] = words[user + USER] || base;
}

export interface MmapOptions {
  /** Default true. */
  readonly writable?: boolean;
  /** Physically contiguous and aligned, as a huge page is; aligned to its length in the window, a power of two. */
  readonly huge?: boolean;
  /** Frames to share instead of fresh ones: a memfd's. One for each page. */
  readonly frames?: readonly number[];
}

/** One thread's view of a process's memory. */
export class ProcessMemory implements UserMemory {
  readonly ram: PhysicalMemory;
  readonly #words: Words;
  readonly #base: number;
  readonly #pages: number;

  /** @throws IommuError EINVAL no process was laid out there. */
  constructor(ram: PhysicalMemory, base: number) {
    this.ram = ram;
    this.#words = ram.words;
    this.#base = base;
    this.#pages = ram.words[base + PAGES];
    if (this.#pages === 0)
      throw new IommuError('EINVAL', 'ProcessMemory', 'base', base, 'no process was laid out here');
  }

  /** Maps fresh zeroed pages, or a file's. @returns the address. @throws IommuError ENOMEM, EINVAL */
  mmap(bytes: number, options: MmapOptions = {}): bigint {
    const { writable = true, huge = false, frames } = options;
    checkInteger('mmap', 'bytes', bytes, 1, this.#pages * PAGE_BYTES);
    const count = Math.ceil(bytes / PAGE_BYTES);
    return this.#locked(() => {
      const first = this.#findFree(count, huge ? count : 1);
      if (first < 0) throw new IommuError('ENOMEM', 'mmap', 'bytes', bytes, 'no room in the window');
      const run = huge && frames === undefined ? this.#allocFrames(count, bytes, hugeAlign(count)) : 0;
      for (let i = 0; i < count; i++) {
        const frame = frames?.[i] ?? (run === 0 ? this.#allocFrames(1, bytes) : run + i);
        if (frames !== undefined) this.ram.get(frame);
        this.#words[this.#pte(first + i)] =
          (frame << PTE_FRAME) | (writable ? PTE_WRITE : 0) | (frames === undefined ? 0 : PTE_SHARED);
      }
      return WINDOW + BigInt(first * PAGE_BYTES);
    });
  }

  #allocFrames(count: number, bytes: number, align: number = 1): number {
    const frame = this.ram.alloc(count, align);
    if (frame === 0) throw new IommuError('ENOMEM', 'mmap', 'bytes', bytes, 'no frames are left');
    return frame;
  }

  /** Unmaps whole pages; holes are passed over. Pinned frames stay until they are unpinned. */
  munmap(address: bigint, bytes: number): void {
    this.#locked(() => {
      const first = this.#pageOf(address);
      for (let page = first; page < first + Math.ceil(bytes / PAGE_BYTES); page++) {
        const pte = this.#at(page);
        if (pte === 0) continue;
        this.#words[this.#pte(page)] = 0;
        this.ram.put(pte >> PTE_FRAME);
      }
    });
  }

  /** Makes pages read-only, or writable again. */
  mprotect(address: bigint, bytes: number, writable: boolean): void {
    this.#locked(() => {
      const first = this.#pageOf(address);
      for (let page = first; page < first + Math.ceil(bytes / PAGE_BYTES); page++) {
        const pte = this.#at(page);
        if (pte !== 0) this.#words[this.#pte(page)] = writable ? pte | PTE_WRITE : pte & ~PTE_WRITE;
      }
    });
  }

  /** Fills an empty process with this one's pages, shared until either writes. A page that is pinned is copied at once: whoever pinned it
   * means this process's. @throws IommuError ENOMEM */
  forkInto(child: ProcessMemory): void {
    this.#locked(() => {
      for (let page = 0; page < this.#pages; page++) {
        const pte = this.#at(page);
        if (pte === 0) continue;
        const frame = pte >> PTE_FRAME;
        if ((pte & PTE_SHARED) !== 0) {
          this.ram.get(frame);
          child.#words[child.#pte(page)] = pte;
        } else if (this.ram.pins(frame) > 0) {
          const copy = this.#allocFrames(1, PAGE_BYTES);
          this.ram.copy(frame, copy);
          child.#words[child.#pte(page)] = (copy << PTE_FRAME) | (pte & PTE_WRITE);
        } else {
          this.ram.get(frame);
          this.#words[this.#pte(page)] = pte | PTE_COPY;
          child.#words[child.#pte(page)] = pte | PTE_COPY;
        }
      }
    });
  }

  /** The process is gone: everything is unmapped. */
  exit(): void {
    this.munmap(WINDOW, this.#pages * PAGE_BYTES);
  }

  read(address: bigint, into: Uint8Array): boolean {
    return this.#copy(address, into, false);
  }

  write(address: bigint, from: Uint8Array): boolean {
    return this.#copy(address, from, true);
  }

  pin(address: bigint, writable: boolean): number {
    mutexLock(this.#words, this.#base + LOCK, this.ram.self);
    try {
      const frame = this.#frameFor(this.#pageOf(address), writable, true);
      if (frame <= 0) return frame === 0 ? PIN_FAULT : PIN_NO_MEMORY;
      this.ram.pin(frame);
      return frame * PAGE_BYTES;
    } finally {
      mutexUnlock(this.#words, this.#base + LOCK, this.ram.self);
    }
  }

  unpin(physical: number): void {
    this.ram.unpin(Math.floor(physical / PAGE_BYTES));
  }

  charge(pages: number, account: Account = ACCOUNT_PROCESS): boolean {
    const limit = this.#words[this.#base + LIMIT];
    if (account === ACCOUNT_USER && !this.#chargeUser(pages, limit)) return false;
    if (account === ACCOUNT_PROCESS && !this.#locked(() => this.#chargeProcess(pages, limit))) return false;
    Atomics.add(this.#words, this.#base + PINNED, pages);
    return true;
  }

  #chargeProcess(pages: number, limit: number): boolean {
    const charged = this.#words[this.#base + CHARGED] + pages;
    if (charged > limit) return false;
    this.#words[this.#base + CHARGED] = charged;
    return true;
  }

  /** The user's count is shared with processes that have locks of their own. */
  #chargeUser(pages: number, limit: number): boolean {
    const at = this.#words[this.#base + USER] + LOCKED;
    for (let seen = Atomics.load(this.#words, at); seen + pages <= limit; ) {
      const found = Atomics.compareExchange(this.#words, at, seen, seen + pages);
      if (found === seen) return true;
      seen = found;
    }
    return false;
  }

  uncharge(pages: number, account: Account = ACCOUNT_PROCESS): void {
    if (account === ACCOUNT_USER) lessPages(this.#words, this.#words[this.#base + USER] + LOCKED, pages);
    else if (account === ACCOUNT_PROCESS) this.#locked(() => lessPages(this.#words, this.#base + CHARGED, pages));
    lessPages(this.#words, this.#base + PINNED, pages);
  }

  /** Pages charged to the process itself: VmLck. */
  charged(): number {
    return this.#words[this.#base + CHARGED];
  }

  /** Pages pinned for the process, whoever is charged: VmPin. */
  pinnedPages(): number {
    return Atomics.load(this.#words, this.#base + PINNED);
  }

  /** Pages charged to its user. */
  chargedToUser(): number {
    return Atomics.load(this.#words, this.#words[this.#base + USER] + LOCKED);
  }

  /** Frame of a mapped address, 0 for none. */
  frameAt(address: bigint): number {
    return this.#at(this.#pageOf(address)) >> PTE_FRAME;
  }

  #copy(address: bigint, bytes: Uint8Array, writes: boolean): boolean {
    const start = offsetOf(address);
    const length = bytes.length;
    mutexLock(this.#words, this.#base + LOCK, this.ram.self);
    try {
      for (let at = 0; at < length; ) {
        const page = Math.floor((start + at) / PAGE_BYTES);
        const frame = this.#frameFor(page, writes);
        if (frame <= 0) return false;
        const inPage = start + at - page * PAGE_BYTES;
        const part = Math.min(length - at, PAGE_BYTES - inPage);
        const physical = frame * PAGE_BYTES + inPage;
        if (writes) copyBytes(bytes, at, this.ram.bytes, physical, part);
        else copyBytes(this.ram.bytes, physical, bytes, at, part);
        at += part;
      }
      return true;
    } finally {
      mutexUnlock(this.#words, this.#base + LOCK, this.ram.self);
    }
  }

  /** The frame of a page, which gets one of its own first when it is shared and to be written, or to stay where it is: a pin for reading
   * would otherwise see the page move with the next write. @returns 0: fault; -1: no frame is left. */
  #frameFor(page: number, writes: boolean, stays: boolean = writes): number {
    const pte = this.#at(page);
    if (pte === 0 || (writes && (pte & PTE_WRITE) === 0)) return 0;
    const frame = pte >> PTE_FRAME;
    if (!stays || (pte & PTE_COPY) === 0) return frame;
    let own = frame;
    if (this.ram.refs(frame) > 1) {
      own = this.ram.alloc(1);
      if (own === 0) return -1;
      this.ram.copy(frame, own);
      this.ram.put(frame);
    }
    this.#words[this.#pte(page)] = (own << PTE_FRAME) | (pte & PTE_WRITE);
    return own;
  }

  #findFree(count: number, align: number): number {
    for (let first = 0; first + count <= this.#pages; first += align) {
      let run = 0;
      while (run < count && this.#at(first + run) === 0) run++;
      if (run === count) return first;
    }
    return -1;
  }

  #pageOf(address: bigint): number {
    return Math.floor(offsetOf(address) / PAGE_BYTES);
  }

  #at(page: number): number {
    return page >= 0 && page < this.#pages ? this.#words[this.#pte(page)] : 0;
  }

  #pte(page: number): number {
    return this.#base + LINE + page;
  }

  #locked<T>(body: () => T): T {
    mutexLock(this.#words, this.#base + LOCK, this.ram.self);
    try {
      return body();
    } finally {
      mutexUnlock(this.#words, this.#base + LOCK, this.ram.self);
    }
  }
}

/** @throws IommuError EINVAL there are not so many: nothing has changed. */
function lessPages(words: Words, at: number, pages: number): void {
  if (Atomics.sub(words, at, pages) >= pages) return;
  Atomics.add(words, at, pages);
  throw new IommuError('EINVAL', 'uncharge', 'pages', pages, 'more than was charged');
}

/** Offset in the window, as far as it lies in one; exact up to 2^53. */
function offsetOf(address: bigint): number {
  return highHalf(address) * 2 ** 32 + lowHalf(address) - WINDOW_START;
}

/** Structs are short: a loop beats a view made for them. */
const SHORT_BYTES = 128;

function copyBytes(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, length: number): void {
  if (length > SHORT_BYTES) to.set(from.subarray(fromAt, fromAt + length), toAt);
  else for (let i = 0; i < length; i++) to[toAt + i] = from[fromAt + i];
}
