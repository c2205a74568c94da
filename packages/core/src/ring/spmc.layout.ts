// One SPMC ring's shared words, from its base. Words with different writers are LINE apart.
import { checkPowerOfTwo } from '../errors/index.ts';
import { defineLayout, type Layout } from '../memory/layout.ts';
import { alignLine, checkRegion } from '../memory/region.ts';
import { LINE, type Words } from '../sync/thread-self.ts';
import { MAX_RING_CAPACITY } from './capacity.ts';

export const SPMC_CAPACITY = 0;
export const SPMC_PROD: number = LINE;
export const SPMC_CONS: number = 2 * LINE;
export const SPMC_PARKED: number = 3 * LINE;
export const SPMC_SLOTS: number = 4 * LINE;

/** An SPMC ring as a table. Indices count values since the start, wrapping. */
export function spmcLayout(capacity: number): Layout {
  return defineLayout('spmc', [
    { name: 'CAPACITY', offset: 0, width: 1, unit: 'slots, a power of two', writer: 'init' },
    { name: 'PROD', offset: 32, width: 1, unit: 'values published', writer: 'producer' },
    { name: 'CONS', offset: 64, width: 1, unit: 'values taken', writer: 'any consumer, by compare-exchange' },
    { name: 'PARKED', offset: 96, width: 1, unit: 'consumers asleep or about to be', writer: 'any consumer, by add' },
    { name: 'SLOTS', offset: 128, width: capacity, unit: 'values > 0', writer: 'producer' },
  ]);
}

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
