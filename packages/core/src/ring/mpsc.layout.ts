// One MPSC ring's shared words, from its base. Words with different writers are LINE apart, but for the slots.
//
//   name      offset    width              unit, writer
//   CAPACITY  0         u32                slots, a power of two; written once by initMpsc
//   SLOTWORDS 1         u32                payload words a slot; written once by initMpsc
//   PROD      LINE      i32                slots claimed since the start, wrapping; any producer's, by compare-exchange
//   CONS      2*LINE    i32                slots released since the start, wrapping; the consumer's
//   PARKED    3*LINE    i32                the position whose slot the consumer last went to sleep on; the consumer's
//   SLOTS     4*LINE    CAPACITY * stride  a slot is its commit word, then its payload; owner: see Ordering in mpsc.ts
//
// The slot of position p holds commit p + 1 once published, and p + 1 - CAPACITY before: one lap, told apart by the value.
// A slot of up to 16 words stays within one 64-byte line, so that two producers share a line only if two slots fit in it.
import { checkInteger, checkPowerOfTwo } from '../errors/index.ts';
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
