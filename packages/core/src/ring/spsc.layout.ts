// One SPSC ring's shared words, from its base. Every word has one writer; writers are LINE apart.
//
//   name      offset    width                 unit, writer
//   CAPACITY  0         u32                   slots, a power of two; written once by initSpsc
//   SLOTWORDS 1         u32                   payload words a slot; written once by initSpsc
//   PROD      LINE      i32                   slots published since the start, wrapping; the producer's
//   CONS      2*LINE    i32                   slots released since the start, wrapping; the consumer's
//   PARKED    3*LINE    i32                   the PROD that the consumer last went to sleep on; the consumer's
//   SLOTS     4*LINE    CAPACITY * SLOTWORDS  payload; owner: see Ordering in spsc.ts
import { checkInteger, checkPowerOfTwo } from '../errors/index.ts';
import { alignLine, checkRegion } from '../memory/region.ts';
import { LINE, type Words } from '../sync/thread-self.ts';
import { MAX_RING_CAPACITY, MAX_SLOT_WORDS } from './capacity.ts';

export const SPSC_CAPACITY = 0;
export const SPSC_SLOT_WORDS = 1;
export const SPSC_PROD: number = LINE;
export const SPSC_CONS: number = 2 * LINE;
export const SPSC_PARKED: number = 3 * LINE;
export const SPSC_SLOTS: number = 4 * LINE;

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
