// A run over real memory and stall ports, for run-device-threads.threads.test.ts: who has which words.
import { doorbellWords, initDoorbell, LINE, type Words } from '@faultline/core/sync';
import { histogramWords, initHistogram } from '@faultline/core/trace';
import { initMm, type MmConfig, mmWords } from '../mm/layout.ts';
import { initStallPort, stallPortWords } from '../smmu-v3/stall-port.ts';
import { admissionWords, grantPlaces } from './admission.ts';
import { deviceResultWords, initDeviceResults } from './device-results.ts';

export interface RigConfig {
  readonly workers: number;
  readonly threadsPerWorker: number;
  readonly pagesPerJob: number;
  readonly windows: number;
  readonly passes: number;
  readonly capacity: number;
  /** 0: until stopped. */
  readonly budget: number;
  /** Jobs at once, 0 or nothing: all. */
  readonly places?: number;
}

/** Plain data: each worker opens the rig from it. */
export interface Rig {
  readonly config: RigConfig;
  readonly words: Words;
  readonly threads: number;
  readonly hardwareDoorbell: number;
  readonly announce: number;
  readonly wakes: number[];
  readonly ports: number[];
  readonly results: number[];
  readonly histograms: number[];
  readonly mm: number;
  readonly admission: number;
  /** The clock's zero, on the machine's monotonic clock: performance.now() starts anew on each thread. */
  readonly epochNs: bigint;
}

export const STOP = 1; // the device threads
export const QUIT = 2; // the rest
export const BUDGET = 3;
/** Jobs between admission and end, and the most that there were. */
export const UNDER_WAY = 4;
export const MOST_UNDER_WAY = 5;
/** Thread ids: hardware threads, scanner, then device workers. */
export const HARDWARES = 2;
export const SCANNER_ID: number = HARDWARES + 1;
export const FIRST_WORKER_ID: number = SCANNER_ID + 1;

export function basePageOf(rig: Rig, thread: number): number {
  return 2 ** 32 - 10 + thread * rig.config.windows * rig.config.pagesPerJob;
}

export function makeRig(config: RigConfig): Rig {
  const threads = config.workers * config.threadsPerWorker;
  const mmConfig: MmConfig = {
    frames: threads * config.windows * config.pagesPerJob,
    areas: threads,
    threads: FIRST_WORKER_ID + config.workers,
  };
  let end = LINE;
  const take = (size: number): number => {
    end += size;
    return end - size;
  };
  const takeEach = (count: number, size: number): number[] => Array.from({ length: count }, () => take(size));
  const layout = {
    threads,
    hardwareDoorbell: take(doorbellWords()),
    announce: take(Math.ceil(threads / 32) * LINE),
    wakes: takeEach(config.workers, doorbellWords()),
    ports: takeEach(threads, stallPortWords(config.capacity)),
    results: takeEach(threads, deviceResultWords()),
    histograms: takeEach(threads, histogramWords()),
    mm: take(mmWords(mmConfig)),
    admission: take(admissionWords(threads)),
  };
  const words = new Int32Array(new SharedArrayBuffer(end * 4));
  for (const at of [layout.hardwareDoorbell, ...layout.wakes]) initDoorbell(words, at);
  layout.ports.forEach((at, port) => {
    initStallPort(words, at, {
      capacity: config.capacity,
      port,
      streamId: 1,
      substreamId: 1,
      wakeAt: layout.wakes[Math.floor(port / config.threadsPerWorker)],
      announceBase: layout.announce,
      doorbellBase: layout.hardwareDoorbell,
    });
  });
  for (const at of layout.results) initDeviceResults(words, at);
  for (const at of layout.histograms) initHistogram(words, at);
  initMm(words, layout.mm, mmConfig);
  words[BUDGET] = config.budget;
  grantPlaces(words, layout.admission, config.places ?? 0);
  return { config, words, ...layout, epochNs: process.hrtime.bigint() };
}
