// One MPMC ring's shared words, from its base.
//
//   name      offset    width         unit, writer
//   CAPACITY  0         u32           slots, a power of two from 2; written once by initMpmc
//   PROD      LINE      i32           positions claimed by producers, wrapping; any producer's, by compare-exchange
//   CONS      2*LINE    i32           positions claimed by consumers, wrapping; any consumer's, by compare-exchange
//   SLOTS     3*LINE    CAPACITY * 2  a slot is its turn, then its value; owner: see Ordering in mpmc.ts
//
// The slot of position p has turn p while it is free for p's producer, p + 1 while it holds p's value, and p + CAPACITY once
// that is taken, which is the turn of the next lap's producer. With one slot the last two would be the same: hence from 2.
import { checkPowerOfTwo } from '../errors/index.ts';
import { alignLine, checkRegion } from '../memory/region.ts';
import { LINE, type Words } from '../sync/thread-self.ts';
import { MAX_RING_CAPACITY } from './capacity.ts';

export const MPMC_CAPACITY = 0;
export const MPMC_PROD: number = LINE;
export const MPMC_CONS: number = 2 * LINE;
export const MPMC_SLOTS: number = 3 * LINE;

/** Words that a ring of `capacity` values needs. @throws IommuError EINVAL unless `capacity` is a power of two from 2. */
export function mpmcWords(capacity: number): number {
  checkPowerOfTwo('mpmcWords', 'capacity', capacity, 2, MAX_RING_CAPACITY);
  return MPMC_SLOTS + alignLine(capacity * 2);
}

/** Makes an empty ring at `base`. Once, before the words are shared. @throws IommuError EINVAL on a bad parameter or place. */
export function initMpmc(words: Words, base: number, capacity: number): void {
  checkRegion('initMpmc', words, base, mpmcWords(capacity));
  words[base + MPMC_CAPACITY] = capacity;
  for (let i = 0; i < capacity; i++) Atomics.store(words, base + MPMC_SLOTS + 2 * i, i);
  Atomics.store(words, base + MPMC_CONS, 0);
  Atomics.store(words, base + MPMC_PROD, 0);
}
