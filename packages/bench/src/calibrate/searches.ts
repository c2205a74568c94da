// What each further element of a device's list costs the search for the one that is answered.
import type { Generation } from '@faultline/core/iopf';
import { linearRegression } from 'simple-statistics';
import { Machine } from './machine.ts';
import { type Timing, timing } from './stages.ts';

const LENGTHS = [16, 128, 512] as const;
const PAGES_PER_JOB = 16;

export interface SearchTimes {
  /** Nanoseconds an element: the slope over lists of several lengths. */
  readonly element: number;
  /** An answer, by the list's length as its search begins with all of it. */
  readonly lengths: readonly { readonly length: number; readonly answer: Timing }[];
}

export async function timeSearches(generation: Generation, timeMs: number): Promise<SearchTimes> {
  const lengths: { length: number; answer: Timing }[] = [];
  for (const length of LENGTHS) {
    const machine = new Machine({ generation, devices: length / PAGES_PER_JOB, pagesPerJob: PAGES_PER_JOB });
    await machine.enable();
    const samples: number[] = [];
    const began = performance.now();
    for (let now = began; now < began + timeMs; now = performance.now()) {
      machine.stall();
      machine.hardware();
      machine.report();
      const start = performance.now();
      machine.answerBackwards();
      const ns = ((performance.now() - start) * 1e6) / length;
      if (now > began + timeMs / 3) samples.push(ns);
      machine.hardware();
      machine.collect();
    }
    lengths.push({ length, answer: timing(samples) });
  }
  // Youngest first: the search for the n-th walks past n - 1; on average over a list, half of it.
  const { m } = linearRegression(lengths.map(({ length, answer }) => [(length - 1) / 2, answer.ns]));
  return { element: m, lengths };
}
