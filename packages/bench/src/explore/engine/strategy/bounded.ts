// Every schedule with at most so many preemptions: switches away from a thread that could have gone on. Most bugs need two.
// Musuvathi, Qadeer: Iterative Context Bounding for Systematic Testing of Multithreaded Programs, PLDI 2007.
import {
  F_BACKTRACK,
  F_CHOSEN,
  F_ENABLED,
  FAIL_NONDETERMINISM,
  FRAME_STRIDE,
  KEEP,
  LAST,
  PARAMETER,
  PREEMPTIONS,
} from '../control.layout.ts';
import type { Scheduler } from '../scheduler.ts';
import { goOn } from './replay.ts';

export function pickBounded(scheduler: Scheduler, step: number, enabled: number): number {
  const { control } = scheduler;
  const at = scheduler.frames + step * FRAME_STRIDE;
  const last = control[LAST];
  const couldGoOn = step > 0 && (enabled & (1 << last)) !== 0;
  if (step >= control[KEEP]) {
    const chosen = step === 0 ? 31 - Math.clz32(enabled & -enabled) : goOn(control, enabled);
    const mayPreempt = !couldGoOn || control[PREEMPTIONS] < control[PARAMETER];
    control[at + F_CHOSEN] = chosen;
    control[at + F_BACKTRACK] = mayPreempt ? enabled & ~(1 << chosen) : 0;
    control[at + F_ENABLED] = enabled;
  } else if (control[at + F_ENABLED] !== enabled) {
    scheduler.fail(FAIL_NONDETERMINISM);
    return -1;
  }
  const chosen = control[at + F_CHOSEN];
  if (couldGoOn && chosen !== last) control[PREEMPTIONS]++;
  return chosen;
}

/** Sets the deepest untried choice. @returns false when there is none. */
export function nextBounded(scheduler: Scheduler, steps: number): boolean {
  const { control, frames } = scheduler;
  for (let step = steps - 1; step >= 0; step--) {
    const at = frames + step * FRAME_STRIDE;
    const untried = control[at + F_BACKTRACK];
    if (untried === 0) continue;
    control[at + F_CHOSEN] = 31 - Math.clz32(untried & -untried);
    control[at + F_BACKTRACK] = untried & (untried - 1);
    control[KEEP] = step + 1;
    return true;
  }
  return false;
}
