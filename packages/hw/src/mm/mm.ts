import { checkInteger, IommuError } from '@faultline/core/errors';
import type { AddressSpace } from '@faultline/core/iopf';
import {
  LINE,
  readLock,
  readUnlock,
  refcountIncNotZero,
  refcountPut,
  refcountRead,
  type ThreadSelf,
  tryReadLock,
  type Words,
  writeLock,
  writeUnlock,
} from '@faultline/core/sync';
import {
  areaAt,
  areaFrom,
  areaPages,
  areaStart,
  eraseArea,
  insertArea,
  pageHi,
  pageLo,
  pageOf,
  type Walk,
  walkTo,
} from './areas.ts';
import {
  BOOK_DISCARDED,
  BOOK_FOUND,
  BOOK_LEASED,
  BOOK_POPULATED,
  BOOK_RECLAIMED,
  BOOK_RESTORED,
  BOOK_STUCK,
  BOOK_TAKEN,
  BOOK_WAITED,
  book,
} from './books.ts';
import {
  AREA_FRAME,
  AREA_PERM,
  AREA_TAG,
  FRAME_WORDS,
  MAX_PAGE,
  MM_BOOKS_AT,
  MM_FRAMES,
  MM_FRAMES_AT,
  MM_LOCK,
  MM_PTES_AT,
  MM_SEQ,
  MM_THREADS,
  MM_USERS,
} from './layout.ts';
import type { Notifier } from './notifier.ts';
import {
  busyBy,
  marksOf,
  PTE_ACCESS,
  PTE_BUSY,
  PTE_LEASE,
  PTE_NUMA_HINT,
  PTE_PRESENT,
  PTE_WAITERS,
  pteDiscard,
  pteOwner,
  pteTake,
  pteTouch,
  TAKE_DONE,
  TAKE_LEASED,
  type Take,
  tagBits,
  waitForPage,
} from './pte.ts';

/** How long a handler waits for another that zeroes the same page. Longer than the device's own time-out (4.2 s): past it the
 * answer matters to nobody, and whoever was to zero the page is most likely dead. */
const BUSY_LIMIT_MS = 5000;
const ZERO_FRAME = new Float64Array(FRAME_WORDS / 2);

export interface MmOptions {
  /** How long a fault waits for another handler's zeroing before it fails. Default 5000. */
  readonly busyLimitMs?: number;
}

/** One thread's view of an address space: one instance a thread, as books and locks go by the thread's id.
 * What may happen to a page, and who may do it under which lock, stands in pte.ts. */
export class Mm implements AddressSpace {
  readonly #words: Words;
  readonly #base: number;
  readonly #self: ThreadSelf;
  readonly #notifier: Notifier;
  readonly #busyLimitMs: number;
  readonly #row: number;
  readonly #lock: number;
  readonly #ptes: number;
  readonly #frames: number;
  readonly #bytes: Float64Array; // the same memory in 8-byte steps: zeroing takes half the stores
  readonly #walk: Walk = { start: 0, end: 0, frame: 0, tag: 0, seq: 0 }; // the area that translate() found last

  /** @throws IommuError EINVAL no address space was laid out at `base`, or `self.id` exceeds its `threads`. */
  constructor(words: Words, base: number, self: ThreadSelf, notifier: Notifier, options: MmOptions = {}) {
    if (!Number.isInteger(base) || base <= 0 || base + LINE > words.length || words[base + MM_FRAMES_AT] === 0)
      throw new IommuError('EINVAL', 'Mm', 'base', base, 'no address space was laid out there');
    checkInteger('Mm', 'self.id', self.id, 1, words[base + MM_THREADS]);
    this.#words = words;
    this.#base = base;
    this.#self = self;
    this.#notifier = notifier;
    this.#busyLimitMs = checkInteger('Mm', 'busyLimitMs', options.busyLimitMs ?? BUSY_LIMIT_MS, 0, 2 ** 31 - 1);
    this.#row = words[base + MM_BOOKS_AT] + self.id * LINE;
    this.#lock = base + MM_LOCK;
    this.#ptes = words[base + MM_PTES_AT];
    this.#frames = words[base + MM_FRAMES_AT];
    this.#bytes = new Float64Array(words.buffer, words.byteOffset, words.length >>> 1);
  }

  // Users and the mmap lock

  getUsers(): boolean {
    return refcountIncNotZero(this.#words, this.#base + MM_USERS);
  }

  /** Drops a user reference. The last one takes all areas down. Context: mmap lock not held; may block then.
   * @see Linux exit_mmap() */
  putUsers(): void {
    if (refcountPut(this.#words, this.#base + MM_USERS)) this.#exit();
  }

  readLock(): void {
    readLock(this.#words, this.#lock, this.#self);
  }

  /** Takes the mmap lock shared if that needs no waiting. */
  tryReadLock(): boolean {
    return tryReadLock(this.#words, this.#lock);
  }

  readUnlock(): void {
    readUnlock(this.#words, this.#lock);
  }

  // The handler's side. Context of all of these: mmap lock held

  findArea(lo: number, hi: number): number {
    return areaAt(this.#words, this.#base, pageOf(lo, hi));
  }

  areaPerm(area: number): number {
    return this.#words[area + AREA_PERM];
  }

  /** Makes a page of `area` present: zeroes it, or gives it back when the scanner took it. Of handlers that race on one page
   * one zeroes, and the others wait for it. Nothing is allocated.
   * @param lease whether the scanner is to leave the page, once it is back, until the device has accessed it (LEASE in pte.ts).
   * @returns false when the page is outside the area, the area grants less than `perm`, or another handler never finished. */
  handleMmFault(area: number, lo: number, hi: number, perm: number, lease = false): boolean {
    const words = this.#words;
    const index = pageOf(lo, hi) - areaStart(words, area);
    const granted = words[area + AREA_PERM];
    if (index < 0 || index >= areaPages(words, area) || (perm & PTE_ACCESS & ~granted) !== 0) return false;
    const frame = words[area + AREA_FRAME] + index;
    const at = this.#ptes + frame;
    const marks = marksOf(perm) | (lease ? PTE_LEASE : 0);
    for (;;) {
      const pte = Atomics.load(words, at);
      if (pte === 0) {
        const busy = busyBy(this.#self.id);
        if (Atomics.compareExchange(words, at, 0, busy) !== 0) continue; // [Z]
        this.#bytes.set(ZERO_FRAME, (this.#frames + frame * FRAME_WORDS) / 2);
        this.#publish(at, busy, tagBits(words[area + AREA_TAG]) | PTE_PRESENT | granted | marks);
        book(words, this.#row, BOOK_POPULATED, 1);
        return true;
      }
      if ((pte & PTE_BUSY) !== 0) {
        if (!this.#waitForOther(at)) return false;
      } else if ((pte & PTE_NUMA_HINT) !== 0) {
        const restored = (pte & ~PTE_NUMA_HINT) | marks;
        if (Atomics.compareExchange(words, at, pte, restored) !== pte) continue;
        book(words, this.#row, BOOK_RESTORED, 1);
        return true;
      } else {
        book(words, this.#row, BOOK_FOUND, 1);
        return true;
      }
    }
  }

  // The device's side

  /** What the device's table walk sees: is the page mapped for this access? Sets ACCESSED, and DIRTY for a write. Takes no lock,
   * waits for nobody; stores nothing when the bits are set. While areas are being changed it may say no to a mapped page. */
  translate(lo: number, hi: number, perm: number): boolean {
    const walk = this.#walk;
    const page = pageOf(lo, hi);
    if (page >= walk.start && page < walk.end) {
      if (pteTouch(this.#words, this.#ptes + walk.frame + (page - walk.start), walk.tag, perm)) return true;
      if (Atomics.load(this.#words, this.#base + MM_SEQ) === walk.seq) return false;
    }
    if (!walkTo(this.#words, this.#base, page, walk)) return false;
    return pteTouch(this.#words, this.#ptes + walk.frame + (page - walk.start), walk.tag, perm);
  }

  // The owner's side. These block: on the mmap lock, and in the notifier

  /** Maps `pages` fresh pages at `startPage` for the accesses in `perm` (FAULT_PERM_READ, _WRITE, _EXEC). None is present yet.
   * @throws IommuError EINVAL not a whole number, none or more than 2^52 pages, other bits in `perm`, no users left; EBUSY
   * overlap; ENOSPC all areas taken; ENOMEM no frames; EOVERFLOW after a quarter of a million areas. */
  addArea(startPage: number, pages: number, perm: number): void {
    const call = 'Mm.addArea';
    checkRange(call, startPage, pages);
    if (!Number.isInteger(perm) || (perm & ~PTE_ACCESS) !== 0)
      throw new IommuError('EINVAL', call, 'perm', perm, 'must be of FAULT_PERM_READ, _WRITE and _EXEC');
    this.#exclusively(() => {
      if (refcountRead(this.#words, this.#base + MM_USERS) === 0)
        throw new IommuError('EINVAL', call, 'startPage', startPage, 'the address space has no users left');
      insertArea(this.#words, this.#base, startPage, pages, perm);
    });
  }

  /** Unmaps the area that begins at `startPage`. @returns how many of its pages were present. @throws IommuError ENOENT */
  removeArea(startPage: number): number {
    let discarded = 0;
    this.#exclusively(() => {
      const area = areaAt(this.#words, this.#base, startPage);
      if (area === 0 || areaStart(this.#words, area) !== startPage)
        throw new IommuError('ENOENT', 'Mm.removeArea', 'startPage', startPage, 'no area begins there');
      discarded = this.#removeArea(area);
    });
    return discarded;
  }

  /** Makes pages absent; touched again, they read as zero. Pages that a handler is populating stay: they hold zeroes.
   * @returns how many were present. @throws IommuError EINVAL the range, ENOENT part of it is in no area: nothing was done.
   * @see Linux madvise(MADV_DONTNEED) */
  discard(startPage: number, pages: number): number {
    checkRange('Mm.discard', startPage, pages);
    let discarded = 0;
    this.readLock();
    try {
      this.#checkMapped('Mm.discard', startPage, startPage + pages);
      for (let page = startPage; page < startPage + pages; ) {
        const area = areaAt(this.#words, this.#base, page);
        const start = areaStart(this.#words, area);
        const end = Math.min(startPage + pages, start + areaPages(this.#words, area));
        const first = this.#words[area + AREA_FRAME] + (page - start);
        discarded += this.#discardFrames(first, end - page);
        page = end;
      }
      if (discarded > 0) this.invalidate(startPage, pages);
    } finally {
      this.readUnlock();
    }
    return discarded;
  }

  // The page scanner's side. Context: mmap lock held

  /** @returns the first area that ends after `page`, or 0. */
  areaFrom(page: number): number {
    return areaFrom(this.#words, this.#base, page);
  }
  areaStart(area: number): number {
    return areaStart(this.#words, area);
  }
  areaPages(area: number): number {
    return areaPages(this.#words, area);
  }

  /** Takes the area's page number `index` from the device, contents and all, or shortens its lease. @returns TAKE_* */
  takePage(area: number, index: number): Take {
    const take = pteTake(this.#words, this.#ptes + this.#words[area + AREA_FRAME] + index);
    if (take === TAKE_DONE) book(this.#words, this.#row, BOOK_TAKEN, 1);
    else if (take === TAKE_LEASED) book(this.#words, this.#row, BOOK_LEASED, 1);
    return take;
  }

  invalidate(startPage: number, pages: number): void {
    this.#notifier.invalidateRange(pageLo(startPage), pageHi(startPage), pages);
  }

  // For whoever watches

  /** Pages mapped now, those that the scanner took included. Exact while nobody changes any. */
  presentPages(): number {
    let present = 0;
    const end = this.#ptes + this.#words[this.#base + MM_FRAMES];
    for (let at = this.#ptes; at < end; at++) if ((Atomics.load(this.#words, at) & PTE_PRESENT) !== 0) present++;
    return present;
  }

  /** @returns the page's PTE (bits in pte.ts), 0 when it is absent or in no area. Context: mmap lock held, or nobody changes areas. */
  pteOf(page: number): number {
    const area = areaAt(this.#words, this.#base, page);
    return area === 0 ? 0 : Atomics.load(this.#words, this.#ptes + this.#frameOf(area, page));
  }

  /** @returns the word offset of the page's 4 KiB, 0 when it is in no area. Context: as {@link pteOf}. */
  frameAt(page: number): number {
    const area = areaAt(this.#words, this.#base, page);
    return area === 0 ? 0 : this.#frames + this.#frameOf(area, page) * FRAME_WORDS;
  }

  /** Makes absent what a dead handler was zeroing, so that the next fault on it starts afresh; wakes who waits for it.
   * Context: the thread `owner` runs no more. @returns the number of pages. */
  reclaimBusy(owner: number): number {
    checkInteger('Mm.reclaimBusy', 'owner', owner, 1, this.#words[this.#base + MM_THREADS]);
    let reclaimed = 0;
    const end = this.#ptes + this.#words[this.#base + MM_FRAMES];
    for (let at = this.#ptes; at < end; at++) {
      const pte = Atomics.load(this.#words, at);
      if ((pte & PTE_BUSY) === 0 || pteOwner(pte) !== owner) continue;
      Atomics.store(this.#words, at, 0);
      Atomics.notify(this.#words, at);
      reclaimed++;
    }
    book(this.#words, this.#row, BOOK_RECLAIMED, reclaimed);
    return reclaimed;
  }

  /** Ends BUSY. Others may only have announced themselves meanwhile. */
  #publish(at: number, busy: number, present: number): void {
    const found = Atomics.compareExchange(this.#words, at, busy, present); // [P]
    if (found === busy) return;
    if (Atomics.compareExchange(this.#words, at, busy | PTE_WAITERS, present) !== (busy | PTE_WAITERS))
      throw new IommuError('EPIPE', 'Mm.handleMmFault', 'pte', found, 'reclaimed although its owner lives');
    Atomics.notify(this.#words, at); // [W]
  }

  #waitForOther(at: number): boolean {
    book(this.#words, this.#row, BOOK_WAITED, 1);
    if (waitForPage(this.#words, at, this.#self, performance.now() + this.#busyLimitMs)) return true;
    book(this.#words, this.#row, BOOK_STUCK, 1);
    return false;
  }

  #frameOf(area: number, page: number): number {
    return this.#words[area + AREA_FRAME] + (page - areaStart(this.#words, area));
  }

  #discardFrames(first: number, pages: number): number {
    let discarded = 0;
    for (let at = this.#ptes + first; at < this.#ptes + first + pages; at++)
      if (pteDiscard(this.#words, at)) discarded++;
    book(this.#words, this.#row, BOOK_DISCARDED, discarded);
    return discarded;
  }

  /** The area goes first: from then on no walk finds it, and who remembers it finds its pages until they are absent too. Its
   * frames cannot go to another area before the lock is given up, hence not before the notifier returned. */
  #removeArea(area: number): number {
    const start = areaStart(this.#words, area);
    const pages = areaPages(this.#words, area);
    const first = this.#words[area + AREA_FRAME];
    eraseArea(this.#words, this.#base, area);
    const discarded = this.#discardFrames(first, pages);
    if (discarded > 0) this.invalidate(start, pages);
    return discarded;
  }

  #exit(): void {
    this.#exclusively(() => {
      for (let area = this.areaFrom(0); area !== 0; area = this.areaFrom(0)) this.#removeArea(area);
    });
  }

  #exclusively(change: () => void): void {
    writeLock(this.#words, this.#lock, this.#self);
    try {
      change();
    } finally {
      writeUnlock(this.#words, this.#lock, this.#self);
    }
  }

  #checkMapped(call: string, start: number, end: number): void {
    for (let page = start; page < end; ) {
      const area = areaAt(this.#words, this.#base, page);
      if (area === 0) throw new IommuError('ENOENT', call, 'startPage', start, `page ${page} is in no area`);
      page = areaStart(this.#words, area) + areaPages(this.#words, area);
    }
  }
}

function checkRange(call: string, startPage: number, pages: number): void {
  checkInteger(call, 'startPage', startPage, 0, MAX_PAGE - 1);
  checkInteger(call, 'pages', pages, 1, MAX_PAGE);
  if (startPage + pages > MAX_PAGE)
    throw new IommuError('EINVAL', call, 'pages', pages, `the range ends beyond page 2^52`);
}
