import type { Words } from '@faultline/core/sync';
import { type Procedure, untilWord } from './procedure.ts';

// A fence waits until a pump is done with what lay before it. Each pump has two words for that: PASSED, how much it is done with since the
// start, wrapping, which it alone writes; and FENCES, who waits for PASSED to move.
//
// Ordering.
//   [G] publishPassed: PASSED, then FENCES  pairs with  untilPassed: FENCES, then PASSED. Without it a fence sleeps through what it waits for.

/** The pump says how far it has come: after its reports, so that none of them is under way. */
export function publishPassed(words: Words, passedAt: number, fencesAt: number, passed: number): void {
  Atomics.store(words, passedAt, passed); // [G]
  if (Atomics.load(words, fencesAt) !== 0) Atomics.notify(words, passedAt); // [G]
}

/** Waits until the pump has come as far as `target`. @throws IommuError ETIMEDOUT a pump that stands still */
export function* untilPassed(
  words: Words,
  call: string,
  passedAt: number,
  fencesAt: number,
  target: number,
  timeoutMs: number,
): Procedure {
  Atomics.add(words, fencesAt, 1); // [G]
  try {
    yield* untilWord(words, call, passedAt, (passed) => ((passed - target) | 0) >= 0, timeoutMs);
  } finally {
    Atomics.sub(words, fencesAt, 1);
  }
}
