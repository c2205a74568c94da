import { FAULT_WORDS } from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { clockOf, nowNs } from '../../stress/clock.ts';
import type { Reporter } from '../../stress/family/family.ts';
import { RecordingReporter } from './recording-reporter.ts';
import { initRequestRing, RING_REQUESTS, requestRegions } from './request-ring.ts';

const ROUNDS = 8;
const SCRATCH = 'scratch';
const BATCH = 64;

/** What recording costs the interrupt's thread, in nanoseconds a request: the same code over a ring of its own, with nothing behind it.
 * The best of some rounds, as a neighbour on the processor only adds to one. */
export function measureRecording(): number {
  const arena = Arena.create(planArena([...requestRegions(), { name: SCRATCH, words: FAULT_WORDS }]));
  const record = arena.base(SCRATCH);
  const nothing: Reporter = {
    prepareFault: () => record,
    reportDeviceFault: () => 0,
    endBatch: () => {},
    discardPartial: () => 0,
  };
  const clock = clockOf(nowNs());
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    initRequestRing(arena);
    const recording = new RecordingReporter(nothing, arena, clock);
    const recorded = time(recording);
    const without = time(nothing);
    best = Math.min(best, recorded - without);
  }
  return Math.max(0, best);
}

function time(reporter: Reporter): number {
  const start = performance.now();
  for (let request = 1; request <= RING_REQUESTS; request++) {
    reporter.reportDeviceFault(reporter.prepareFault());
    if (request % BATCH === 0) reporter.endBatch();
  }
  return ((performance.now() - start) * 1e6) / RING_REQUESTS;
}
