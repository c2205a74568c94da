import { median, quantile } from 'simple-statistics';
import { Bench } from 'tinybench';
import type { Figures } from '../figures.ts';
import { HeapWatch } from '../pair/heap-watch.ts';
import type { Cost, Subject } from './subject.ts';

/** Nanoseconds of one operation on one thread. `min` and `max` are the 5th and 95th percentile of the runs. */
export interface CostRow extends Figures {
  readonly subject: string;
  readonly name: string;
  /** Taken from this thread's heap, where it was asked for. */
  readonly bytesPerOperation?: number;
}

export interface CostOptions {
  readonly timeMs: number;
  readonly warmupMs: number;
  /** Operations over which to count what is taken from the heap. Only for costs that need no readying. Default: not counted. */
  readonly heapOperations?: number;
}

/** Measures all of a subject's costs, for `timeMs` each after a warm-up of `warmupMs`. */
export async function measureSubject(
  subject: Subject,
  { timeMs, warmupMs, heapOperations = 0 }: CostOptions,
): Promise<CostRow[]> {
  const bench = new Bench({ time: timeMs, warmupTime: warmupMs, retainSamples: true, throws: true });
  const costs = subject.costs();
  for (const { name, run, before } of costs) bench.add(name, run, before === undefined ? {} : { beforeEach: before });
  await bench.run();
  return costs.map((cost, at) => {
    const { name, operations } = cost;
    const { result } = bench.tasks[at];
    if (!('latency' in result) || result.latency.samples === undefined)
      throw new Error(`${subject.name}, ${name}: ${result.state}`);
    const [min, middle, max] = quantile([...result.latency.samples], [0.05, 0.5, 0.95]).map(
      (ms) => (ms * 1e6) / operations,
    );
    const heap = heapOperations === 0 ? {} : { bytesPerOperation: bytesOf(cost, heapOperations) };
    return { subject: subject.name, name, median: middle, min, max, repeats: result.latency.samplesCount, ...heap };
  });
}

const HEAP_ROUNDS = 5;

/** The middle of some rounds: in one of them something else of this thread may be compiled or collected. */
function bytesOf({ run, operations }: Cost, most: number): number {
  const runs = Math.ceil(most / operations / HEAP_ROUNDS);
  const rounds = Array.from({ length: HEAP_ROUNDS }, () => {
    const watch = new HeapWatch();
    for (let i = 0; i < runs; i++) run();
    return watch.stop().allocatedBytes / (runs * operations);
  });
  return median(rounds);
}
