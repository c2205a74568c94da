// One thread of endpoint.threads.test.ts: devices of one worker, or the IOMMU with its handler.
import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell, TICKS_PER_MS } from '@faultline/core/sync';
import { DeviceThread } from '../accelerator/device-thread.ts';
import { runDeviceThreads } from '../accelerator/run-device-threads.ts';
import { Mm } from '../mm/mm.ts';
import { type Notifier, noNotifier } from '../mm/notifier.ts';
import { NO_PORT } from '../queue/announce.ts';
import { Endpoint } from './endpoint.ts';
import { EndpointMemory, pageAgent } from './endpoint-memory.ts';
import {
  INVALIDATE_ALL,
  ITAGS,
  PRG_INVALID,
  PRG_SUCCESS,
  REQUEST_FLAGS,
  REQUEST_INVALIDATED,
  REQUEST_LAST,
  REQUEST_PAGE_HI,
  REQUEST_PAGE_LO,
  REQUEST_PASID,
  REQUEST_PRGI,
} from './pri-port.layout.ts';
import { NO_RECORD, type PriServant } from './pri-port.ts';
import { PriPortSet } from './pri-port-set.ts';
import {
  ANSWERS,
  asked,
  BUDGET,
  basePageOf,
  HANDLED,
  HOST_ID,
  NEVER,
  QUIT,
  type Trial,
  WINDOWS,
} from './threads.test-help.ts';

export interface TrialTask {
  trial: Trial;
  role: 'device' | 'host';
  index: number;
}

const { trial, role, index } = workerData as TrialTask;
const { words, config } = trial;
const clock = (): number => Math.floor(performance.now() * TICKS_PER_MS) | 0;

function device(): void {
  const wake = new Doorbell(words, trial.wakes[index]);
  const hardware = new Doorbell(words, trial.bell);
  const endpoint = new Endpoint(words, {
    portAt: trial.ports[index],
    functionAt: trial.function,
    place: index,
    statsAt: trial.stats[index],
    clock,
    groupPages: config.groupPages,
    interleave: config.interleave,
    atcEntries: 256,
    misbehave: config.misbehave ?? {},
  });
  // Whoever changes the tables waits until the function has dropped its translations. Here that is this very thread: it pumps.
  const notifier: Notifier = {
    invalidateRange: () => {
      const at = asked(index);
      const wanted = Atomics.add(words, at, 1) + 1;
      hardware.ring();
      const isDone = (): boolean => Atomics.load(words, at + 1) === wanted;
      while (!isDone()) {
        if (endpoint.pump() === 0) wake.sleep(() => isDone() || endpoint.hasWork(), 10_000);
      }
    },
  };
  const mm = new Mm(words, trial.mm, { id: HOST_ID + 1 + index, spins: 0 }, notifier);
  const memory = new EndpointMemory(words, endpoint, pageAgent(mm), 5, mm);
  const threads = Array.from({ length: config.threadsPerWorker }, (_, place) => {
    const thread = index * config.threadsPerWorker + place;
    return new DeviceThread(words, memory, endpoint.openQueue(5, config.pages), {
      basePage: basePageOf(trial, thread),
      pagesPerJob: config.pages,
      windows: WINDOWS,
      passes: 2, // the second one finds its translations cached
      perm: 2,
      timeoutTicks: 60_000 * TICKS_PER_MS,
      clock,
      stopAt: NEVER,
      budgetAt: BUDGET,
      resultsAt: trial.results[thread],
      histogramAt: trial.histograms[thread],
    });
  });
  runDeviceThreads(threads, wake);
  // Storms and doubled requests are still to be answered.
  endpoint.misbehave({});
  while (endpoint.outstanding > 0) if (endpoint.pump() === 0) wake.sleep(() => endpoint.hasWork(), 1000);
}

/** Hardware and handler in one: sets requests aside until their group is complete, maps all its pages, answers once. */
function host(): void {
  const mm = new Mm(words, trial.mm, { id: HOST_ID, spins: 0 }, noNotifier);
  const ports = new PriPortSet(words, trial.announce, trial.ports);
  const bell = new Doorbell(words, trial.bell);
  const partials = new Map<number, [number, number][]>();
  const sent = trial.ports.map(() => 0);
  let itag = 0;
  let groups = 0;
  const map = (lo: number, hi: number): void => {
    mm.readLock();
    const area = mm.findArea(lo, hi);
    if (area !== 0 && mm.handleMmFault(area, lo, hi, 2)) Atomics.add(words, HANDLED, 1);
    mm.readUnlock();
  };
  const take = (port: number, servant: PriServant, at: number): void => {
    const flags = words[at + REQUEST_FLAGS];
    if ((flags & REQUEST_INVALIDATED) !== 0) {
      Atomics.add(words, asked(port) + 1, 1);
      new Doorbell(words, trial.wakes[port]).ring();
      return;
    }
    const prgi = words[at + REQUEST_PRGI];
    const members = partials.get(prgi) ?? [];
    members.push([words[at + REQUEST_PAGE_LO], words[at + REQUEST_PAGE_HI]]);
    partials.set(prgi, members);
    if ((flags & REQUEST_LAST) === 0) return;
    partials.delete(prgi);
    for (const [lo, hi] of members) map(lo, hi);
    const code = config.invalidEvery !== 0 && ++groups % config.invalidEvery === 0 ? PRG_INVALID : PRG_SUCCESS;
    ports.respond(servant.rid, prgi, code, words[at + REQUEST_PASID], clock());
    Atomics.add(words, ANSWERS, 1);
  };
  const invalidate = (): boolean => {
    let found = false;
    trial.ports.forEach((_, port) => {
      for (; sent[port] !== Atomics.load(words, asked(port)); sent[port]++) {
        itag = (itag + 1) % ITAGS;
        ports.invalidate(port, itag, 0, 0, INVALIDATE_ALL, -1);
        found = true;
      }
    });
    return found;
  };
  const hasAsked = (): boolean => trial.ports.some((_, port) => sent[port] !== Atomics.load(words, asked(port)));
  const quit = (): boolean => Atomics.load(words, QUIT) !== 0;
  while (!quit()) {
    ports.collect();
    let busy = invalidate();
    for (let port = ports.head(); port !== NO_PORT; port = ports.head()) {
      const servant = ports.servant(port);
      for (let at = servant.peek(), turns = 0; at !== NO_RECORD && turns < 16; at = servant.peek(), turns++) {
        take(port, servant, at);
        servant.next();
      }
      ports.rotate();
      busy = true;
    }
    ports.flush();
    if (!busy) bell.sleep(() => quit() || ports.announced() || hasAsked(), 10_000);
  }
  if (partials.size > 0) throw new Error(`${partials.size} groups are incomplete`);
}

({ device, host })[role]();
parentPort?.postMessage('done');
