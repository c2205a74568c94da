// Taking and freeing a slab's objects. Each thread keeps free objects of its own, and moves them to and from one shared
// stack in chains of `batch`, so that the shared word is touched once for many objects.
//
// Ordering. Record words other than META, and the objects' words, are plain.
//   [P] push: LINK, NEXT_CHAIN, objects, then HEAD      pairs with  [C] pop: HEAD, then LINK, NEXT_CHAIN, objects
//   [F] free: FREED_BY, poison, then META = free        pairs with  whoever reads META through Slab and then describes it
// META is read plainly here: an object in a cache, or in its holder's hands, is that thread's to change. It is stored
// atomically for those who look at it from outside. In V8 an atomic load costs as much as an atomic store.
//   [M] unchecked, META is plain: only its holder relies on it, and whatever hands the object on (HEAD, a ring, a list under
//       its lock) publishes it. Others who look at it read a figure; Slab.live() is exact once the threads have stopped.
// A pop reads NEXT_CHAIN before it owns the chain: another thread may have taken it by then and be writing. What was read
// is used only if HEAD has not moved, and the tag in HEAD counts pops, so that the same chain back on top is not mistaken
// for one never taken. To be fooled, a pop must sleep through an exact multiple of 65,536 pops and find the same chain on
// top; the check of META in alloc would then stop the run, not hand an object to two owners.
import { checkInteger, IommuError } from '../errors/index.ts';
import type { ThreadSelf, Words } from '../sync/thread-self.ts';
import {
  FREED_BY,
  FRESH,
  HEAD,
  INDEX_BITS,
  INDEX_MASK,
  LINK,
  META,
  NEXT_CHAIN,
  OBJECT_FREE,
  OBJECT_GRACE,
  OBJECT_LIVE,
  POISON,
  POISONED,
  RECORD_WORDS,
  STATE_MASK,
} from './slab.layout.ts';
import type { Slab } from './slab.ts';

const MAX_BATCH = 1024;
const TAG_ONE = 1 << INDEX_BITS;
/** Clears the state and counts one generation up, wrapping. */
const GENERATION_ONE = STATE_MASK + 1;

export interface SlabCacheOptions {
  /** Objects a chain, 1..1024. The cache holds up to twice as many. 1 keeps nothing: each call goes to the shared stack. */
  readonly batch: number;
  /** Poison what is freed, check it when taken again, and find two threads freeing one object at once. */
  readonly checked: boolean;
}

/** One thread's way to a slab. Not shared: make one a thread.
 * Other threads' caches hold free objects that this one cannot take: size a slab for its users plus threads * 2 * batch. */
export class SlabCache {
  readonly #slab: Slab;
  readonly #words: Words;
  readonly #capacity: number;
  readonly #records: number;
  readonly #head: number;
  readonly #fresh: number;
  readonly #id: number;
  readonly #batch: number;
  readonly #spillAt: number;
  readonly #checked: boolean;
  readonly #cached: Int32Array;
  #count: number;

  constructor(slab: Slab, self: ThreadSelf, options: SlabCacheOptions) {
    const batch = checkInteger('SlabCache', 'batch', options.batch, 1, MAX_BATCH);
    this.#slab = slab;
    this.#words = slab.words;
    this.#capacity = slab.capacity;
    this.#records = slab.records;
    this.#head = slab.base + HEAD;
    this.#fresh = slab.base + FRESH;
    this.#id = self.id;
    this.#batch = batch;
    this.#spillAt = batch === 1 ? 1 : 2 * batch;
    this.#checked = options.checked;
    this.#cached = new Int32Array(2 * batch);
    this.#count = 0;
  }

  /** Takes an object. @returns its index, or 0 when there is none to take. Never blocks. Its words are as the last user left them.
   * @throws IommuError EINVAL a freed object was written to (checked), or is in use: names index, state, generation, freer. */
  alloc(): number {
    if (this.#count === 0 && !this.#refill()) return 0;
    const index = this.#cached[--this.#count];
    const words = this.#words;
    const record = this.#records + index * RECORD_WORDS;
    const meta = words[record + META];
    if ((meta & STATE_MASK) !== OBJECT_FREE) this.#refuse('SlabCache.alloc', index, 'is in use by another');
    if (this.#checked) this.#allocChecked(index, record, meta);
    else words[record + META] = meta | OBJECT_LIVE; // [M]
    return index;
  }

  /** Frees an object that is live or in its grace period; its generation goes up by one.
   * Nobody else may hold it: the caller had the last reference, and who may still read it has gone through a grace period.
   * @throws IommuError EINVAL the object is free already: names index, state, generation and the thread that freed it. */
  free(index: number): void {
    this.#slab.checkIndex('SlabCache.free', index);
    const words = this.#words;
    const record = this.#records + index * RECORD_WORDS;
    const meta = words[record + META];
    if ((meta & STATE_MASK) === OBJECT_FREE) this.#refuse('SlabCache.free', index, 'double free');
    const freed = ((meta & ~STATE_MASK) + GENERATION_ONE) | 0;
    if (this.#checked) {
      this.#freeChecked(index, record, meta, freed);
    } else {
      words[record + FREED_BY] = this.#id;
      words[record + META] = freed; // [M]
    }
    this.#cached[this.#count++] = index;
    if (this.#count === this.#spillAt) this.#spill(this.#batch);
  }

  /** Marks a live object as unlinked: readers may still be at it, nobody new finds it. {@link free} it a grace period later.
   * @throws IommuError EINVAL unless it is live. */
  retire(index: number): void {
    this.#slab.checkIndex('SlabCache.retire', index);
    const at = this.#records + index * RECORD_WORDS + META;
    const meta = Atomics.load(this.#words, at);
    if ((meta & STATE_MASK) !== OBJECT_LIVE) this.#refuse('SlabCache.retire', index, 'not live');
    const retired = (meta & ~STATE_MASK) | OBJECT_GRACE;
    if (Atomics.compareExchange(this.#words, at, meta, retired) !== meta)
      this.#refuse('SlabCache.retire', index, 'retired or freed by another thread at the same time');
  }

  /** Gives every cached object back, for a thread that stops or idles. */
  flush(): void {
    while (this.#count > 0) this.#spill(Math.min(this.#count, this.#batch));
  }

  /** Free objects kept here. */
  cached(): number {
    return this.#count;
  }

  #allocChecked(index: number, record: number, meta: number): void {
    if ((this.#words[record + FREED_BY] & POISONED) !== 0) this.#verifyPoison(index);
    Atomics.store(this.#words, record + META, meta | OBJECT_LIVE);
  }

  #freeChecked(index: number, record: number, meta: number, freed: number): void {
    const words = this.#words;
    const at = this.#slab.at(index);
    words.fill(POISON, at, at + this.#slab.objectWords);
    words[record + FREED_BY] = this.#id | POISONED;
    // [F] compared, as another thread may be freeing the same object.
    if (Atomics.compareExchange(words, record + META, meta, freed) !== meta)
      this.#refuse('SlabCache.free', index, 'freed by two threads at the same time');
  }

  #verifyPoison(index: number): void {
    const words = this.#words;
    const at = this.#slab.at(index);
    for (let word = 0; word < this.#slab.objectWords; word++)
      if (words[at + word] !== POISON)
        this.#refuse('SlabCache.alloc', index, `use after free: word ${word} was written (${words[at + word]})`);
  }

  /** Takes a chain off the shared stack, or else objects that were never used. @returns false when there are none. */
  #refill(): boolean {
    const words = this.#words;
    for (let seen = Atomics.load(words, this.#head); (seen & INDEX_MASK) !== 0; ) {
      const first = seen & INDEX_MASK; // [C]
      const below = words[this.#records + first * RECORD_WORDS + NEXT_CHAIN];
      const popped = ((seen + TAG_ONE) & ~INDEX_MASK) | (below & INDEX_MASK);
      const found = Atomics.compareExchange(words, this.#head, seen, popped);
      if (found === seen) {
        this.#takeChain(first);
        return true;
      }
      seen = found;
    }
    return this.#takeFresh();
  }

  /** Unpacks a chain that is ours. One from a cache with longer chains may not fit: the rest goes back. */
  #takeChain(first: number): void {
    let index = first;
    while (index !== 0 && this.#count < this.#batch) {
      this.#cached[this.#count++] = index;
      index = this.#words[this.#records + index * RECORD_WORDS + LINK];
    }
    if (index !== 0) this.#push(index);
  }

  #takeFresh(): boolean {
    const words = this.#words;
    const capacity = this.#capacity;
    for (let seen = Atomics.load(words, this.#fresh); seen < capacity; ) {
      const last = Math.min(seen + this.#batch, capacity);
      const found = Atomics.compareExchange(words, this.#fresh, seen, last);
      if (found === seen) {
        for (let index = last; index > seen; index--) this.#cached[this.#count++] = index;
        return true;
      }
      seen = found;
    }
    return false;
  }

  /** Moves the `count` objects freed last to the shared stack, as one chain. */
  #spill(count: number): void {
    const words = this.#words;
    let next = 0;
    for (let left = count; left > 0; left--) {
      const index = this.#cached[--this.#count];
      words[this.#records + index * RECORD_WORDS + LINK] = next;
      next = index;
    }
    this.#push(next);
  }

  #push(first: number): void {
    const words = this.#words;
    for (let seen = Atomics.load(words, this.#head); ; ) {
      words[this.#records + first * RECORD_WORDS + NEXT_CHAIN] = seen & INDEX_MASK;
      const found = Atomics.compareExchange(words, this.#head, seen, (seen & ~INDEX_MASK) | first); // [P]
      if (found === seen) return;
      seen = found;
    }
  }

  #refuse(call: string, index: number, why: string): never {
    throw new IommuError('EINVAL', call, 'index', index, `${why}; ${this.#slab.describe(index)}`);
  }
}
