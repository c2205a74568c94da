import { IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import {
  AREA_FRAME,
  AREA_PAGES,
  AREA_PERM,
  AREA_START_HI,
  AREA_START_LO,
  AREA_TAG,
  AREA_WORDS,
  MM_AREAS,
  MM_AREAS_AT,
  MM_COUNT,
  MM_FRAMES,
  MM_SEQ,
  MM_TAGS,
} from './layout.ts';
import { MAX_TAG, tagBits } from './pte.ts';

// The sorted table of areas. Changed under the mmap lock held exclusively. Read under that lock by plain loads; or, by a device
// that looks for an area, without it: such a reader compares SEQ before and after, and takes any change for "not translated".
// It never waits: its fault then waits in the handler, for the mmap lock.
//
// Ordering. The mmap lock publishes the table to who holds it; for who does not:
//   [O] change: SEQ odd, then table words    pairs with  [V] walk: table words, then SEQ again
//   [E] change: table words, then SEQ even   pairs with  [S] walk: SEQ, then table words

const TWO32 = 2 ** 32;

/** A page number from its two words. */
export function pageOf(lo: number, hi: number): number {
  return hi * TWO32 + (lo >>> 0);
}
export function pageLo(page: number): number {
  return page | 0;
}
export function pageHi(page: number): number {
  return Math.floor(page / TWO32);
}

export function areaStart(words: Words, area: number): number {
  return pageOf(words[area + AREA_START_LO], words[area + AREA_START_HI]);
}
export function areaPages(words: Words, area: number): number {
  return words[area + AREA_PAGES];
}

/** @returns the first area that ends after `page`: it contains the page, or lies behind it. 0 when there is none.
 * Context: mmap lock held. */
export function areaFrom(words: Words, base: number, page: number): number {
  const table = words[base + MM_AREAS_AT];
  let low = 0;
  let high = words[base + MM_COUNT];
  const count = high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const area = table + middle * AREA_WORDS;
    if (areaStart(words, area) + areaPages(words, area) > page) high = middle;
    else low = middle + 1;
  }
  return low < count ? table + low * AREA_WORDS : 0;
}

/** @returns the area that contains `page`, or 0. Context: mmap lock held. */
export function areaAt(words: Words, base: number, page: number): number {
  const area = areaFrom(words, base, page);
  return area !== 0 && areaStart(words, area) <= page ? area : 0;
}

/** What a device remembers of an area. */
export interface Walk {
  start: number;
  /** The page after the last. */
  end: number;
  frame: number;
  /** Where a PTE has it. */
  tag: number;
  /** The table's generation. */
  seq: number;
}

/** Finds the area that contains `page`, without the mmap lock. @returns false when there is none, or areas were being changed. */
export function walkTo(words: Words, base: number, page: number, walk: Walk): boolean {
  const seq = Atomics.load(words, base + MM_SEQ); // [S]
  if ((seq & 1) !== 0) return false;
  const table = words[base + MM_AREAS_AT];
  let low = 0;
  let high = Atomics.load(words, base + MM_COUNT);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const area = table + middle * AREA_WORDS;
    const start = pageOf(Atomics.load(words, area + AREA_START_LO), Atomics.load(words, area + AREA_START_HI));
    const end = start + Atomics.load(words, area + AREA_PAGES);
    if (page < start) high = middle;
    else if (page >= end) low = middle + 1;
    else {
      const frame = Atomics.load(words, area + AREA_FRAME);
      const tag = Atomics.load(words, area + AREA_TAG);
      if (Atomics.load(words, base + MM_SEQ) !== seq) return false; // [V] words of different areas: any PTE, or none
      walk.start = start;
      walk.end = end;
      walk.frame = frame;
      walk.tag = tagBits(tag);
      walk.seq = seq;
      return true;
    }
  }
  return false;
}

/** Puts an area in its place, on frames that no other has. Context: mmap lock held exclusively. Arguments are in range.
 * @throws IommuError EBUSY it overlaps another; ENOSPC the table is full; ENOMEM no run of free frames is long enough;
 * EOVERFLOW no tag is left. */
export function insertArea(words: Words, base: number, start: number, pages: number, perm: number): void {
  const call = 'Mm.addArea';
  const table = words[base + MM_AREAS_AT];
  const count = words[base + MM_COUNT];
  const next = areaFrom(words, base, start);
  if (next !== 0 && areaStart(words, next) < start + pages)
    throw new IommuError('EBUSY', call, 'startPage', start, `overlaps the area at page ${areaStart(words, next)}`);
  if (count === words[base + MM_AREAS])
    throw new IommuError('ENOSPC', call, 'startPage', start, `all ${count} areas are taken`);
  const tag = words[base + MM_TAGS] + 1;
  if (tag > MAX_TAG) throw new IommuError('EOVERFLOW', call, 'startPage', start, `${MAX_TAG} areas have been added`);
  const frame = freeFrames(words, base, pages);
  const end = table + count * AREA_WORDS;
  const at = next === 0 ? end : next;
  changeTable(words, base, count + 1, () => {
    for (let to = end + AREA_WORDS - 1; to >= at + AREA_WORDS; to--)
      Atomics.store(words, to, Atomics.load(words, to - AREA_WORDS));
    Atomics.store(words, at + AREA_START_LO, pageLo(start));
    Atomics.store(words, at + AREA_START_HI, pageHi(start));
    Atomics.store(words, at + AREA_PAGES, pages);
    Atomics.store(words, at + AREA_PERM, perm);
    Atomics.store(words, at + AREA_FRAME, frame);
    Atomics.store(words, at + AREA_TAG, tag);
    Atomics.store(words, base + MM_TAGS, tag);
  });
}

/** Takes an area out. Its frames are free from now on. Context: mmap lock held exclusively. */
export function eraseArea(words: Words, base: number, area: number): void {
  const count = words[base + MM_COUNT];
  const end = words[base + MM_AREAS_AT] + count * AREA_WORDS;
  changeTable(words, base, count - 1, () => {
    for (let to = area; to < end - AREA_WORDS; to++) Atomics.store(words, to, Atomics.load(words, to + AREA_WORDS));
  });
}

function changeTable(words: Words, base: number, count: number, change: () => void): void {
  Atomics.add(words, base + MM_SEQ, 1); // [O]
  change();
  Atomics.store(words, base + MM_COUNT, count);
  Atomics.add(words, base + MM_SEQ, 1); // [E]
}

/** First fit over the frames between areas. */
function freeFrames(words: Words, base: number, pages: number): number {
  const table = words[base + MM_AREAS_AT];
  const taken: { frame: number; pages: number }[] = [];
  for (let at = table; at < table + words[base + MM_COUNT] * AREA_WORDS; at += AREA_WORDS)
    taken.push({ frame: words[at + AREA_FRAME], pages: words[at + AREA_PAGES] });
  taken.sort((a, b) => a.frame - b.frame);
  let free = 0;
  for (const run of taken) {
    if (run.frame - free >= pages) return free;
    free = run.frame + run.pages;
  }
  if (words[base + MM_FRAMES] - free >= pages) return free;
  throw new IommuError('ENOMEM', 'Mm.addArea', 'pages', pages, `no run of free frames is that long`);
}
