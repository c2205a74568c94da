import { checkPowerOfTwo, IommuError } from '../errors/index.ts';
import { checkRegion } from '../memory/region.ts';
import { LINE, type Words } from '../sync/thread-self.ts';

/** The most slots a ring may have. Far below 2^31, so that a difference of two wrapping indices is never in doubt. */
export const MAX_RING_CAPACITY: number = 2 ** 24;
/** The most payload words a slot may have. */
export const MAX_SLOT_WORDS: number = 1024;

/** Nothing: offset 0 is padding in every arena, never a slot. */
export const NO_SLOT = 0;

/** Reads a ring's capacity from its header. @throws IommuError EINVAL where no ring was initialised. */
export function openCapacity(call: string, words: Words, base: number): number {
  checkRegion(call, words, base, LINE);
  return checkPowerOfTwo(call, 'capacity', words[base], 1, MAX_RING_CAPACITY);
}

/** The error of a wrong call, built out of line so that the calls stay small enough to inline. */
export function refused(call: string, field: string, value: number, why: string): IommuError {
  return new IommuError('EINVAL', call, field, value, why);
}
