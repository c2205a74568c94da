// One SPMC ring's shared words, from its base. Words with different writers are LINE apart.
//
//   name      offset    width     unit, writer
//   CAPACITY  0         u32       slots, a power of two; written once by initSpmc
//   PROD      LINE      i32       slots published since the start, wrapping; the producer's
//   CONS      2*LINE    i32       slots taken since the start, wrapping; any consumer's, by compare-exchange
//   PARKED    3*LINE    u32       consumers that sleep or are about to; any consumer's, by add and sub
//   SLOTS     4*LINE    CAPACITY  one value a slot, > 0; the producer's
import { checkPowerOfTwo } from '../errors/index.ts';
import { alignLine, checkRegion } from '../memory/region.ts';
import { LINE, type Words } from '../sync/thread-self.ts';
import { MAX_RING_CAPACITY } from './capacity.ts';

export const SPMC_CAPACITY = 0;
export const SPMC_PROD: number = LINE;
export const SPMC_CONS: number = 2 * LINE;
export const SPMC_PARKED: number = 3 * LINE;
export const SPMC_SLOTS: number = 4 * LINE;

/** Words that a ring of `capacity` values needs. @throws IommuError EINVAL unless `capacity` is a power of two. */
export function spmcWords(capacity: number): number {
  checkPowerOfTwo('spmcWords', 'capacity', capacity, 1, MAX_RING_CAPACITY);
  return SPMC_SLOTS + alignLine(capacity);
}

/** Makes an empty ring at `base`. Once, before the words are shared. @throws IommuError EINVAL on a bad parameter or place. */
export function initSpmc(words: Words, base: number, capacity: number): void {
  checkRegion('initSpmc', words, base, spmcWords(capacity));
  words[base + SPMC_CAPACITY] = capacity;
  Atomics.store(words, base + SPMC_PROD, 0);
  Atomics.store(words, base + SPMC_CONS, 0);
  Atomics.store(words, base + SPMC_PARKED, 0);
}
