// Runs parts of a test as workers over one page table. The workers are kept from test to test: most of what a test costs is starting
// them.
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
  readonly role: 'owner' | 'modeller' | 'sweeper' | 'reader' | 'dumper' | 'hardware' | 'resizer' | 'auditor';
  readonly start: number;
  readonly end: number;
  readonly stride: number;
  readonly length: number;
  /** Pages of an unmap, where it goes piecewise. */
  readonly piece: number;
  readonly rounds: number;
  /** From input to output pages; some mappings are off by one of `shifts` in 4 KiB pages besides. */
  readonly distance: number;
  readonly shifts: readonly number[];
  readonly walker: number;
  readonly tlbEntries: number;
  readonly method: CleanMethod;
  /** Hardware writes as well. */
  readonly writes: boolean;
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
  shifts: [0],
  walker: 1,
  tlbEntries: 1,
  method: 'compare-exchange',
  writes: true,
  strict: true,
} as const;
const LOCKED_UP_MS = 4_000; // less than a test's own time

/** Workers that play parts, one run after another. */
export class Crew {
  readonly #idle: Worker[] = [];

  /** Runs one worker a part. When those with rounds are done, or `ms` after all have begun where there are none, the others are told
   * to stop. @throws Error a part ended without a report, which names the seed. */
  async run(
    shared: Shared,
    seed: number,
    parts: readonly Partial<Part>[],
    ms = 0,
  ): Promise<{ wrong: string[]; counts: Record<string, number> }> {
    const running = parts.map((part, index) => {
      const full = { ...PART, ...part, shared, seed, id: index + 1, parts: parts.length };
      return { finite: (part.rounds ?? 0) > 0, report: this.#play(full as Part) };
    });
    const reports = Promise.all(running.map(({ report }) => report));
    reports.catch(() => {}); // is thrown below
    const finite = running.filter((part) => part.finite);
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
    return { wrong, counts };
  }

  /** Ends the workers. */
  async end(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((worker) => worker.terminate()));
  }

  #play(part: Part): Promise<Report> {
    const worker = this.#idle.pop() ?? new Worker(new URL('./page-table.test-worker.ts', import.meta.url));
    return new Promise<Report>((resolve, reject) => {
      const done = (report: Report): void => {
        forget();
        this.#idle.push(worker);
        resolve(report);
      };
      const fail = (why: unknown): void => {
        forget();
        Atomics.store(part.shared.words, STOP, 1);
        void worker.terminate();
        reject(new Error(`seed ${part.seed}: ${part.role} ended without a report`, { cause: why }));
      };
      const late = setTimeout(() => fail(`locked up for ${LOCKED_UP_MS} ms`), LOCKED_UP_MS);
      const forget = (): void => {
        clearTimeout(late);
        worker.off('message', done).off('error', fail).off('exit', fail);
      };
      worker.on('message', done).on('error', fail).on('exit', fail);
      worker.postMessage(part);
    });
  }
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
