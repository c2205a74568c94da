import type { Arena } from '@faultline/core/memory';
import { TICK_NS } from '@faultline/core/sync';
import { grantedPlaces, placesOut, readDeviceResults } from '@faultline/hw/accelerator';
import type { AdmissionFigures } from '../result/schema.ts';
import type { StressParameters } from '../scenario/parameters.ts';
import { resultBase } from './plan.ts';

/** Jobs that may be under way at once where the fault path admits them, 0: all. */
export function placesFor({ credits = 0, pagesPerJob }: StressParameters): number {
  return credits === 0 ? 0 : Math.max(1, Math.floor(credits / pagesPerJob));
}

/** @returns undefined where jobs begin when they like. Context: all threads have left the cell. */
export function readAdmission(arena: Arena, threads: number): AdmissionFigures | undefined {
  const { words } = arena;
  const base = arena.base('admission');
  const places = grantedPlaces(words, base);
  if (places === 0) return undefined;
  const figures = { places, admitted: 0, waited: 0, waitNs: 0, worstWaitNs: 0, out: placesOut(words, base) };
  for (let thread = 0; thread < threads; thread++) {
    const { admitted, waited, waitTicks, worstWait } = readDeviceResults(words, resultBase(arena, thread));
    figures.admitted += admitted;
    figures.waited += waited;
    figures.waitNs += waitTicks * TICK_NS;
    figures.worstWaitNs = Math.max(figures.worstWaitNs, worstWait * TICK_NS);
  }
  return figures;
}
