// How much of a stage a lock is held. One thread works, another looks at the lock's word now and then: the share of looks that find it
// held is the share of time. The code that is measured runs as it is.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { workerUrl } from '@faultline/core/actor';
import type { Words } from '@faultline/core/sync';
import type { Task } from './calibrate.worker.ts';
import { type MachineOrder, type OneThreadMachine, STAGE_REGION } from './machine.ts';
import { type CycleOptions, STAGE_HANDLE, STAGE_REPORT, timeStages } from './stages.ts';

/** Shares of a stage's time, 0 to 1. */
export interface HeldShares {
  readonly param: number;
  readonly fault: number;
  readonly looks: number;
}

export interface HeldTimes {
  readonly report: HeldShares;
  readonly handle: HeldShares;
}

/** Where the watcher looks. */
interface Places {
  readonly words: Words;
  readonly stage: number;
  readonly param: number;
  readonly fault: number;
}

const OVER = -1;
/** Looks cost whoever holds the lock a cache line: they are made this far apart. */
const LOOK_EVERY_NS = 3000;

/** The worker's part. @param tell is handed where to look, before the work begins. */
export function runHeld(machine: OneThreadMachine, options: CycleOptions, tell: (places: Places) => void): void {
  if (machine.locks === undefined) throw new Error('runHeld: without a core there are no locks');
  const { words } = machine.arena;
  const stage = machine.arena.base(STAGE_REGION);
  tell({ words, stage, ...machine.locks });
  timeStages(machine, true, { ...options, onStage: (value) => void Atomics.store(words, stage, value) });
  Atomics.store(words, stage, OVER);
}

/** Blocks this thread while it looks. */
export async function timeHeld(order: MachineOrder & CycleOptions): Promise<HeldTimes> {
  const workerData: Task = { kind: 'held', order };
  const worker = new Worker(workerUrl('calibrate.worker', import.meta.url), { workerData });
  try {
    const [places] = (await once(worker, 'message')) as [Places];
    return watch(places);
  } finally {
    await worker.terminate();
  }
}

function watch({ words, stage, param, fault }: Places): HeldTimes {
  const counts = [STAGE_REPORT, STAGE_HANDLE].map(() => ({ looks: 0, param: 0, fault: 0 }));
  for (;;) {
    const before = Atomics.load(words, stage);
    if (before === OVER) break;
    const isParam = Atomics.load(words, param) !== 0;
    const isFault = Atomics.load(words, fault) !== 0;
    if (before !== 0 && Atomics.load(words, stage) === before) {
      const count = counts[before - STAGE_REPORT];
      count.looks++;
      if (isParam) count.param++;
      if (isFault) count.fault++;
    }
    const until = performance.now() + (LOOK_EVERY_NS * (0.5 + Math.random())) / 1e6;
    while (performance.now() < until);
  }
  const [report, handle] = counts.map(({ looks, param: ofParam, fault: ofFault }) => ({
    looks,
    param: looks === 0 ? 0 : ofParam / looks,
    fault: looks === 0 ? 0 : ofFault / looks,
  }));
  return { report, handle };
}
