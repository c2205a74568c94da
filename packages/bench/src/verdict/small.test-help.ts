import { loadPreset, type Preset } from '../model/index.ts';
import type { Outcome } from './outcome.ts';
import type { Plan } from './plan.ts';

/** A machine so small, and a plan so short, that all of the verdict takes less than a second. */
export function smallPreset(): Preset {
  const preset = loadPreset('reporter-arm128');
  const { config } = preset;
  if (config.scanner.kind !== 'numa') throw new Error('the preset is to have NUMA balancing');
  const scanner = { ...config.scanner, scanMiB: 1, periodMs: 2, floorMs: 1, otherPagesPerThread: 2 };
  return {
    ...preset,
    config: {
      ...config,
      processors: 4,
      handlers: 4,
      pagesPerJob: 8,
      grain: 1,
      jobComputeNs: 5000,
      scanner,
      seriesMs: 1,
    },
  };
}

export const SMALL_PLAN: Plan = {
  quick: true,
  seeds: 2,
  kneeSeeds: 2,
  threads: [2, 8],
  grid: [2, 4, 8],
  cell: { warmupSeconds: 0.001, leastSeconds: 0.003, turns: 1 },
  sweepCell: { warmupSeconds: 0.001, leastSeconds: 0.002, turns: 1 },
  factors: [4],
  guesses: 2,
  dwellSeconds: 0.002,
  asked: { before: 2, at: 4, beyond: 8, most: 8 },
};

export function outcome(change: Partial<Outcome> = {}): Outcome {
  return {
    faultsPerSecond: 1000,
    jobsPerSecond: 100,
    refaultsPerFault: 0,
    timeouts: 0,
    latency: { mean: 1000, p50: 1000, p99: 2000, max: 3000 },
    interruptThread: 0.5,
    processors: 0.5,
    faultLock: 0.1,
    events: 10,
    ...change,
  };
}
