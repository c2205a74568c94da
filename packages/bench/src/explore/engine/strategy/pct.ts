// Probabilistic concurrency testing: the highest priority runs; at `depth - 1` random steps the runner's priority drops below all
// others. Finds a bug that needs `depth` ordered steps with probability at least 1 / (threads * steps^(depth - 1)).
// Burckhardt, Kothari, Musuvathi, Nagarakatte: A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs, ASPLOS 2010.
import { CHANGES, LONGEST, MAX_DEPTH, PARAMETER, PRIORITIES, RNG, THREADS } from '../control.layout.ts';

const USUAL_STEPS = 16;

/** Draws priorities and the steps at which they change. */
export function drawPriorities(control: Int32Array): void {
  const threads = control[THREADS];
  const changes = Math.min(control[PARAMETER] - 1, MAX_DEPTH);
  for (let thread = 0; thread < threads; thread++) {
    const at = draw(control) % (thread + 1);
    control[PRIORITIES + thread] = control[PRIORITIES + at];
    control[PRIORITIES + at] = changes + thread + 1;
  }
  const steps = Math.max(control[LONGEST], USUAL_STEPS);
  for (let i = 0; i < changes; i++) control[CHANGES + i] = draw(control) % steps;
}

export function pickPriority(control: Int32Array, step: number, enabled: number): number {
  for (let i = 0; i < control[PARAMETER] - 1 && i < MAX_DEPTH; i++)
    if (control[CHANGES + i] === step) control[PRIORITIES + highest(control, enabled)] = i;
  return highest(control, enabled);
}

function highest(control: Int32Array, enabled: number): number {
  let best = -1;
  for (let left = enabled; left !== 0; left &= left - 1) {
    const thread = 31 - Math.clz32(left & -left);
    if (best < 0 || control[PRIORITIES + thread] > control[PRIORITIES + best]) best = thread;
  }
  return best;
}

function draw(control: Int32Array): number {
  let x = control[RNG];
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  control[RNG] = x;
  return x >>> 1;
}
