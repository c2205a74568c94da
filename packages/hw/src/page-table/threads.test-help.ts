// Runs parts of a test as workers over one page table.
import { Worker } from 'node:worker_threads';
import type { CleanMethod } from './dirty.ts';
import type { Shared } from './rig.test-help.ts';

/** What one worker does. Pages from `start` to `end`. */
export interface Part {
  readonly shared: Shared;
  readonly id: number;
  /** Parts altogether: none begins before all are there. */
  readonly parts: number;
  readonly seed: number;
  readonly role: 'owner' | 'sweeper' | 'dumper' | 'hardware' | 'resizer' | 'auditor';
  readonly start: number;
  readonly end: number;
  readonly stride: number;
  readonly length: number;
  /** Pages of an unmap, where it goes piecewise. */
  readonly piece: number;
  readonly rounds: number;
  readonly distance: number;
  readonly walker: number;
  readonly tlbEntries: number;
  readonly method: CleanMethod;
  /** Last write to each page, as the hardware numbers them. */
  readonly log?: Int32Array<SharedArrayBuffer>;
  /** A write that was done before a sweep began is in that sweep or an earlier one. */
  readonly strict: boolean;
}

export interface Report {
  readonly wrong: string[];
  readonly counts: Record<string, number>;
}

/** The word that tells parts without rounds to stop. In the first line of a rig's memory, which is the test's own. */
export const STOP = 1;
/** How many parts are at work. */
export const READY = 2;

const PART = {
  start: 0,
  end: 0,
  stride: 1,
  length: 1,
  piece: 1,
  rounds: 0,
  distance: 0,
  walker: 1,
  tlbEntries: 1,
} as const;
const LOCKED_UP_MS = 15_000;

/** Runs one worker a part. When those with rounds are done, or `ms` after all have begun where there are none, the others are told to stop. */
export async function runParts(
  shared: Shared,
  seed: number,
  parts: readonly Partial<Part>[],
  ms = 0,
): Promise<{ wrong: string[]; counts: Record<string, number> }> {
  const running = parts.map((part, index) => {
    const workerData = {
      ...PART,
      method: 'compare-exchange',
      strict: true,
      ...part,
      shared,
      seed,
      id: index + 1,
      parts: parts.length,
    };
    const worker = new Worker(new URL('./page-table.test-worker.ts', import.meta.url), { workerData });
    const report = new Promise<Report>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    const late = setTimeout(() => void worker.terminate(), LOCKED_UP_MS);
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve())).then(() => clearTimeout(late));
    return { rounds: part.rounds ?? 0, report, ended, role: part.role };
  });
  const reports = Promise.all(
    running.map(({ report, ended, role }) =>
      Promise.race([
        report,
        ended.then((): Report => {
          throw new Error(`seed ${seed}: ${role} ended without a report`);
        }),
      ]),
    ),
  );
  const finite = running.filter(({ rounds }) => rounds > 0);
  try {
    if (finite.length > 0) await Promise.race([Promise.all(finite.map(({ report }) => report)), reports]);
    else await Promise.race([begun(shared.words, parts.length).then(() => pause(ms)), reports]);
  } finally {
    Atomics.store(shared.words, STOP, 1);
  }
  const wrong: string[] = [];
  const counts: Record<string, number> = {};
  for (const report of await reports) {
    wrong.push(...report.wrong);
    for (const [name, value] of Object.entries(report.counts)) counts[name] = (counts[name] ?? 0) + value;
  }
  await Promise.all(running.map(({ ended }) => ended));
  return { wrong, counts };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function begun(words: Shared['words'], parts: number): Promise<void> {
  for (let ready = Atomics.load(words, READY); ready < parts; ready = Atomics.load(words, READY)) {
    const wait = Atomics.waitAsync(words, READY, ready);
    if (wait.async) await wait.value;
  }
}
