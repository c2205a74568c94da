// Runs real workers for a test, and fails with a message where one of them locks up.
import { Worker } from 'node:worker_threads';
import type { SharedArena } from '../memory/index.ts';

/** How long a group of workers may take before it counts as locked up. Terminating one ends it even inside Atomics.wait. */
const LOCKED_UP_MS = 15_000;

/** What every test worker is started with. */
export interface TestTask {
  readonly role: string;
  readonly arena: SharedArena;
  /** From 1. */
  readonly id: number;
  readonly threads: number;
  readonly rounds: number;
  readonly spins: number;
  readonly seed: number;
  /** A parameter of the role's own. */
  readonly option: number;
}

/** The seed of this run: FAULTLINE_SEED, or a new one. Failure messages print it. */
export const SEED: number = Number(process.env.FAULTLINE_SEED ?? Date.now() % 1_000_000_007);

/** A small seeded generator of 31-bit numbers (xorshift), each worker's its own. */
export function randomFrom(seed: number, id: number): () => number {
  let state = (seed ^ Math.imul(id, 0x9e3779b9)) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0x7fffffff;
  };
}

/** Starts one worker a task and gathers what each reports. @throws Error naming the workers that failed or never reported. */
export async function runWorkers<Report>(file: URL, tasks: readonly TestTask[]): Promise<Report[]> {
  const workers = tasks.map((task) => new Worker(file, { workerData: task }));
  const reports = new Map<number, Report>();
  const failures: string[] = [];
  const ended = workers.map(
    (worker, at) =>
      new Promise<void>((resolve) => {
        worker.once('message', (report: Report) => reports.set(at, report));
        worker.once('error', (error) => failures.push(`worker ${at + 1}: ${error}`));
        worker.once('exit', () => resolve());
      }),
  );
  let timer: NodeJS.Timeout | undefined;
  const lockedUp = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, LOCKED_UP_MS);
  });
  await Promise.race([Promise.all(ended), lockedUp]);
  clearTimeout(timer);
  await Promise.all(workers.map((worker) => worker.terminate()));
  tasks.forEach(({ role, id }, at) => {
    if (!reports.has(at)) failures.push(`worker ${at + 1} (${role}, thread ${id}) never reported`);
  });
  if (failures.length > 0) throw new Error(`seed ${SEED}: ${failures.join('; ')}`);
  return tasks.map((_, at) => reports.get(at) as Report);
}

/** Holds each worker until all have come, so that they run at the same time. `at`: a word, zero to begin with. */
export function startTogether(words: Int32Array<SharedArrayBuffer>, at: number, threads: number): void {
  if (Atomics.add(words, at, 1) + 1 === threads) Atomics.notify(words, at);
  for (let seen = Atomics.load(words, at); seen < threads; seen = Atomics.load(words, at))
    Atomics.wait(words, at, seen);
}
