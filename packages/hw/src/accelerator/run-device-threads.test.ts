import { Doorbell, doorbellWords, initDoorbell, LINE } from '@faultline/core/sync';
import { histogramWords } from '@faultline/core/trace';
import { expect, test } from 'vitest';
import { STALL_RETRY } from '../smmu-v3/stall-port.ts';
import type { DevicePort } from './device-thread.ts';
import { DeviceThread } from './device-thread.ts';
import { runDeviceThreads } from './run-device-threads.ts';

/** Refuses to sleep for good. */
class Wake extends Doorbell {
  override sleep(hasWork: () => boolean): void {
    if (!hasWork()) throw new Error('sleeps, and nobody rings');
  }
}

test('the ports of threads that have finished are served while others wait', () => {
  const size = LINE + histogramWords();
  const words = new Int32Array(new SharedArrayBuffer((LINE + doorbellWords() + 2 * size) * 4));
  initDoorbell(words, LINE);
  const [stopped, budget] = [1, 2];
  words[budget] = 1; // the first thread faults once, the second finds nothing left
  let isAnswered = false;
  let present = false;
  const port: DevicePort = {
    capacity: 1,
    ...{ post: () => 0, publish: () => {}, reset: () => {}, postedAt: () => 0, resumedAt: () => 0 },
    isDone: () => isAnswered,
    result: () => STALL_RETRY,
  };
  const threads = [0, 1].map((thread) => {
    const at = LINE + doorbellWords() + thread * size;
    return new DeviceThread(words, { translate: () => present, discard: () => 0 }, port, {
      ...{ basePage: 1, pagesPerJob: 1, windows: 1, passes: 1, perm: 1, timeoutTicks: 1000, clock: () => 0 },
      ...{ stopAt: stopped, budgetAt: budget, resultsAt: at, histogramAt: at + LINE },
    });
  });
  let pumped = 0;
  // The IOMMU answers the first one only when the second one's port has done its part.
  const served = {
    hasWork: () => !isAnswered,
    pump: () => {
      pumped++;
      isAnswered = present = true;
      words[stopped] = 1;
      return 1;
    },
  };
  runDeviceThreads(threads, new Wake(words, LINE), undefined, served);
  expect(pumped).toBeGreaterThan(0);
  expect(threads.every((thread) => !thread.canGoOn())).toBe(true);
});
