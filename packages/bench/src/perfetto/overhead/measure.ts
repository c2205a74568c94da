// What tracing costs the fault path: threads that have it and threads that have not do the same in turn, one at a time.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { workerUrl } from '@faultline/core/actor';
import { median, quantile } from 'simple-statistics';

export interface OverheadOrder {
  readonly rounds: number;
  /** One fault in so many, each a variant of its own. */
  readonly samples: readonly number[];
}

export interface OverheadRow {
  readonly name: string;
  /** Nanoseconds that a fault takes from its stall to its resume, on one thread that does all. */
  readonly ns: number;
  /** More than a thread without the tracing code takes in the same round, in nanoseconds: the middle. */
  readonly moreNs: number;
  /** Relative to that one, likewise: middle, 5th and 95th percentile. */
  readonly ratio: { readonly median: number; readonly low: number; readonly high: number };
}

interface Variant {
  readonly name: string;
  readonly worker: Worker;
  readonly ns: number[];
}

/** Rounds before the first that counts: every thread compiles its code. */
const WARM_UP = 60;

/** @throws what a thread died of. */
export async function measureOverhead({ rounds, samples }: OverheadOrder, signal: AbortSignal): Promise<OverheadRow[]> {
  const start = (name: string, file: string, sample = 0): Variant => ({
    ...{ name, ns: [] },
    worker: new Worker(workerUrl(file, import.meta.url), { workerData: { sample } }),
  });
  const variants = [
    start('without the code', 'without.worker'),
    start('without the code, again', 'without.worker'),
    start('off', 'traced.worker'),
    ...samples.map((sample) =>
      start(sample === 1 ? 'on: every fault' : `on: one fault in ${sample}`, 'traced.worker', sample),
    ),
  ];
  try {
    await Promise.all(variants.map(({ worker }) => once(worker, 'message')));
    for (let round = -WARM_UP; round < rounds && !signal.aborted; round++)
      for (let i = 0; i < variants.length; i++) {
        const { worker, ns } = variants[(i + round + WARM_UP) % variants.length]; // none is always first
        worker.postMessage('go');
        const [took] = (await once(worker, 'message')) as [number];
        if (round >= 0) ns.push(took);
      }
  } finally {
    await Promise.all(variants.map(({ worker }) => worker.terminate()));
  }
  return variants.map((each) => rowOf(each, variants[0]));
}

function rowOf({ name, ns }: Variant, base: Variant): OverheadRow {
  const ratios = ns.map((took, round) => took / base.ns[round]);
  const [low, high] = quantile(ratios, [0.05, 0.95]);
  const moreNs = median(ns.map((took, round) => took - base.ns[round]));
  return { name, ns: median(ns), moreNs, ratio: { median: median(ratios), low, high } };
}
