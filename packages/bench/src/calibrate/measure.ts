// All measurements of a calibration, one after the other: nothing else of this process runs meanwhile.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { workerUrl } from '@faultline/core/actor';
import { GENERATIONS, type Generation } from '@faultline/core/iopf';
import type { Task } from './calibrate.worker.ts';
import type { HeldTimes } from './held.ts';
import type { MemoryTimes } from './memory.ts';
import { timeRelay } from './relay.ts';
import type { SearchTimes } from './searches.ts';
import { type ThreadTimes, timeThreads } from './sleepers.ts';
import type { StageTimes } from './stages.ts';

/** Those that take locks on the way of a fault, and those of them that search. */
const LOCKING = ['locked', 'v7', 'mainline'] as const;
const SEARCHING = ['locked', 'v7'] as const;
type Locking = (typeof LOCKING)[number];
type Searching = (typeof SEARCHING)[number];

export interface Measured {
  /** Hardware and driver alone. */
  readonly bare: StageTimes;
  readonly stages: Readonly<Record<Generation, StageTimes>>;
  /** With jobs of a few pages: what a round costs besides its pages. */
  readonly small: StageTimes;
  readonly held: Readonly<Record<Locking, HeldTimes>>;
  readonly searches: Readonly<Record<Searching, SearchTimes>>;
  readonly memory: MemoryTimes;
  /** With far more pages than the caches hold. */
  readonly coldMemory: MemoryTimes;
  readonly threads: ThreadTimes;
}

export interface MeasureOptions {
  /** Device threads' areas at work: what is measured fits the caches with few. */
  readonly devices: number;
  readonly pagesPerJob: number;
  readonly warmupMs: number;
  readonly timeMs: number;
  readonly repeats: number;
  readonly signal: AbortSignal;
  readonly onStep: (done: number, total: number, label: string) => void;
}

/** Pages of a job so short that its round shows. */
export const SMALL_JOB = 4;
/** Areas of 128 pages: 128 MiB. */
const COLD_AREAS = 256;

/** @throws the signal's reason once it is aborted, and what a measurement's thread threw. */
export async function measure(options: MeasureOptions): Promise<Measured> {
  const { devices, pagesPerJob, warmupMs, timeMs, repeats, signal } = options;
  const total = 5 + GENERATIONS.length + LOCKING.length + SEARCHING.length;
  let done = 0;
  const step = async <T>(label: string, work: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    options.onStep(done++, total, label);
    return work();
  };
  const times = { warmupMs, timeMs };
  const stages = (generation: Generation | undefined, pages: number): Promise<StageTimes> =>
    apart<StageTimes>({ kind: 'stages', order: { generation, devices, pagesPerJob: pages, ...times } }, signal);
  const each = async <K extends string, T>(names: readonly K[], label: string, one: (name: K) => Promise<T>) => {
    const all: Partial<Record<K, T>> = {};
    for (const name of names) all[name] = await step(`${label}, ${name}`, () => one(name));
    return all as Record<K, T>;
  };
  const measured = {
    threads: await step('waking and switching threads', () => timeThreads(repeats, timeMs)),
    bare: await step('hardware and driver', () => stages(undefined, pagesPerJob)),
    small: await step('short jobs', () => stages('lockless', SMALL_JOB)),
    memory: await step('address space', () =>
      apart<MemoryTimes>({ kind: 'memory', order: { areas: devices, areaPages: 2 * pagesPerJob, ...times } }, signal),
    ),
    coldMemory: await step('address space beyond the caches', () =>
      apart<MemoryTimes>(
        { kind: 'memory', order: { areas: COLD_AREAS, areaPages: 2 * pagesPerJob, ...times } },
        signal,
      ),
    ),
    stages: await each(GENERATIONS, 'stages of a fault', (generation) =>
      timeRelay({ generation, devices, pagesPerJob, ...times }, signal),
    ),
    held: await each(LOCKING, 'held locks', (generation) =>
      apart<HeldTimes>({ kind: 'held', order: { generation, devices, pagesPerJob }, timeMs }, signal),
    ),
    searches: await each(SEARCHING, 'searches', (generation) =>
      apart<SearchTimes>({ kind: 'search', generation, timeMs }, signal),
    ),
  };
  options.onStep(total, total, 'measured');
  return measured;
}

/** On a thread of its own. Rejects with what that thread throws, or once the signal is aborted. */
export async function apart<T>(task: Task, signal: AbortSignal): Promise<T> {
  const worker = new Worker(workerUrl('calibrate.worker', import.meta.url), { workerData: task });
  try {
    const [times] = (await once(worker, 'message', { signal })) as [T];
    return times;
  } finally {
    await worker.terminate();
  }
}
