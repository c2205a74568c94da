import { quantile } from 'simple-statistics';
import { Bench } from 'tinybench';
import type { Figures } from '../figures.ts';
import type { Subject } from './subject.ts';

/** Nanoseconds of one operation on one thread. `min` and `max` are the 5th and 95th percentile of the runs. */
export interface CostRow extends Figures {
  readonly subject: string;
  readonly name: string;
}

/** Measures all of a subject's costs, for `timeMs` each after a warm-up of `warmupMs`. */
export async function measureSubject(subject: Subject, timeMs: number, warmupMs: number): Promise<CostRow[]> {
  const bench = new Bench({ time: timeMs, warmupTime: warmupMs, retainSamples: true, throws: true });
  const costs = subject.costs();
  for (const { name, run, before } of costs) bench.add(name, run, before === undefined ? {} : { beforeEach: before });
  await bench.run();
  return costs.map(({ name, operations }, at) => {
    const { result } = bench.tasks[at];
    if (!('latency' in result) || result.latency.samples === undefined)
      throw new Error(`${subject.name}, ${name}: ${result.state}`);
    const [min, median, max] = quantile([...result.latency.samples], [0.05, 0.5, 0.95]).map(
      (ms) => (ms * 1e6) / operations,
    );
    return { subject: subject.name, name, median, min, max, repeats: result.latency.samplesCount };
  });
}
