import { KEEP, LAST } from '../control.layout.ts';
import type { Scheduler } from '../scheduler.ts';

/** The choices that were given, as far as they fit; then whoever ran goes on as long as it can, and the lowest after it. */
export function pickGiven(scheduler: Scheduler, step: number, enabled: number): number {
  const { control, choices } = scheduler;
  if (step < control[KEEP]) {
    const given = choices[step];
    if ((enabled & (1 << given)) !== 0) return given;
    scheduler.diverge(step);
  }
  return goOn(control, enabled);
}

/** The default of every search: no switch that is not needed. */
export function goOn(control: Int32Array, enabled: number): number {
  const last = control[LAST];
  return (enabled & (1 << last)) !== 0 ? last : 31 - Math.clz32(enabled & -enabled);
}
