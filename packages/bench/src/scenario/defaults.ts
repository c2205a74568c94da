// What a run does when nothing is said. `repro` measures at start-up and replaces the scanner's pace and the time-out.
import { availableParallelism } from 'node:os';
import { GENERATIONS, type StressParameters } from './parameters.ts';

/** The thread counts of the mailing list's table. */
export const TABLE_THREADS: readonly number[] = [8, 16, 32, 64, 128, 256, 384, 512];

export type Command = 'stress' | 'repro';

/** @param quick few threads and short cells: shows that everything works, measures nothing worth quoting. */
export function defaultParameters(command: Command, quick: boolean): StressParameters {
  const base: StressParameters = {
    iommu: 'smmu-v3',
    threads: [...TABLE_THREADS],
    generations: [...GENERATIONS],
    seconds: 1,
    repeats: command === 'repro' ? 2 : 1,
    devices: 1,
    queueEntries: 2048,
    pagesPerJob: 64,
    groupPages: 1,
    atc: false,
    handlers: Math.max(2, availableParallelism()),
    maxActive: 256, // an unbound workqueue's limit in 6.7
    scanner: 0,
    compareScanner: command === 'repro',
    spins: 0,
    timeoutMs: 4200, // what the hardware of the table allows
    seed: 1,
    threadsPerWorker: 1,
    credits: 32_768,
    stallMax: 4096,
    sharing: 'split',
    lightFlush: false,
    replaceEveryMs: 0,
    handler: 'sva',
  };
  return quick ? { ...base, threads: [8, 32], seconds: 0.25, repeats: 1 } : base;
}
