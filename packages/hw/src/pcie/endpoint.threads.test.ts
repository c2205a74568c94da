import { Worker } from 'node:worker_threads';
import { Doorbell } from '@faultline/core/sync';
import { expect, test } from 'vitest';
import { type DeviceResults, readDeviceResults } from '../accelerator/device-results.ts';
import { readMmBooks } from '../mm/books.ts';
import { Mm } from '../mm/mm.ts';
import { noNotifier } from '../mm/notifier.ts';
import { AtsCapability } from './ats-capability.ts';
import { type EndpointStat, readEndpointStats } from './endpoint-stats.ts';
import { PRI_STATUS_STOPPED } from './function.layout.ts';
import { PriCapability } from './pri-capability.ts';
import { priPortDropped } from './pri-port.ts';
import {
  ANSWERS,
  basePageOf,
  HANDLED,
  makeTrial,
  QUIT,
  type Trial,
  type TrialConfig,
  WINDOWS,
} from './threads.test-help.ts';

const config: TrialConfig = {
  workers: 2,
  threadsPerWorker: 2,
  pages: 24,
  budget: 12_000,
  credits: 40,
  groupPages: 5,
  interleave: 3,
  invalidEvery: 0,
};

async function run(config: TrialConfig): Promise<{
  trial: Trial;
  stat: (name: EndpointStat) => number;
  result: (name: Exclude<keyof DeviceResults, 'finished'>) => number;
  pri: PriCapability;
}> {
  const trial = makeTrial(config);
  const { words } = trial;
  const mm = new Mm(words, trial.mm, { id: 1, spins: 0 }, noNotifier);
  for (let thread = 0; thread < trial.results.length; thread++)
    mm.addArea(basePageOf(trial, thread), WINDOWS * config.pages, 3);
  new AtsCapability(words, trial.function).enable(12);
  const pri = new PriCapability(words, trial.function, []);
  pri.enable(config.credits);
  const start = (role: string, index: number): Promise<void> => {
    const worker = new Worker(new URL('./endpoint.test-worker.ts', import.meta.url), {
      workerData: { trial, role, index },
    });
    return new Promise((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('error', reject);
    });
  };
  const host = start('host', 0);
  const devices = Array.from({ length: config.workers }, (_, index) => start('device', index));
  await Promise.race([Promise.all(devices), host.then(() => Promise.reject(new Error('the host left')))]);
  Atomics.store(words, QUIT, 1);
  new Doorbell(words, trial.bell).ring();
  await host;
  return {
    trial,
    pri,
    stat: (name) => trial.stats.reduce((sum, at) => sum + readEndpointStats(words, at)[name], 0),
    result: (name) => trial.results.reduce((sum, at) => sum + readDeviceResults(words, at)[name], 0),
  };
}

test('every request of every thread is answered once; translations are cached, and dropped when told', async () => {
  const { trial, stat, result, pri } = await run(config);
  const books = readMmBooks(trial.words, trial.mm);
  expect(result('posted')).toBe(config.budget);
  expect(result('resumed')).toBe(config.budget);
  expect(stat('requests')).toBe(config.budget);
  expect(stat('succeeded')).toBe(stat('groups'));
  expect(Atomics.load(trial.words, ANSWERS)).toBe(stat('groups'));
  expect(Atomics.load(trial.words, HANDLED)).toBe(config.budget);
  expect(books.populated + books.restored + books.found).toBe(config.budget);
  // Fresh memory faults anew, page by page: nothing was found in a cache that should have been dropped.
  expect(result('refaults')).toBe(0);
  expect(result('jobs') * config.pages).toBeLessThanOrEqual(config.budget);
  expect((result('jobs') + result('cut')) * config.pages).toBeGreaterThanOrEqual(config.budget);
  expect(stat('hits')).toBeGreaterThan(result('jobs') * config.pages * 0.5);
  expect(stat('invalidations')).toBeGreaterThan(0);
  for (const name of ['unexpected', 'refused', 'dropped', 'failures'] as const) expect(stat(name)).toBe(0);
  for (const at of trial.stats)
    expect(readEndpointStats(trial.words, at).peakOutstanding).toBeLessThanOrEqual(config.credits / config.workers);
  for (const port of trial.ports) expect(priPortDropped(trial.words, port)).toBe(0);
  expect(pri.isStopped()).toBe(true);
  pri.disable();
  expect(pri.status() & PRI_STATUS_STOPPED).toBe(PRI_STATUS_STOPPED);
});

test('with answers that refuse, few credits and a thread each, the books balance as well', async () => {
  const { trial, stat, result, pri } = await run({
    ...config,
    workers: 3,
    threadsPerWorker: 1,
    credits: 7,
    groupPages: 16,
    invalidEvery: 11,
  });
  expect(result('posted')).toBe(config.budget);
  expect(result('resumed') + result('aborted')).toBe(config.budget);
  expect(result('aborted')).toBeGreaterThan(0);
  expect(stat('succeeded') + stat('invalid')).toBe(stat('groups'));
  expect(Atomics.load(trial.words, ANSWERS)).toBe(stat('groups'));
  expect(stat('unexpected')).toBe(0);
  expect(pri.isStopped()).toBe(true);
});

test('a storm, used indices, doubled last pages, duplicated answers and no regard to credits: all that was sent is answered', async () => {
  const { trial, stat, result, pri } = await run({
    ...config,
    budget: 4000,
    credits: 256, // the link has room for the answers to all of it: one without would be lost
    groupPages: 1,
    misbehave: { storm: true, groupIndexReused: 3, lastPageDoubled: 5, responseDuplicated: 7, creditsExceeded: true },
  });
  expect(result('posted')).toBe(4000);
  expect(result('resumed')).toBe(4000);
  expect(stat('stormed')).toBeGreaterThan(0);
  // Each last page flag got one answer, each of those one or two deliveries; nobody counted anything twice.
  expect(stat('succeeded') + stat('unexpected')).toBe(
    Atomics.load(trial.words, ANSWERS) - undelivered(trial) + stat('duplicated'),
  );
  expect(stat('succeeded')).toBe(stat('groups'));
  expect(pri.isStopped()).toBe(true);
});

/** Answers to doubled requests that came after the endpoint had ended: still in the ring. */
function undelivered(trial: Trial): number {
  const { words } = trial;
  return trial.ports.reduce((sum, at) => {
    const waiting = (Atomics.load(words, at + 3 * 32) - Atomics.load(words, at + 4 * 32)) | 0;
    return sum + waiting + priPortDropped(words, at);
  }, 0);
}
