// What a replay has in shared memory besides a stress run's: a ring of records for each place that a traced device can have, filled by
// the main thread and emptied by the place's worker, and the words by which PASIDs are attached as they turn up.
import type { Arena, RegionSpec } from '@faultline/core/memory';
import { initSpsc, spscWords } from '@faultline/core/ring';
import { LINE } from '@faultline/core/sync';

const FEED_REGION = 'replay.feed';
const ORDERS_REGION = 'replay.orders';
const RESULTS_REGION = 'replay.results';

/** Records read ahead for a device. */
const FEED_RECORDS = 1024;

// A record's words in the ring. DUE is in ticks since the replay's start, from 0; FEED_ASAP in its high word: at once.
export const FEED_PASID = 0;
export const FEED_INDEX = 1;
export const FEED_FLAGS = 2; // FAULT_PERM_* bits, FEED_LAST
export const FEED_PAGE_LO = 3;
export const FEED_PAGE_HI = 4;
export const FEED_DUE_LO = 5;
export const FEED_DUE_HI = 6;
const FEED_WORDS = 8;
export const FEED_LAST = 16;
export const FEED_ASAP = -1;

// Orders of the main thread to the interrupt's: one at a time.
export const ORDER_NUMBER = 0; // of the order; the main thread's
export const ORDER_DEVICE = 1;
export const ORDER_PASID = 2;
export const FEED_ENDED = 3; // 1: nothing more comes; the main thread's
export const ORDER_DONE: number = LINE; // number of the order that was carried out; the interrupt's
export const ORDER_REFUSED: number = LINE + 1; // 1: in vain
const ORDERS_WORDS: number = 2 * LINE;

// What a place found besides its endpoint's statistics; its worker's.
export const PLACE_HELD_INDEX = 0; // records that waited for their index: its last group had no answer yet
export const PLACE_HELD_CREDIT = 1; // records that waited for credits
export const PLACE_UNSENT = 2; // records that were not sent: the interface had failed
export const PLACE_LATENESS: number = LINE; // histogram of how late records were sent, in ticks

/** Regions of a replay with so many places. */
export function replayRegions(places: number, placeWords: number): RegionSpec[] {
  return [
    { name: FEED_REGION, words: places * spscWords(FEED_RECORDS, FEED_WORDS) },
    { name: ORDERS_REGION, words: ORDERS_WORDS },
    { name: RESULTS_REGION, words: places * placeWords },
  ];
}

/** Lays the rings out. Once, before the arena is shared. */
export function initReplay(arena: Arena, places: number): void {
  for (let place = 0; place < places; place++) initSpsc(arena.words, feedBase(arena, place), FEED_RECORDS, FEED_WORDS);
}

export function feedBase(arena: Arena, place: number): number {
  return arena.base(FEED_REGION) + place * spscWords(FEED_RECORDS, FEED_WORDS);
}
export function ordersBase(arena: Arena): number {
  return arena.base(ORDERS_REGION);
}
export function placeBase(arena: Arena, place: number, placeWords: number): number {
  return arena.base(RESULTS_REGION) + place * placeWords;
}
