import { checkPowerOfTwo } from '@faultline/core/errors';

// A function's address translation cache. Private to the endpoint's thread: an invalidation is a record in the response ring, and
// takes effect when that thread takes it; its completion says that it has.
//
// A translation may be asked for, and its answer come, around an invalidation: it was read before the table changed. So what is in
// flight is remembered, an invalidation marks what it may concern, and a marked answer is used by nobody and cached nowhere.

/** One way of a set, a line of 32 bytes. */
const PAGE_LO = 0; // first page, aligned to its size
const PAGE_HI = 1;
const PASID = 2; // or -1
const PERM = 3; // FAULT_PERM_* granted; 0: empty
const SIZE = 4; // log2 of the pages
const ENTRY_WORDS = 8;
const WAYS = 4;

/** Sizes of translations: 1 page to 2^MAX_SIZE pages (1 GiB). */
const MAX_SIZE = 18;
const SIZE_SHIFT = 4;

/** No translation can be asked for: all tags are in use. */
export const NO_TAG = -1;
const TAGS = 32;

/** A translation agent's answer: what is granted, for how many pages. Nothing granted is 0. */
export function packTranslation(perm: number, sizeLg2: number): number {
  return perm | (sizeLg2 << SIZE_SHIFT);
}

export function translationPerm(answer: number): number {
  return answer & 15;
}

export class Atc {
  readonly #entries: Int32Array;
  readonly #setMask: number;
  readonly #sizes: Int32Array = new Int32Array(MAX_SIZE + 1); // entries of each size
  readonly #flight: Int32Array = new Int32Array(TAGS * 4); // page lo, page hi, PASID, stale
  #freeTags = -1; // a bit a tag
  #victim = 0;
  #count = 0;

  /** @param entries a power of two from 4 to 2^20. @throws IommuError EINVAL entries */
  constructor(entries: number) {
    checkPowerOfTwo('Atc', 'entries', entries, WAYS, 2 ** 20);
    this.#entries = new Int32Array(entries * ENTRY_WORDS);
    this.#setMask = entries / WAYS - 1;
  }

  /** Entries in use. */
  get size(): number {
    return this.#count;
  }

  /** Translations asked for and not answered. */
  get inFlight(): number {
    let free = 0;
    for (let bits = this.#freeTags; bits !== 0; bits &= bits - 1) free++;
    return TAGS - free;
  }

  /** @returns whether a cached translation grants all of `perm` (FAULT_PERM_*). @param pasid or -1: none */
  lookup(pageLo: number, pageHi: number, pasid: number, perm: number): boolean {
    const at = this.#find(pageLo, pageHi, pasid);
    return at >= 0 && (this.#entries[at + PERM] & perm) === perm;
  }

  /** Asks for a translation. @returns the tag to hand to {@link complete}, or NO_TAG. */
  begin(pageLo: number, pageHi: number, pasid: number): number {
    if (this.#freeTags === 0) return NO_TAG;
    const tag = 31 - Math.clz32(this.#freeTags & -this.#freeTags);
    this.#freeTags &= ~(1 << tag);
    const at = tag * 4;
    this.#flight[at] = pageLo;
    this.#flight[at + 1] = pageHi;
    this.#flight[at + 2] = pasid;
    this.#flight[at + 3] = 0;
    return tag;
  }

  /** The translation of `tag` has come (packTranslation). Nothing granted is not cached: the answer to a page request changes it.
   * @returns false when an invalidation came in between: use nothing of it, ask again. */
  complete(tag: number, answer: number): boolean {
    const at = tag * 4;
    this.#freeTags |= 1 << tag;
    if (this.#flight[at + 3] === 1) return false;
    const perm = translationPerm(answer);
    const size = Math.min(MAX_SIZE, answer >>> SIZE_SHIFT);
    if (perm !== 0) this.#install(this.#flight[at], this.#flight[at + 1], this.#flight[at + 2], perm, size);
    return true;
  }

  /** Drops what is cached for 2^sizeLg2 pages from a page aligned to that, and makes what is in flight for them stale.
   * @param pasid or -1: with every PASID, and without. @returns entries dropped. */
  invalidate(pageLo: number, pageHi: number, sizeLg2: number, pasid: number): number {
    for (let tag = 0; tag < TAGS; tag++) {
      const at = tag * 4;
      if (pasid >= 0 && this.#flight[at + 2] !== pasid) continue;
      // The answer's size is not known yet: take it for the largest.
      if (overlaps(this.#flight[at], this.#flight[at + 1], MAX_SIZE, pageLo, pageHi, sizeLg2)) this.#flight[at + 3] = 1;
    }
    let dropped = 0;
    if (this.#count === 0) return dropped;
    for (let at = 0; at < this.#entries.length; at += ENTRY_WORDS) {
      if (this.#entries[at + PERM] === 0 || (pasid >= 0 && this.#entries[at + PASID] !== pasid)) continue;
      const lo = this.#entries[at + PAGE_LO];
      if (!overlaps(lo, this.#entries[at + PAGE_HI], this.#entries[at + SIZE], pageLo, pageHi, sizeLg2)) continue;
      this.#drop(at);
      dropped++;
    }
    return dropped;
  }

  /** Drops everything, what is in flight included: ATS was disabled. */
  clear(): void {
    for (let tag = 0; tag < TAGS; tag++) this.#flight[tag * 4 + 3] = 1;
    this.#entries.fill(0);
    this.#sizes.fill(0);
    this.#count = 0;
  }

  #install(pageLo: number, pageHi: number, pasid: number, perm: number, size: number): void {
    const found = this.#find(pageLo, pageHi, pasid);
    if (found >= 0) this.#drop(found);
    const lo = firstLo(pageLo, size);
    const hi = pageHi; // sizes end below bit 32
    const at = this.#place(this.#set(lo, hi, pasid, size));
    if (this.#entries[at + PERM] !== 0) this.#drop(at);
    this.#entries[at + PAGE_LO] = lo;
    this.#entries[at + PAGE_HI] = hi;
    this.#entries[at + PASID] = pasid;
    this.#entries[at + PERM] = perm;
    this.#entries[at + SIZE] = size;
    this.#sizes[size]++;
    this.#count++;
  }

  #place(set: number): number {
    for (let way = 0; way < WAYS; way++) {
      const at = set + way * ENTRY_WORDS;
      if (this.#entries[at + PERM] === 0) return at;
    }
    this.#victim = (this.#victim + 1) % WAYS;
    return set + this.#victim * ENTRY_WORDS;
  }

  #find(pageLo: number, pageHi: number, pasid: number): number {
    const entries = this.#entries;
    for (let size = 0; size <= MAX_SIZE; size++) {
      if (this.#sizes[size] === 0) continue;
      const lo = firstLo(pageLo, size);
      const set = this.#set(lo, pageHi, pasid, size);
      for (let at = set; at < set + WAYS * ENTRY_WORDS; at += ENTRY_WORDS) {
        if (
          entries[at + PAGE_LO] === lo &&
          entries[at + PERM] !== 0 &&
          entries[at + PASID] === pasid &&
          entries[at + PAGE_HI] === pageHi &&
          entries[at + SIZE] === size
        )
          return at;
      }
    }
    return -1;
  }

  #set(lo: number, hi: number, pasid: number, size: number): number {
    const hash = Math.imul((lo >>> size) ^ Math.imul(hi, 0x9e3779b1) ^ Math.imul(pasid + 2, 0x85ebca6b), 0x27d4eb2f);
    return ((hash >>> 7) & this.#setMask) * WAYS * ENTRY_WORDS;
  }

  #drop(at: number): void {
    this.#sizes[this.#entries[at + SIZE]]--;
    this.#entries[at + PERM] = 0;
    this.#count--;
  }
}

function firstLo(pageLo: number, size: number): number {
  return pageLo & (-1 << size);
}

/** Whether two ranges of aligned powers of two have a page in common: whether they are the same at the larger one's size. */
function overlaps(aLo: number, aHi: number, aSize: number, bLo: number, bHi: number, bSize: number): boolean {
  const size = Math.max(aSize, bSize);
  if (size >= 52) return true;
  if (size >= 32) return aHi >>> (size - 32) === bHi >>> (size - 32);
  return aHi === bHi && (aLo ^ bLo) >>> size === 0;
}
