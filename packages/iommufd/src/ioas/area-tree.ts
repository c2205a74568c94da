// The areas of an IOAS, in order: a skip list in shared words. Areas do not overlap, so one key is enough. Looking one up, adding and
// removing it take O(log n); walking on from one is a step a piece. Guarded by the IOAS's areas lock.
import type { Words } from '@faultline/core/sync';
import { highHalf, isAbove, isBelow, loadU64, lowHalf, type RecordPool, storeU64 } from '../memory/index.ts';
import { AREA_LAST, AREA_LEVEL, AREA_NEXT, AREA_START, IOAS_AREAS, IOAS_HEAD, LEVELS } from './layout.ts';

/** Word offset of the link that leads to the wanted place, by level. One a thread: filled by each search. */
const links = new Int32Array(LEVELS);

export class AreaTree {
  readonly #words: Words;
  readonly #pool: RecordPool;
  readonly #head: number;
  readonly #countAt: number;

  /** @param bodyAt word offset of the IOAS's record. */
  constructor(words: Words, pool: RecordPool, bodyAt: number) {
    this.#words = words;
    this.#pool = pool;
    this.#head = bodyAt + IOAS_HEAD;
    this.#countAt = bodyAt + IOAS_AREAS;
  }

  /** Areas there are. */
  get size(): number {
    return this.#words[this.#countAt];
  }

  start(area: number): bigint {
    return loadU64(this.#words, this.#pool.at(area) + AREA_START);
  }
  last(area: number): bigint {
    return loadU64(this.#words, this.#pool.at(area) + AREA_LAST);
  }

  /** First of all, 0 for none. */
  first(): number {
    return this.#words[this.#head];
  }

  next(area: number): number {
    return this.#words[this.#pool.at(area) + AREA_NEXT];
  }

  /** First area that ends at `iova` or later, 0 for none: the one that `iova` is in, or the next. */
  atOrAfter(iova: bigint): number {
    this.#search(iova);
    return this.#words[links[0]];
  }

  /** First area that meets start..last, 0 for none. */
  meeting(start: bigint, last: bigint): number {
    const area = this.atOrAfter(start);
    const startAt = this.#pool.at(area) + AREA_START;
    return area !== 0 && !isAbove(this.#words, startAt, highHalf(last), lowHalf(last)) ? area : 0;
  }

  /** The area that `iova` is in, 0 for none. */
  holding(iova: bigint): number {
    return this.meeting(iova, iova);
  }

  /** Adds an area, which meets no other. */
  insert(area: number, start: bigint, last: bigint): void {
    this.#search(start);
    this.insertFound(area, start, last);
  }

  /** The same where the last look-up of this thread's, with the lock held since, was for `start`. */
  insertFound(area: number, start: bigint, last: bigint): void {
    const words = this.#words;
    const at = this.#pool.at(area);
    storeU64(words, at + AREA_START, start);
    storeU64(words, at + AREA_LAST, last);
    const level = levelOf(area);
    words[at + AREA_LEVEL] = level;
    for (let i = 0; i < level; i++) {
      words[at + AREA_NEXT + i] = words[links[i]];
      words[links[i]] = area;
    }
    words[this.#countAt]++;
  }

  remove(area: number): void {
    const words = this.#words;
    const at = this.#pool.at(area);
    this.#search(this.start(area));
    for (let i = 0; i < words[at + AREA_LEVEL]; i++) words[links[i]] = words[at + AREA_NEXT + i];
    words[this.#countAt]--;
  }

  /** Fills `links` with the links to the first area that ends at `iova` or later. */
  #search(iova: bigint): void {
    const words = this.#words;
    const high = highHalf(iova);
    const low = lowHalf(iova);
    let row = this.#head;
    for (let level = LEVELS - 1; level >= 0; level--) {
      for (let next = words[row + level]; next !== 0; next = words[row + level]) {
        const at = this.#pool.at(next);
        if (!isBelow(words, at + AREA_LAST, high, low)) break;
        row = at + AREA_NEXT;
      }
      links[level] = row + level;
    }
  }
}

/** One in four areas of a level is on the next too. By a hash of its number: the same in every run. */
function levelOf(area: number): number {
  let hash = Math.imul(area ^ (area >>> 16), 0x45d9f3b);
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  hash ^= hash >>> 16;
  return Math.min(LEVELS, 1 + (Math.clz32(hash | 1) >> 1));
}
