// One MPMC ring's shared words, from its base. A slot is its turn, then its value.
//
// The slot of position p has turn p while it is free for p's producer, p + 1 while it holds p's value, and p + CAPACITY once
// that is taken, which is the turn of the next lap's producer. With one slot the last two would be the same: hence from 2.
import { checkPowerOfTwo } from '../errors/index.ts';
import { defineLayout, type Layout } from '../memory/layout.ts';
import { alignLine, checkRegion } from '../memory/region.ts';
import { LINE, type Words } from '../sync/thread-self.ts';
import { MAX_RING_CAPACITY } from './capacity.ts';

export const MPMC_CAPACITY = 0;
export const MPMC_PROD: number = LINE;
export const MPMC_CONS: number = 2 * LINE;
export const MPMC_SLOTS: number = 3 * LINE;

/** An MPMC ring as a table. Positions count values since the start, wrapping; who owns a slot: see Ordering in mpmc.ts. */
export function mpmcLayout(capacity: number): Layout {
  return defineLayout('mpmc', [
    { name: 'CAPACITY', offset: 0, width: 1, unit: 'slots, a power of two from 2', writer: 'init' },
    {
      name: 'PROD',
      offset: 32,
      width: 1,
      unit: 'positions taken to push',
      writer: 'any producer, by compare-exchange',
    },
    { name: 'CONS', offset: 64, width: 1, unit: 'positions taken to pop', writer: 'any consumer, by compare-exchange' },
    { name: 'SLOTS', offset: 96, width: capacity * 2, unit: 'turn and value > 0', writer: 'owner of the slot' },
  ]);
}

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
