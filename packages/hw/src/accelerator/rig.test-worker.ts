// One thread of run-device-threads.threads.test.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell, TICK_NS, TICKS_PER_MS } from '@faultline/core/sync';
import { pageOf } from '../mm/areas.ts';
import { Mm } from '../mm/mm.ts';
import { noNotifier } from '../mm/notifier.ts';
import { PageScanner } from '../mm/scanner.ts';
import {
  PORT_DONE,
  PORT_PROD,
  PORT_SLOTS,
  PORT_WAKE,
  STALL_ABORT,
  STALL_PAGE_HI,
  STALL_PAGE_LO,
  STALL_PERM,
  STALL_RESULT,
  STALL_RESUMED,
  STALL_RETRY,
  STALL_WORDS,
  StallPort,
} from '../smmu-v3/stall-port.ts';
import { Admission, grantedPlaces } from './admission.ts';
import { DeviceThread, type JobAdmission } from './device-thread.ts';
import {
  BUDGET,
  basePageOf,
  FIRST_WORKER_ID,
  HARDWARES,
  MOST_UNDER_WAY,
  QUIT,
  type Rig,
  SCANNER_ID,
  STOP,
  UNDER_WAY,
} from './rig.test-help.ts';
import { runDeviceThreads } from './run-device-threads.ts';

export interface RigTask {
  rig: Rig;
  role: 'device' | 'hardware' | 'scanner';
  index: number;
  /** Abort one stall in so many; 0: none. */
  abortEvery: number;
}

const { rig, role, index, abortEvery } = workerData as RigTask;
const { words, config } = rig;
const quit = (): boolean => Atomics.load(words, QUIT) !== 0;
const clock = (): number => Number((process.hrtime.bigint() - rig.epochNs) / BigInt(TICK_NS)) | 0;
const open = (id: number): Mm => new Mm(words, rig.mm, { id, spins: 0 }, noNotifier);

/** An admission whose jobs under way are counted, none before it is let in nor after it gives its place back. */
class Counted implements JobAdmission {
  readonly #admission: Admission;
  #isCounted = false;
  constructor(admission: Admission) {
    this.#admission = admission;
  }
  ask(): boolean {
    return this.#count(this.#admission.ask());
  }
  isAdmitted(): boolean {
    return this.#count(this.#admission.isAdmitted());
  }
  end(): void {
    if (this.#isCounted) Atomics.sub(words, UNDER_WAY, 1);
    this.#isCounted = false;
    this.#admission.end();
  }
  #count(isAdmitted: boolean): boolean {
    if (isAdmitted && !this.#isCounted) {
      this.#isCounted = true;
      const under = Atomics.add(words, UNDER_WAY, 1) + 1;
      for (let most = Atomics.load(words, MOST_UNDER_WAY); most < under; most = Atomics.load(words, MOST_UNDER_WAY))
        Atomics.compareExchange(words, MOST_UNDER_WAY, most, under);
    }
    return isAdmitted;
  }
}

function admission(): JobAdmission | undefined {
  if (grantedPlaces(words, rig.admission) === 0) return undefined;
  return new Counted(new Admission(words, rig.admission, rig.threads, rig.wakes[index]));
}

function device(): void {
  const mm = open(FIRST_WORKER_ID + index);
  const wake = new Doorbell(words, rig.wakes[index]);
  const threads = Array.from({ length: config.threadsPerWorker }, (_, place) => {
    const thread = index * config.threadsPerWorker + place;
    return new DeviceThread(words, mm, new StallPort(words, rig.ports[thread]), {
      basePage: basePageOf(rig, thread),
      pagesPerJob: config.pagesPerJob,
      windows: config.windows,
      passes: config.passes,
      perm: 2,
      timeoutTicks: 60_000 * TICKS_PER_MS,
      clock,
      stopAt: STOP,
      budgetAt: config.budget === 0 ? 0 : BUDGET,
      admission: admission(),
      resultsAt: rig.results[thread],
      histogramAt: rig.histograms[thread],
    });
  });
  runDeviceThreads(threads, wake);
}

/** Hardware and handler in one: takes rounds from its share of the ports, populates, answers. */
function hardware(): void {
  const mm = open(1 + index);
  const bell = new Doorbell(words, rig.hardwareDoorbell);
  const mine = rig.ports.filter((_, port) => port % HARDWARES === index);
  let stalls = 0;
  const serve = (port: number): boolean => {
    const prod = Atomics.load(words, port + PORT_PROD);
    const posted = (prod - Atomics.load(words, port + PORT_DONE)) | 0;
    if (posted === 0) return false;
    for (let at = port + PORT_SLOTS; at < port + PORT_SLOTS + posted * STALL_WORDS; at += STALL_WORDS) {
      const lo = words[at + STALL_PAGE_LO];
      const hi = words[at + STALL_PAGE_HI];
      mm.readLock();
      const area = mm.findArea(lo, hi);
      if (area === 0 || !mm.handleMmFault(area, lo, hi, words[at + STALL_PERM]))
        throw new Error(`no area has page ${pageOf(lo, hi)}`);
      mm.readUnlock();
      words[at + STALL_RESULT] = abortEvery !== 0 && ++stalls % abortEvery === 0 ? STALL_ABORT : STALL_RETRY;
      words[at + STALL_RESUMED] = clock();
    }
    Atomics.store(words, port + PORT_DONE, prod);
    new Doorbell(words, words[port + PORT_WAKE]).ring();
    return true;
  };
  while (!quit()) {
    let served = false;
    for (const port of mine) served = serve(port) || served;
    // Two share the doorbell here, which is made for one sleeper: no sleep without an end.
    if (!served) bell.sleep(quit, 1);
  }
}

function scanner(): void {
  const pages = new PageScanner(open(SCANNER_ID), { pagesPerSecond: 200_000, chunkPages: 16 });
  while (!quit()) {
    pages.step(clock());
    Atomics.wait(words, 0, 0, Math.min(1, pages.nextDelayMs(clock())));
  }
}

({ device, hardware, scanner })[role]();
parentPort?.postMessage('done');
