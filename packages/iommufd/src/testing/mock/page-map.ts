// The mock's page tables: one hash table from domain and IOVA page to memory, shared by all threads. Not a page table of any hardware:
// @faultline/hw has those.
import { checkInteger, IommuError } from '@faultline/core/errors';
import { alignLine, checkRegion } from '@faultline/core/memory';
import { LINE, mutexLock, mutexUnlock, type ThreadSelf, type Words } from '@faultline/core/sync';

// Offsets in words, from the region's base.
//
//   name      offset  guarded by   meaning
//   LOCK      0       atomic       mutex: all below
//   CAPACITY  1       constant     slots, a power of two
//   USED      2       LOCK         slots that hold a page
//   (LINE)    four words a slot:
//   DOMAIN    0       LOCK         0 for an empty slot
//   PAGE      1       LOCK         IOVA page, of 2^PAGE_LG2 bytes: 32 bits
//   MEMORY    2       LOCK         physical page of the same size
//   FLAGS     3       LOCK         MAPPED_*
const LOCK = 0;
const CAPACITY = 1;
const USED = 2;
/** Slots in a cache line of 64 bytes, log2. */
const LINE_LG2 = 2;
const SLOT_LG2 = 2;
const SLOT_WORDS: number = 1 << SLOT_LG2;

export const MAPPED_READ = 1;
export const MAPPED_WRITE = 2;
export const MAPPED_DIRTY = 4;
/** Part of a huge leaf: what is dirty is said by the leaf's first page. */
export const MAPPED_HUGE = 8;
/** Its memory was revoked: no device reaches it any more. */
export const MAPPED_REVOKED = 16;

export function pageMapWords(slots: number): number {
  checkInteger('pageMapWords', 'slots', slots, 2, 2 ** 24);
  return alignLine(LINE + slots * SLOT_WORDS);
}

/** @param slots a power of two, twice what is to be mapped. */
export function initPageMap(words: Words, base: number, slots: number): void {
  checkRegion('initPageMap', words, base, pageMapWords(slots));
  words[base + CAPACITY] = slots;
}

/** One thread's way to all domains' pages. */
export class PageMap {
  readonly #words: Words;
  readonly #base: number;
  readonly #self: ThreadSelf;
  readonly #mask: number;

  constructor(words: Words, base: number, self: ThreadSelf) {
    this.#words = words;
    this.#base = base;
    this.#self = self;
    this.#mask = words[base + CAPACITY] - 1;
  }

  /** Runs `body` with the table locked: for several pages at once. */
  locked<T>(body: () => T): T {
    this.lock();
    try {
      return body();
    } finally {
      this.unlock();
    }
  }
  /** The same for who has no use for a closure. */
  lock(): void {
    mutexLock(this.#words, this.#base + LOCK, this.#self);
  }
  unlock(): void {
    mutexUnlock(this.#words, this.#base + LOCK, this.#self);
  }

  /** Adds a page. Context: locked. @throws IommuError EINVAL it is mapped, ENOMEM the table is three quarters full. */
  add(domain: number, page: number, memory: number, flags: number): void {
    const words = this.#words;
    const at = this.#find(domain, page);
    if (words[at] !== 0) throw new IommuError('EINVAL', 'PageMap.add', 'page', page, `is mapped in domain ${domain}`);
    if (words[this.#base + USED] > this.#mask * 0.75)
      throw new IommuError('ENOMEM', 'PageMap.add', 'page', page, 'the page table is full');
    words[at] = domain;
    words[at + 1] = page;
    words[at + 2] = memory;
    words[at + 3] = flags;
    words[this.#base + USED]++;
  }

  /** Context: locked. @returns whether it was mapped. */
  remove(domain: number, page: number): boolean {
    const words = this.#words;
    let hole = this.#find(domain, page);
    if (words[hole] === 0) return false;
    words[this.#base + USED]--;
    // What was put further on because this slot was taken moves up, so that a look-up may stop at an empty slot.
    for (let slot = this.#next(hole); words[slot] !== 0; slot = this.#next(slot)) {
      const home = this.#home(words[slot], words[slot + 1]);
      if (this.#distance(home, slot) < this.#distance(hole, slot)) continue;
      words.copyWithin(hole, slot, slot + SLOT_WORDS);
      hole = slot;
    }
    words[hole] = 0;
    return true;
  }

  /** Word offset of a page's flags, 0 when it is not mapped. Context: locked. */
  flagsAt(domain: number, page: number): number {
    const at = this.#find(domain, page);
    return this.#words[at] === 0 ? 0 : at + 3;
  }

  /** Physical page, -1 when it is not mapped. Context: locked. */
  memoryOf(domain: number, page: number): number {
    const at = this.#find(domain, page);
    return this.#words[at] === 0 ? -1 : this.#words[at + 2];
  }

  /** Word offsets of all slots that hold a page. Context: locked, until the last one was taken. */
  *slots(): Generator<number> {
    for (let slot = 0; slot <= this.#mask; slot++) {
      const at = this.#base + LINE + slot * SLOT_WORDS;
      if (this.#words[at] !== 0) yield at;
    }
  }

  /** Pages mapped in all domains. */
  used(): number {
    return this.#words[this.#base + USED];
  }

  #find(domain: number, page: number): number {
    const words = this.#words;
    let at = this.#home(domain, page);
    while (words[at] !== 0 && (words[at] !== domain || words[at + 1] !== page)) at = this.#next(at);
    return at;
  }

  #home(domain: number, page: number): number {
    // Pages that follow each other share a cache line.
    const hash = Math.imul((page >>> LINE_LG2) ^ Math.imul(domain, 0x9e3779b1), 0x85ebca6b);
    const slot = ((hash ^ (hash >>> 15)) << LINE_LG2) | (page & ((1 << LINE_LG2) - 1));
    return this.#base + LINE + (slot & this.#mask) * SLOT_WORDS;
  }

  #next(at: number): number {
    const slot = (at - this.#base - LINE) >>> SLOT_LG2;
    return this.#base + LINE + ((slot + 1) & this.#mask) * SLOT_WORDS;
  }

  #distance(from: number, to: number): number {
    return ((to - from) >> SLOT_LG2) & this.#mask;
  }
}
