// The same question to the real fault path, on real threads of this machine.
import { basename } from 'node:path';
import { z } from 'zod';
import { formatRate } from '../report/format.ts';
import { type Calibration, type Cell, type Result, resultSchema } from '../result/schema.ts';
import { creditsWithin } from '../scenario/credits.ts';
import { defaultParameters } from '../scenario/defaults.ts';
import { refuseMemory } from '../scenario/memory.ts';
import type { StressParameters } from '../scenario/parameters.ts';
import type { Engine, RunHooks } from '../stress/types.ts';

export interface RealCell {
  readonly generation: string;
  readonly threads: number;
  readonly repeat: number;
  /** Milliseconds in which the page scanner goes round; 0: it was off. */
  readonly scanner: number;
  readonly faultsPerSecond: number;
  readonly jobsPerSecond: number;
  readonly timeouts: number;
  readonly refaultsPerFault: number;
  readonly p99Ns: number;
}

export interface RealRun {
  /** Where it is from, in words. */
  readonly source: string;
  readonly timeoutMs: number;
  /** Faults that `adaptive` gives credits for; 0 or absent: it admits all jobs. */
  readonly credits?: number;
  /** Device threads that a worker thread does the work of. */
  readonly threadsPerWorker?: number;
  readonly cells: readonly RealCell[];
  /** Why cells are missing. */
  readonly notes: readonly string[];
}

const amount = z.number().nonnegative();
export const realRunSchema: z.ZodType<RealRun> = z.object({
  source: z.string(),
  timeoutMs: amount,
  credits: amount.exactOptional(),
  threadsPerWorker: amount.exactOptional(),
  cells: z.array(
    z.object({
      generation: z.string(),
      threads: amount,
      repeat: amount,
      scanner: amount,
      faultsPerSecond: amount,
      jobsPerSecond: amount,
      timeouts: amount,
      refaultsPerFault: amount,
      p99Ns: amount,
    }),
  ),
  notes: z.array(z.string()),
});

const SECONDS = 2;
/** So that 2,048 device threads fit into the memory of most machines. */
const THREADS_PER_WORKER = 16;
const FEW = 8;
const THREADS: readonly number[] = [512, 1024, 2048];

/** Calibrates the scanner's pace and the time-out, then runs `locked`, `lockless` and `adaptive` under them. */
export async function runReal(
  engine: Engine,
  hooks: RunHooks,
  availableBytes: number,
  quick: boolean,
): Promise<RealRun> {
  const notes: string[] = [];
  const wanted: StressParameters = {
    ...defaultParameters('repro', false),
    generations: ['locked', 'lockless', 'adaptive'],
    compareScanner: false,
    repeats: 2,
    threadsPerWorker: THREADS_PER_WORKER,
    seconds: quick ? 0.5 : SECONDS,
  };
  const fits = (quick ? [FEW, 64] : [FEW, ...THREADS]).filter((threads) => {
    const refusal = refuseMemory({ ...wanted, threads: [threads] }, availableBytes);
    if (refusal !== null) notes.push(`${threads} threads: ${refusal}`);
    return refusal === null;
  });
  const calibration: Calibration = await engine.calibrate({ ...wanted, threads: fits }, hooks);
  const parameters = {
    ...wanted,
    threads: fits,
    scanner: calibration.scannerPeriodMs,
    timeoutMs: calibration.timeoutMs,
    credits: creditsWithin(calibration.timeoutMs, calibration.costNsPerFault),
  };
  const { cells } = await engine.runCells(parameters, hooks);
  const { credits, timeoutMs, threadsPerWorker } = parameters;
  notes.push(...paceNotes(calibration, cells));
  return { source: 'run with this document', timeoutMs, threadsPerWorker, credits, cells: cells.map(cellOf), notes };
}

/** Takes the cells of a stored result of `repro` or `stress`. @throws ZodError */
export function readReal(text: string, name: string): RealRun {
  const result: Result = resultSchema.parse(JSON.parse(text));
  const { cells, parameters } = result;
  const { credits, timeoutMs, threadsPerWorker } = parameters;
  return {
    source: `stored result ${basename(name)}`,
    timeoutMs,
    threadsPerWorker,
    ...(credits === undefined ? {} : { credits }),
    cells: cells.map(cellOf),
    notes: result.calibration === undefined ? [] : paceNotes(result.calibration, cells),
  };
}

function cellOf({ generation, threads, repeat, scanner, faults, ...cell }: Cell): RealCell {
  return {
    generation,
    threads,
    repeat,
    scanner,
    faultsPerSecond: cell.faultsPerSecond,
    jobsPerSecond: cell.seconds === 0 ? 0 : cell.jobs / cell.seconds,
    timeouts: cell.timeouts,
    refaultsPerFault: faults === 0 ? 0 : cell.refaults / faults,
    p99Ns: cell.latencyNs.p99,
  };
}

/** Below this share of the pace that was calibrated, a cell did not have the processors that the time-out was chosen for. */
const CALM_SHARE = 2 / 3;

/** A time-out that is chosen on a calm machine says little of a cell on a busy one. */
function paceNotes({ costNsPerFault }: Calibration, cells: readonly Cell[]): string[] {
  const pace = 1e9 / costNsPerFault;
  const slow = cells.filter(({ faultsPerSecond }) => faultsPerSecond < CALM_SHARE * pace);
  if (slow.length === 0) return [];
  return [
    `Scanner and time-out were calibrated at ${formatRate(pace)}; ${slow.length} of ${cells.length} cells ran at less than two thirds of that, ` +
      'as other programs had the processors or so many threads cost more: there, time-outs need no loop.',
  ];
}
