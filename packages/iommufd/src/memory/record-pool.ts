// A pool of records of one size, by index from 1, for what is made and given back by ioctls: areas, pages, objects, queues. Unlike a
// slab of core's it holds millions and is taken from under a mutex: an ioctl may wait for another's few instructions, a fault takes
// nothing from here.
import { checkInteger, IommuError } from '@faultline/core/errors';
import { alignLine, checkRegion } from '@faultline/core/memory';
import { LINE, mutexLock, mutexUnlock, type ThreadSelf, type Words } from '@faultline/core/sync';
import type { FailPoint } from './fail-point.ts';

// Offsets in words, from the pool's base.
//
//   name      offset  guarded by   meaning
//   LOCK      0       atomic       mutex: the words below, and each free record's first word
//   CAPACITY  1       constant     0: no pool was laid out here
//   WORDS     2       constant     of a record
//   FREE      3       LOCK         first free record that was in use before, 0 for none; linked by each one's first word
//   FRESH     4       LOCK         records that were ever in use
//   LIVE      5       LOCK         records in use
const LOCK = 0;
const CAPACITY = 1;
const WORDS = 2;
const FREE = 3;
const FRESH = 4;
const LIVE = 5;

/** Second word of a record that is free: a record is given back once. */
const POISON = 0x6b6b6b6b;

/** Words of a pool. @throws IommuError EINVAL */
export function recordPoolWords(capacity: number, recordWords: number): number {
  checkInteger('recordPoolWords', 'capacity', capacity, 1, 2 ** 24);
  checkInteger('recordPoolWords', 'recordWords', recordWords, 2, 2 ** 16);
  return alignLine(LINE + (capacity + 1) * recordWords);
}

/** Lays a pool out over zeroed words, all records free. @throws IommuError EINVAL */
export function initRecordPool(words: Words, base: number, capacity: number, recordWords: number): void {
  checkRegion('initRecordPool', words, base, recordPoolWords(capacity, recordWords));
  words[base + CAPACITY] = capacity;
  words[base + WORDS] = recordWords;
}

/** One thread's way to a pool. */
export class RecordPool {
  readonly words: Words;
  readonly capacity: number;
  readonly recordWords: number;
  readonly #name: string;
  readonly #base: number;
  readonly #records: number;
  readonly #self: ThreadSelf;
  readonly #fail: FailPoint;

  /** @param name for messages and for the fail point. @throws IommuError EINVAL no pool was laid out there. */
  constructor(name: string, words: Words, base: number, self: ThreadSelf, fail: FailPoint) {
    checkRegion('RecordPool', words, base, LINE);
    if (words[base + CAPACITY] === 0)
      throw new IommuError('EINVAL', 'RecordPool', 'base', base, 'no pool was laid out here');
    this.words = words;
    this.capacity = words[base + CAPACITY];
    this.recordWords = words[base + WORDS];
    this.#name = name;
    this.#base = base;
    this.#records = base + LINE;
    this.#self = self;
    this.#fail = fail;
  }

  /** Takes a record, all words 0. @returns its index. @throws IommuError ENOMEM none is left. */
  alloc(call: string): number {
    if (this.#fail.fails(this.#name)) throw new IommuError('ENOMEM', call, this.#name, 0, 'made to fail');
    const index = this.#take();
    if (index === 0) throw new IommuError('ENOMEM', call, this.#name, this.capacity, 'all are in use');
    const at = this.at(index);
    for (let i = at + this.recordWords - 1; i >= at; i--) this.words[i] = 0;
    return index;
  }

  #take(): number {
    const { words } = this;
    const base = this.#base;
    mutexLock(words, base + LOCK, this.#self);
    let index = words[base + FREE];
    if (index !== 0) words[base + FREE] = words[this.at(index)];
    else if (words[base + FRESH] < this.capacity) index = ++words[base + FRESH];
    if (index !== 0) words[base + LIVE]++;
    mutexUnlock(words, base + LOCK, this.#self);
    return index;
  }

  /** Gives a record back: the caller says why nobody else can hold it. @throws IommuError EINVAL it is free already. */
  free(index: number): void {
    const { words } = this;
    const at = this.at(index);
    mutexLock(words, this.#base + LOCK, this.#self);
    const twice = words[at + 1] === POISON;
    if (!twice) {
      words[at] = words[this.#base + FREE];
      words[at + 1] = POISON;
      words[this.#base + FREE] = index;
      words[this.#base + LIVE]--;
    }
    mutexUnlock(words, this.#base + LOCK, this.#self);
    if (twice) throw new IommuError('EINVAL', 'RecordPool.free', this.#name, index, 'is free already');
  }

  /** Word offset of a record. */
  at(index: number): number {
    return this.#records + index * this.recordWords;
  }

  /** Index of the record at a word offset. */
  indexOf(at: number): number {
    return (at - this.#records) / this.recordWords;
  }

  /** Records in use: 0 when nothing leaked. */
  live(): number {
    mutexLock(this.words, this.#base + LOCK, this.#self);
    const live = this.words[this.#base + LIVE];
    mutexUnlock(this.words, this.#base + LOCK, this.#self);
    return live;
  }
}
