// A slab: a fixed number of objects of one size. This file knows the objects; who takes and gives them is slab-cache.ts.
import { checkInteger, IommuError } from '../errors/index.ts';
import type { Words } from '../sync/thread-self.ts';
import { alignLine, checkRegion } from './region.ts';
import {
  CAPACITY,
  FREED_BY,
  GENERATION_SHIFT,
  INDEX_BITS,
  INDEX_MASK,
  META,
  OBJECT_FREE,
  OBJECT_LIVE,
  OBJECT_WORDS,
  objectsOffset,
  POISONED,
  RECORD_WORDS,
  RECORDS,
  STATE_MASK,
} from './slab.layout.ts';

const STATE_NAMES = ['free', 'live', 'in its grace period', 'corrupt'] as const;
const GENERATION_MASK = 0xffff;

/** Words of a slab. @throws IommuError EINVAL unless capacity is 1..65535 and objectWords a positive multiple of 16. */
export function slabWords(capacity: number, objectWords: number): number {
  checkInteger('slabWords', 'capacity', capacity, 1, INDEX_MASK);
  checkInteger('slabWords', 'objectWords', objectWords, 16, 2 ** 20);
  if (objectWords % 16 !== 0)
    throw new IommuError('EINVAL', 'slabWords', 'objectWords', objectWords, 'must be a multiple of 16');
  return alignLine(objectsOffset(capacity) + (capacity + 1) * objectWords);
}

/** Lays a slab out over zeroed words, all objects free. @throws IommuError EINVAL as {@link slabWords}, or when it does not fit. */
export function initSlab(words: Words, base: number, capacity: number, objectWords: number): void {
  checkRegion('initSlab', words, base, slabWords(capacity, objectWords));
  words[base + CAPACITY] = capacity;
  words[base + OBJECT_WORDS] = objectWords;
}

/** A slab's objects, by index 1..capacity. Any thread may open one; only a {@link SlabCache} takes or frees objects.
 * An object's words are zero before its first use, and hold what the last user left (or poison) after. */
export class Slab {
  readonly words: Words;
  readonly base: number;
  readonly capacity: number;
  readonly objectWords: number;
  /** Word offset of object 0, which is nothing: object i is at `objects + i * objectWords`. */
  readonly objects: number;
  /** Word offset of record 0. */
  readonly records: number;

  constructor(words: Words, base: number) {
    checkRegion('Slab', words, base, 1);
    this.words = words;
    this.base = base;
    this.capacity = words[base + CAPACITY];
    this.objectWords = words[base + OBJECT_WORDS];
    if (this.capacity === 0) throw new IommuError('EINVAL', 'Slab', 'base', base, 'no slab was laid out here');
    this.objects = base + objectsOffset(this.capacity);
    this.records = base + RECORDS;
  }

  /** Word offset of an object. @throws IommuError EINVAL for an index outside 1..capacity. */
  at(index: number): number {
    this.checkIndex('Slab.at', index);
    return this.objects + index * this.objectWords;
  }

  /** How often the object has been freed, modulo 2^30. */
  generation(index: number): number {
    return this.#meta('Slab.generation', index) >>> GENERATION_SHIFT;
  }

  /** OBJECT_FREE, OBJECT_LIVE or OBJECT_GRACE. */
  state(index: number): number {
    return this.#meta('Slab.state', index) & STATE_MASK;
  }

  isLive(index: number): boolean {
    return this.state(index) === OBJECT_LIVE;
  }

  /** Objects that are not free, grace periods included: counted by walking, exact while nobody allocates or frees. */
  live(): number {
    let count = 0;
    for (let index = 1; index <= this.capacity; index++) if (this.state(index) !== OBJECT_FREE) count++;
    return count;
  }

  /** Index and generation in one word: generation's low 16 bits << 16 | index. Never 0. May be negative. */
  handle(index: number): number {
    return ((this.generation(index) & GENERATION_MASK) << INDEX_BITS) | index;
  }

  /** The index a handle names, or 0 when that object has been freed since, or never was. Takes any number. */
  resolve(handle: number): number {
    const index = handle & INDEX_MASK;
    if (index === 0 || index > this.capacity) return 0;
    const meta = this.#meta('Slab.resolve', index);
    if ((meta & STATE_MASK) === OBJECT_FREE) return 0;
    return ((meta >>> GENERATION_SHIFT) & GENERATION_MASK) === handle >>> INDEX_BITS ? index : 0;
  }

  /** The index a handle names. @throws IommuError ENOENT when it is stale: names index, state, generation and who freed it. */
  assertHandle(call: string, handle: number): number {
    const index = this.resolve(handle);
    if (index !== 0) return index;
    const named = handle & INDEX_MASK;
    const why = named === 0 || named > this.capacity ? 'names no object' : `stale: ${this.describe(named)}`;
    throw new IommuError('ENOENT', call, 'handle', `generation ${handle >>> INDEX_BITS}, index ${named}`, why);
  }

  /** Checked runs call this before an access. @throws IommuError EINVAL use after free: names index, state, generation, freer. */
  assertHeld(call: string, index: number): void {
    this.checkIndex(call, index);
    if (this.state(index) === OBJECT_FREE)
      throw new IommuError('EINVAL', call, 'index', index, `use after free: ${this.describe(index)}`);
  }

  /** An object's state, generation and last freer, for messages. */
  describe(index: number): string {
    const freer = this.words[this.records + index * RECORD_WORDS + FREED_BY] & ~POISONED;
    const freed = freer === 0 ? 'never freed' : `freed last by thread ${freer}`;
    return `object is ${STATE_NAMES[this.state(index)]}, generation ${this.generation(index)}, ${freed}`;
  }

  /** @throws IommuError EINVAL for an index outside 1..capacity. */
  checkIndex(call: string, index: number): void {
    // As Number.isInteger, which costs more than the rest of a free.
    if ((index | 0) !== index || index < 1 || index > this.capacity)
      throw new IommuError('EINVAL', call, 'index', index, `must be an object from 1 to ${this.capacity}`);
  }

  #meta(call: string, index: number): number {
    this.checkIndex(call, index);
    return Atomics.load(this.words, this.records + index * RECORD_WORDS + META);
  }
}
