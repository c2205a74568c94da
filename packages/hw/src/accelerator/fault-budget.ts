import type { Words } from '@faultline/core/sync';

/** Claims up to `wanted` faults of a budget that all device threads share: the word at `at` holds what nobody has claimed. All
 * claims together never exceed the budget, and use it up to the last fault. One subtraction a round, not one a fault.
 * @returns how many were granted; 0 = it is used up. */
export function claimFaults(words: Words, at: number, wanted: number): number {
  if (Atomics.load(words, at) <= 0) return 0; // no subtraction: the word stays within a round a thread of zero
  const found = Atomics.sub(words, at, wanted);
  return found <= 0 ? 0 : Math.min(found, wanted);
}
