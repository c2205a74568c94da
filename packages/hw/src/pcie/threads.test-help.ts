// Device threads over endpoints, one IOMMU: who has which words, for endpoint.threads.test.ts.
import { doorbellWords, initDoorbell, LINE, type Words } from '@faultline/core/sync';
import { histogramWords, initHistogram } from '@faultline/core/trace';
import { deviceResultWords, initDeviceResults } from '../accelerator/device-results.ts';
import { initMm, type MmConfig, mmWords } from '../mm/layout.ts';
import { endpointStatWords, initEndpointStats } from './endpoint-stats.ts';
import { functionWords, initFunction } from './function.layout.ts';
import type { Misbehaviours } from './misbehaviour.ts';
import { initPriPort, PRG_INDICES, priPortWords } from './pri-port.layout.ts';

export interface TrialConfig {
  /** Each has one endpoint; all are queues of one function. */
  readonly workers: number;
  readonly threadsPerWorker: number;
  readonly pages: number;
  readonly budget: number;
  readonly credits: number;
  readonly groupPages: number;
  readonly interleave: number;
  readonly misbehave?: Misbehaviours;
  /** Answer one group in so many with Invalid Request; 0: none. */
  readonly invalidEvery: number;
}

/** Plain data: each worker opens the trial from it. */
export interface Trial {
  readonly config: TrialConfig;
  readonly words: Words;
  readonly bell: number;
  readonly announce: number;
  readonly function: number;
  readonly mm: number;
  readonly wakes: number[];
  readonly ports: number[];
  readonly stats: number[];
  readonly results: number[];
  readonly histograms: number[];
}

export const QUIT = 1;
export const BUDGET = 2;
export const NEVER = 3; // the device threads' stop word
export const HANDLED = 4; // requests that the host's handler mapped a page for
export const ANSWERS = 5; // groups that the host answered
/** Invalidations asked for by a worker, and done for it: words of the worker's own pair. */
export function asked(worker: number): number {
  return 8 + 2 * worker;
}
export const HOST_ID = 1;
export const WINDOWS = 2;

export function basePageOf(trial: Trial, thread: number): number {
  return 2 ** 32 - 5 + thread * WINDOWS * trial.config.pages;
}

export function makeTrial(config: TrialConfig): Trial {
  const threads = config.workers * config.threadsPerWorker;
  const mmConfig: MmConfig = { frames: threads * WINDOWS * config.pages, areas: threads, threads: 2 + config.workers };
  let end = LINE;
  const take = (size: number): number => {
    end += size;
    return end - size;
  };
  const each = (count: number, size: number): number[] => Array.from({ length: count }, () => take(size));
  const layout = {
    bell: take(doorbellWords()),
    announce: take(LINE),
    function: take(functionWords()),
    mm: take(mmWords(mmConfig)),
    wakes: each(config.workers, doorbellWords()),
    ports: each(config.workers, priPortWords(config.credits)),
    stats: each(config.workers, endpointStatWords()),
    results: each(threads, deviceResultWords()),
    histograms: each(threads, histogramWords()),
  };
  const words = new Int32Array(new SharedArrayBuffer(end * 4));
  for (const at of [layout.bell, ...layout.wakes]) initDoorbell(words, at);
  initFunction(words, layout.function, { capacity: config.credits, queues: config.workers });
  const groupCount = Math.floor(PRG_INDICES / config.workers);
  layout.ports.forEach((at, port) => {
    initPriPort(words, at, {
      port,
      rid: 0x0300,
      credits: config.credits,
      groupFirst: port * groupCount,
      groupCount,
      wakeAt: layout.wakes[port],
      announceBase: layout.announce,
      doorbellBase: layout.bell,
    });
  });
  for (const at of layout.stats) initEndpointStats(words, at);
  for (const at of layout.results) initDeviceResults(words, at);
  for (const at of layout.histograms) initHistogram(words, at);
  initMm(words, layout.mm, mmConfig);
  words[BUDGET] = config.budget;
  return { config, words, ...layout };
}
