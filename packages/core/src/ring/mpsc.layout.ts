// One MPSC ring's shared words, from its base. Words with different writers are LINE apart, but for the slots: a slot is its
// commit word, then its payload. A slot of up to 16 words stays within one 64-byte line, so that two producers share a line
// only where two slots fit into it.
//
// The slot of position p holds commit p + 1 once published, and p + 1 - CAPACITY before: one lap, told apart by the value.
import { checkInteger, checkPowerOfTwo } from '../errors/index.ts';
import { defineLayout, type Layout } from '../memory/layout.ts';
import { alignLine, checkRegion } from '../memory/region.ts';
import { LINE, type Words } from '../sync/thread-self.ts';
import { MAX_RING_CAPACITY, MAX_SLOT_WORDS } from './capacity.ts';

export const MPSC_CAPACITY = 0;
export const MPSC_SLOT_WORDS = 1;
export const MPSC_PROD: number = LINE;
export const MPSC_CONS: number = 2 * LINE;
export const MPSC_PARKED: number = 3 * LINE;
export const MPSC_SLOTS: number = 4 * LINE;

/** Words from one slot's commit word to the next one's. Slots of 7 or 15 payload words waste nothing. */
export function mpscStride(slotWords: number): number {
  const words = slotWords + 1;
  return words <= 16 ? 2 ** Math.ceil(Math.log2(words)) : Math.ceil(words / 16) * 16;
}

/** An MPSC ring as a table. Positions count slots since the start, wrapping; who owns a slot: see Ordering in mpsc.ts. */
export function mpscLayout(capacity: number, slotWords: number): Layout {
  const slots = capacity * mpscStride(slotWords);
  return defineLayout('mpsc', [
    { name: 'CAPACITY', offset: 0, width: 1, unit: 'slots, a power of two', writer: 'init' },
    { name: 'SLOT_WORDS', offset: 1, width: 1, unit: 'words', writer: 'init' },
    { name: 'PROD', offset: 32, width: 1, unit: 'slots claimed', writer: 'any producer, by compare-exchange' },
    { name: 'CONS', offset: 64, width: 1, unit: 'slots released', writer: 'consumer' },
    { name: 'PARKED', offset: 96, width: 1, unit: 'the position last slept on', writer: 'consumer' },
    { name: 'SLOTS', offset: 128, width: slots, unit: 'commit word and payload', writer: 'owner of the slot' },
  ]);
}

/** Words that a ring of `capacity` slots of `slotWords` payload words needs.
 * @throws IommuError EINVAL unless `capacity` is a power of two and `slotWords` a count. */
export function mpscWords(capacity: number, slotWords: number): number {
  checkPowerOfTwo('mpscWords', 'capacity', capacity, 1, MAX_RING_CAPACITY);
  checkInteger('mpscWords', 'slotWords', slotWords, 1, MAX_SLOT_WORDS);
  return MPSC_SLOTS + alignLine(capacity * mpscStride(slotWords));
}

/** Makes an empty ring at `base`. Once, before the words are shared. @throws IommuError EINVAL on a bad parameter or place. */
export function initMpsc(words: Words, base: number, capacity: number, slotWords: number): void {
  checkRegion('initMpsc', words, base, mpscWords(capacity, slotWords));
  words[base + MPSC_CAPACITY] = capacity;
  words[base + MPSC_SLOT_WORDS] = slotWords;
  Atomics.store(words, base + MPSC_CONS, 0);
  Atomics.store(words, base + MPSC_PARKED, -1); // asleep on no position that can be published next
  const stride = mpscStride(slotWords);
  for (let i = 0; i < capacity; i++) Atomics.store(words, base + MPSC_SLOTS + i * stride, i + 1 - capacity);
  Atomics.store(words, base + MPSC_PROD, 0);
}
