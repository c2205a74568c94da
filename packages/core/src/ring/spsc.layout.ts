// One SPSC ring's shared words, from its base. Every word has one writer; writers are LINE apart.
import { checkInteger, checkPowerOfTwo } from '../errors/index.ts';
import { defineLayout, type Layout } from '../memory/layout.ts';
import { alignLine, checkRegion } from '../memory/region.ts';
import { LINE, type Words } from '../sync/thread-self.ts';
import { MAX_RING_CAPACITY, MAX_SLOT_WORDS } from './capacity.ts';

export const SPSC_CAPACITY = 0;
export const SPSC_SLOT_WORDS = 1;
export const SPSC_PROD: number = LINE;
export const SPSC_CONS: number = 2 * LINE;
export const SPSC_PARKED: number = 3 * LINE;
export const SPSC_SLOTS: number = 4 * LINE;

/** An SPSC ring as a table. Indices count slots since the start, wrapping; who owns a slot: see Ordering in spsc.ts. */
export function spscLayout(capacity: number, slotWords: number): Layout {
  return defineLayout('spsc', [
    { name: 'CAPACITY', offset: 0, width: 1, unit: 'slots, a power of two', writer: 'init' },
    { name: 'SLOT_WORDS', offset: 1, width: 1, unit: 'words', writer: 'init' },
    { name: 'PROD', offset: 32, width: 1, unit: 'slots published', writer: 'producer' },
    { name: 'CONS', offset: 64, width: 1, unit: 'slots released', writer: 'consumer' },
    { name: 'PARKED', offset: 96, width: 1, unit: 'the PROD last slept on', writer: 'consumer' },
    { name: 'SLOTS', offset: 128, width: capacity * slotWords, unit: 'payload', writer: 'owner of the slot' },
  ]);
}

/** Words that a ring of `capacity` slots of `slotWords` payload words needs.
 * @throws IommuError EINVAL unless `capacity` is a power of two and `slotWords` a count. */
export function spscWords(capacity: number, slotWords: number): number {
  checkPowerOfTwo('spscWords', 'capacity', capacity, 1, MAX_RING_CAPACITY);
  checkInteger('spscWords', 'slotWords', slotWords, 1, MAX_SLOT_WORDS);
  return SPSC_SLOTS + alignLine(capacity * slotWords);
}

/** Makes an empty ring at `base`. Once, before the words are shared. @throws IommuError EINVAL on a bad parameter or place. */
export function initSpsc(words: Words, base: number, capacity: number, slotWords: number): void {
  checkRegion('initSpsc', words, base, spscWords(capacity, slotWords));
  words[base + SPSC_CAPACITY] = capacity;
  words[base + SPSC_SLOT_WORDS] = slotWords;
  Atomics.store(words, base + SPSC_PROD, 0);
  Atomics.store(words, base + SPSC_CONS, 0);
  Atomics.store(words, base + SPSC_PARKED, -1); // asleep on no value that PROD has now
}
