// Made-up cells for tests: the books balance unless a test says otherwise.
import { mergeBins } from '../src/result/merge.ts';
import { type Bin, type Cell, type Result, SCHEMA_VERSION } from '../src/result/schema.ts';
import { defaultParameters, TABLE_THREADS } from '../src/scenario/defaults.ts';
import { GENERATIONS, type Generation } from '../src/scenario/parameters.ts';

export function makeCell(over: Partial<Cell> = {}): Cell {
  const faults = over.faults ?? 10_000;
  const seconds = over.seconds ?? 0.5;
  return {
    generation: 'locked',
    threads: 8,
    repeat: 0,
    scanner: 0,
    faults,
    seconds,
    faultsPerSecond: faults / seconds,
    latencyNs: { p50: 2000, p99: 9000, p999: 20_000, max: 31_000 },
    histogram: [
      [1024, faults - 10],
      [16_384, 10],
    ],
    jobs: 100,
    timeouts: 0,
    refaults: 0,
    overflows: 0,
    automatic: 0,
    reported: faults,
    answered: faults,
    resumed: faults,
    leaked: { slab: 0, references: 0, pending: 0, deferred: 0 },
    ...over,
  };
}

export function makeResult(over: Partial<Result> = {}): Result {
  return {
    schemaVersion: SCHEMA_VERSION,
    command: 'stress',
    environment: {
      node: '26.10.0',
      v8: '14.6',
      platform: 'linux',
      arch: 'x64',
      release: '6.1.0',
      cpus: 2,
      cpuModel: 'Test <CPU> & "Co"',
      memoryBytes: 16 * 2 ** 30,
    },
    parameters: defaultParameters('stress', false),
    partial: false,
    cells: [makeCell()],
    ...over,
  };
}

/** A whole table of invented figures, the same on every call: it has the shape of a run with a knee, and measures nothing. */
export function makeTable(scanners: readonly number[] = [0], repeats = 3): Cell[] {
  const speed: Record<Generation, number> = { locked: 1, v7: 1.01, mainline: 1.12, lockless: 1.6, adaptive: 1.62 };
  const cells: Cell[] = [];
  for (const scanner of scanners) {
    for (const threads of TABLE_THREADS) {
      for (let repeat = 0; repeat < repeats; repeat += 1) {
        for (const generation of GENERATIONS) {
          const wobble = 1 + 0.03 * Math.sin(threads * 7 + repeat * 3 + speed[generation] * 11);
          const strain = scanner > 0 ? 1 / (1 + (threads / (300 * speed[generation])) ** 4) : 1;
          const rate = 600_000 * speed[generation] * wobble * strain * (threads / (threads + 6));
          const meanNs = (1e9 * threads) / rate;
          const timeouts = scanner > 0 && rate < 250_000 ? Math.round(400 / speed[generation]) : 0;
          const histogram = bell(meanNs, Math.round(rate));
          const faults = histogram.reduce((sum, [, count]) => sum + count, 0);
          cells.push(
            makeCell({
              ...{ generation, threads, repeat, scanner, faults, seconds: faults / rate, faultsPerSecond: rate },
              ...{ histogram, timeouts, refaults: scanner > 0 ? Math.round(faults * (1 - strain)) : 0 },
              ...{ jobs: Math.round(faults / 64), overflows: threads > 200 ? 3 : 0 },
              latencyNs: { p50: meanNs, p99: meanNs * 3, p999: meanNs * 8, max: meanNs * 20 },
            }),
          );
        }
      }
    }
  }
  return cells;
}

/** A log-normal of sorts over quarter-octave bins. */
function bell(meanNs: number, count: number): Bin[] {
  const steps = Array.from({ length: 57 }, (_, i) => (i - 28) / 4);
  return mergeBins([
    steps.map((step): Bin => [Math.round(meanNs * 2 ** step), Math.round(count * 0.1 * Math.exp(-(step ** 2) / 2))]),
  ]).filter(([, share]) => share > 0);
}
