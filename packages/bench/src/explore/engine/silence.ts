// Notices a thread that holds the turn and never makes another operation: from the main thread, by what the control block shows.
import { HASH, INDEX, QUIT, REDUNDANT, SCHEDULES, STEP } from './control.layout.ts';
import type { Control } from './session.ts';

/** A thread that holds the turn this long makes no operation any more. */
const SILENCE_MS = 5_000;
const LOOK_MS = 500;

/** @param tell is told what was noticed, at each look again. @returns the timer, to clear at the session's end. */
export function watchForSilence(control: Control, tell: (noticed: string) => void): NodeJS.Timeout {
  let seen = '';
  let since = performance.now();
  return setInterval(() => {
    const now = `${control[INDEX]} ${control[STEP]} ${control[SCHEDULES]} ${control[REDUNDANT]} ${control[HASH]}`;
    if (now !== seen) {
      seen = now;
      since = performance.now();
      return;
    }
    if (performance.now() - since < SILENCE_MS || control[QUIT] !== 0) return;
    tell(
      `never ends: after step ${control[STEP]} of schedule ${control[INDEX] + 1} a thread ` +
        `computed for ${SILENCE_MS / 1000} s without an operation on shared memory`,
    );
  }, LOOK_MS);
}
