import { Worker } from 'node:worker_threads';
import { Doorbell } from '@faultline/core/sync';
import { HistogramSum } from '@faultline/core/trace';
import { describe, expect, test } from 'vitest';
import { readMmBooks } from '../mm/books.ts';
import { Mm } from '../mm/mm.ts';
import { noNotifier } from '../mm/notifier.ts';
import { placesOut } from './admission.ts';
import { type DeviceResults, readDeviceResults } from './device-results.ts';
import {
  basePageOf,
  HARDWARES,
  MOST_UNDER_WAY,
  makeRig,
  QUIT,
  type Rig,
  type RigConfig,
  SCANNER_ID,
  STOP,
} from './rig.test-help.ts';
import { runDeviceThreads } from './run-device-threads.ts';

interface Outcome {
  rig: Rig;
  mm: Mm;
  total: DeviceResults;
  latencies: HistogramSum;
}

async function run(
  config: RigConfig,
  options: { scanned?: boolean; abortEvery?: number; stopAfter?: number },
): Promise<Outcome> {
  const rig = makeRig(config);
  const { words } = rig;
  const mm = new Mm(words, rig.mm, { id: SCANNER_ID, spins: 0 }, noNotifier);
  for (let thread = 0; thread < rig.threads; thread++)
    mm.addArea(basePageOf(rig, thread), config.windows * config.pagesPerJob, 3);
  const start = (role: string, index: number): Promise<void> => {
    const workerData = { rig, role, index, abortEvery: options.abortEvery ?? 0 };
    const worker = new Worker(new URL('./rig.test-worker.ts', import.meta.url), { workerData });
    return new Promise((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('error', reject);
    });
  };
  const rest = Array.from({ length: HARDWARES }, (_, index) => start('hardware', index));
  if (options.scanned) rest.push(start('scanner', 0));
  const devices = Array.from({ length: config.workers }, (_, index) => start('device', index));
  if (options.stopAfter !== undefined) {
    const done = (): number => rig.results.reduce((sum, at) => sum + readDeviceResults(words, at).posted, 0);
    while (done() < options.stopAfter) await new Promise((resolve) => setImmediate(resolve));
    Atomics.store(words, STOP, 1);
  }
  await Promise.race([
    Promise.all(devices),
    Promise.all(rest).then(() => Promise.reject(new Error('the hardware left'))),
  ]);
  Atomics.store(words, QUIT, 1);
  await Promise.all(rest);
  const latencies = new HistogramSum();
  for (const at of rig.histograms) latencies.add(words, at);
  const each = rig.results.map((at) => readDeviceResults(words, at));
  const sum = (field: Exclude<keyof DeviceResults, 'finished'>): number =>
    each.reduce((total, results) => total + results[field], 0);
  const total: DeviceResults = {
    posted: sum('posted'),
    resumed: sum('resumed'),
    aborted: sum('aborted'),
    refaults: sum('refaults'),
    rounds: sum('rounds'),
    jobs: sum('jobs'),
    failed: sum('failed'),
    timeouts: sum('timeouts'),
    cut: sum('cut'),
    admitted: sum('admitted'),
    waited: sum('waited'),
    waitTicks: sum('waitTicks'),
    worstWait: Math.max(...each.map(({ worstWait }) => worstWait)),
    worstAge: Math.max(...each.map(({ worstAge }) => worstAge)),
    finished: each.every(({ finished }) => finished),
  };
  return { rig, mm, total, latencies };
}

const config: RigConfig = {
  workers: 3,
  threadsPerWorker: 1,
  pagesPerJob: 16,
  windows: 2,
  passes: 1,
  capacity: 16,
  budget: 20_000,
};

function expectBalance({ rig, mm, total, latencies }: Outcome): void {
  const books = readMmBooks(rig.words, rig.mm);
  expect(total.finished).toBe(true);
  expect(total.posted).toBe(total.resumed + total.aborted);
  expect(latencies.total).toBe(total.posted);
  expect(latencies.negative).toBe(0);
  expect(total.timeouts).toBe(0);
  expect(books.populated + books.restored + books.found).toBe(total.posted); // every stall was handled, once
  expect(books.populated).toBe(books.discarded + mm.presentPages());
  expect(books.stuck).toBe(0);
}

describe.each([1, 4])('with %i device threads a worker', (threadsPerWorker) => {
  test('every fault of the budget is posted, answered and counted', async () => {
    const outcome = await run({ ...config, threadsPerWorker }, {});
    expectBalance(outcome);
    expect(outcome.total).toMatchObject({ posted: config.budget, refaults: 0, failed: 0 });
    expect(outcome.total.jobs).toBeGreaterThan(0);
  });

  test('so it is under the scanner, with a port smaller than the window, and with aborts', async () => {
    const outcome = await run(
      { ...config, threadsPerWorker, capacity: 5, passes: 3 },
      { scanned: true, abortEvery: 97 },
    );
    expectBalance(outcome);
    expect(outcome.total.posted).toBe(config.budget);
    expect(outcome.total.refaults).toBeGreaterThan(0);
    expect(outcome.total.aborted).toBeGreaterThan(0);
    expect(outcome.total.failed).toBeGreaterThan(0);
    expect(outcome.total.failed).toBeLessThanOrEqual(outcome.total.aborted);
  });
});

// Nearly every job begins as another one ends, mostly another worker's: a wake-up that is lost ends the run.
describe('with fewer places for jobs than threads', () => {
  const expectPlaces = ({ rig, total }: Outcome, places: number): void => {
    expect(Atomics.load(rig.words, MOST_UNDER_WAY)).toBe(places);
    expect(placesOut(rig.words, rig.admission)).toBe(0);
    const begun = total.jobs + total.failed + total.cut; // and those that the end kept from their first fault
    expect(total.admitted).toBeGreaterThanOrEqual(begun);
    expect(total.admitted).toBeLessThanOrEqual(begun + rig.threads);
    expect(total.waited).toBeGreaterThan(total.admitted / 2);
    expect(total.worstWait).toBeGreaterThan(0);
  };

  test('no more jobs are under way, and all of the budget is used', async () => {
    const outcome = await run(
      { ...config, threadsPerWorker: 4, places: 1, budget: 4000 },
      { scanned: true, abortEvery: 97 },
    );
    expectBalance(outcome);
    expectPlaces(outcome, 1);
    expect(outcome.total.posted).toBe(4000);
  });

  test('those in line hear that it is over', async () => {
    const outcome = await run({ ...config, threadsPerWorker: 4, places: 3, budget: 0 }, { stopAfter: 2000 });
    expectBalance(outcome);
    expectPlaces(outcome, 3);
  });
});

test('without a budget it goes on until it is stopped, and leaves nothing outstanding', async () => {
  const outcome = await run({ ...config, threadsPerWorker: 2, budget: 0 }, { stopAfter: 5000 });
  expectBalance(outcome);
  expect(outcome.total.posted).toBeGreaterThanOrEqual(5000);
});

test('a worker without device threads is refused', () => {
  const { words, wakes } = makeRig(config);
  expect(() => runDeviceThreads([], new Doorbell(words, wakes[0]))).toThrow(
    expect.objectContaining({ name: 'IommuError', code: 'EINVAL', field: 'threads' }) as Error,
  );
});
