// The ring by which the interrupt's thread hands the main thread what it reports to the core: a slot a page request.
import type { Arena, RegionSpec } from '@faultline/core/memory';
import { initSpsc, spscWords } from '@faultline/core/ring';
import { LINE } from '@faultline/core/sync';

const RING_REGION = 'requests.ring';
const LOST_REGION = 'requests.lost';

/** Requests that wait to be written: a fifth of a second of a busy run. */
export const RING_REQUESTS = 65_536;

export const REQUEST_DEVICE = 0;
export const REQUEST_FLAGS = 1; // FAULT_PERM_* bits, REQUEST_LAST
export const REQUEST_PASID = 2;
export const REQUEST_INDEX = 3;
export const REQUEST_PAGE_LO = 4;
export const REQUEST_PAGE_HI = 5;
export const REQUEST_TICK = 6; // wrapping
export const REQUEST_WORDS = 8;
export const REQUEST_LAST = 16;

export function requestRegions(): RegionSpec[] {
  return [
    { name: RING_REGION, words: spscWords(RING_REQUESTS, REQUEST_WORDS) },
    { name: LOST_REGION, words: LINE },
  ];
}

/** Empties the ring. No thread is in a cell. */
export function initRequestRing(arena: Arena): void {
  initSpsc(arena.words, ringBase(arena), RING_REQUESTS, REQUEST_WORDS);
  arena.words[lostAt(arena)] = 0;
}

export function ringBase(arena: Arena): number {
  return arena.base(RING_REGION);
}
/** Requests that found the ring full; the interrupt's thread counts them. */
export function lostAt(arena: Arena): number {
  return arena.base(LOST_REGION);
}
