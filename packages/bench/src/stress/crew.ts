import { once } from 'node:events';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import { type HostPool, hostDoorbellBase, openHostPool, workerUrl } from '@faultline/core/actor';
import { GENERATIONS, type Generation } from '@faultline/core/iopf';
import type { Arena } from '@faultline/core/memory';
import { Doorbell } from '@faultline/core/sync';
import type { IommuName } from '../scenario/parameters.ts';
import { CTL_CELL, CTL_HANDLERS, CTL_QUIT } from './control.ts';
import type { DeviceData, DeviceLayout } from './device-worker.ts';
import { portPlaces } from './family/family.ts';
import { LAYOUTS } from './family/layouts.ts';
import type { HandlerData } from './handler.worker.ts';
import type { HostileData } from './hostile.worker.ts';
import {
  deviceWorkerId,
  deviceWorkerIssuer,
  FIRST_PAGE,
  HARDWARE_HOST,
  HOSTS,
  handlerId,
  histogramBase,
  hostileDevice,
  ledgerPlace,
  type Plan,
  resultBase,
  servedDevices,
  stampPlace,
  tracesOf,
  WINDOWS,
  wakeBase,
} from './plan.ts';

/** Heap that a thread of one small loop needs; 512 of them must fit. */
const SMALL_WORKER = {
  resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
  env: SHARE_ENV,
  trackUnmanagedFds: false,
} as const;
/** The built one is a single file (build/bundle-workers.ts). */
function deviceWorkerUrl(iommu: IommuName): URL {
  return import.meta.url.endsWith('.ts')
    ? workerUrl(`device.${iommu}.worker`, import.meta.url)
    : new URL(`./device.${iommu}.worker.cjs`, import.meta.url);
}
/** Workers that start at a time: more only wait for a processor, with their memory already taken. */
const STARTING = 16;
const QUIT_MS = 1000;
/** No cell's number. */
const NO_CELL = -1;

/** A thread of the run died. */
export class ThreadDied extends Error {
  override readonly name = 'ThreadDied';
}

/** All threads of a run, started as cells need them, kept from cell to cell. */
export class Crew {
  readonly #arena: Arena;
  readonly #plan: Plan;
  readonly #devices: Worker[] = [];
  readonly #others: Worker[] = [];
  readonly #served: Set<Generation> = new Set();
  readonly #pools: Map<Generation, HostPool> = new Map();
  #fail: (error: Error) => void = () => {};
  #hostile: Worker | undefined;
  #quitting = false;
  /** Rejects when a thread dies. */
  readonly failure: Promise<never>;

  constructor(arena: Arena, plan: Plan) {
    this.#arena = arena;
    this.#plan = plan;
    this.failure = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failure.catch(() => {}); // whoever races against it hears of it
  }

  /** Device workers that exist. */
  get deviceWorkers(): number {
    return this.#devices.length;
  }

  /** Starts device workers until there are `count`. @param onStarted told how many exist. */
  async growDevices(count: number, onStarted: (count: number) => void, signal: AbortSignal): Promise<void> {
    const { deviceWorker, deviceData } = this.#plan.parts;
    const entry = deviceWorker ?? deviceWorkerUrl(this.#plan.parameters.iommu);
    await this.#startHostile();
    while (this.#devices.length < count && !signal.aborted) {
      const fresh = Math.min(STARTING, count - this.#devices.length);
      const online: Promise<unknown>[] = [];
      for (let i = 0; i < fresh; i++) {
        const worker = this.#devices.length;
        const data: DeviceData = {
          shared: this.#arena.share(),
          worker,
          id: deviceWorkerId(this.#plan.crew, worker),
          issuer: deviceWorkerIssuer(this.#plan.crew, worker),
          after: Atomics.load(this.#arena.words, this.#arena.base('control') + CTL_CELL),
          layout: deviceLayout(this.#arena, this.#plan, worker),
        };
        const started = this.#start(entry, 'device.worker', { ...data, ...deviceData });
        this.#devices.push(started);
        online.push(once(started, 'online'));
      }
      await Promise.race([Promise.all(online), this.failure]);
      onStarted(this.#devices.length);
    }
  }

  /** The device that misbehaves, where there is one. */
  async #startHostile(): Promise<void> {
    const { misbehave, pagesPerJob } = this.#plan.parameters;
    if (misbehave === undefined || this.#hostile !== undefined) return;
    const data: HostileData = {
      shared: this.#arena.share(),
      misbehave,
      device: hostileDevice(this.#plan),
      after: Atomics.load(this.#arena.words, this.#arena.base('control') + CTL_CELL),
      ports: portPlaces(this.#arena, this.#plan.family, true),
      firstPage: FIRST_PAGE,
      pagesPerThread: pagesPerJob * WINDOWS,
      wake: wakeBase(this.#arena, this.#plan.crew.deviceWorkers),
    };
    this.#hostile = this.#other('hostile.worker', data);
    await Promise.race([once(this.#hostile, 'online'), this.failure]);
  }

  /** Starts a generation's handlers and the pool of its hosts. */
  async prepare(generation: Generation): Promise<HostPool> {
    const online: Promise<unknown>[] = [];
    const { handlers, iommu, handler: which } = this.#plan.parameters;
    const hostile = hostileDevice(this.#plan);
    if (!this.#served.has(generation)) {
      this.#served.add(generation);
      for (let handler = 0; handler < handlers; handler++) {
        const data: HandlerData = {
          iommu,
          handler: which,
          shared: this.#arena.share(),
          generation,
          generationNumber: generationNumber(generation),
          id: handlerId(handler),
          issuer: handler + 1,
          handlers,
          hostile,
          stamps: stampPlace(this.#plan),
          traces: tracesOf(this.#arena, this.#plan),
        };
        online.push(once(this.#other('handler.worker', data), 'online'));
      }
    }
    await Promise.race([Promise.all(online), this.failure]);
    let pool = this.#pools.get(generation);
    if (pool === undefined) {
      pool = openHostPool(HOSTS);
      this.#pools.set(generation, pool);
    }
    return pool;
  }

  /** Ends all threads. Those that do not hear it in time are terminated. */
  async quit(): Promise<void> {
    this.#quitting = true;
    const { words } = this.#arena;
    const control = this.#arena.base('control');
    Atomics.store(words, control + CTL_QUIT, 1);
    // Both words change after QUIT does: who slept on one, or was about to, sees QUIT next.
    Atomics.add(words, control + CTL_CELL, 1);
    Atomics.store(words, control + CTL_HANDLERS, NO_CELL);
    Atomics.notify(words, control + CTL_CELL);
    Atomics.notify(words, control + CTL_HANDLERS);
    this.ringDevices(); // those that serve endpoints
    const workers = [...this.#devices, ...this.#others];
    const gone = Promise.all(workers.map(exited));
    const timer = new AbortController();
    const late = new Promise((resolve) => {
      const timeout = setTimeout(resolve, QUIT_MS);
      timer.signal.addEventListener('abort', () => clearTimeout(timeout));
    });
    await Promise.race([gone, late]);
    timer.abort();
    await Promise.all(workers.map((worker) => worker.terminate()));
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }

  /** Wakes device workers that sleep until the hardware has something for them. */
  ringDevices(): void {
    const ring = (worker: number): void => new Doorbell(this.#arena.words, wakeBase(this.#arena, worker)).ring();
    for (let worker = 0; worker < this.#devices.length; worker++) ring(worker);
    if (this.#hostile !== undefined) ring(this.#plan.crew.deviceWorkers);
  }

  #other(name: string, data: unknown): Worker {
    const worker = this.#start(workerUrl(name, import.meta.url), name, data);
    this.#others.push(worker);
    return worker;
  }

  #start(entry: URL, name: string, workerData: unknown): Worker {
    const worker = new Worker(entry, { ...SMALL_WORKER, workerData, name });
    worker.on('error', (cause: unknown) =>
      this.#fail(new ThreadDied(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })),
    );
    worker.on('exit', (code) => {
      if (!this.#quitting) this.#fail(new ThreadDied(`${name}: exited with code ${code}`));
    });
    return worker;
  }
}

/** Unlike `once`, does not mind an error: several threads may die of one cause. */
function exited(worker: Worker): Promise<void> {
  if (worker.threadId === -1) return Promise.resolve();
  return new Promise((resolve) => worker.once('exit', () => resolve()));
}

/** Generations as numbers in shared words, from 1. */
export function generationNumber(generation: Generation): number {
  return GENERATIONS.indexOf(generation) + 1;
}

/** What a device worker needs of the plan. */
function deviceLayout(arena: Arena, plan: Plan, worker: number): DeviceLayout {
  const { iommu, atc, pagesPerJob, groupPages, threadsPerWorker } = plan.parameters;
  return {
    threadsPerWorker,
    pagesPerJob,
    groupPages,
    windows: WINDOWS,
    firstPage: FIRST_PAGE,
    hardwareDoorbell: hostDoorbellBase(arena, HARDWARE_HOST),
    wake: wakeBase(arena, worker),
    ports: portPlaces(arena, plan.family, LAYOUTS[iommu].hasEndpoints),
    admission: arena.base('admission'),
    maxThreads: plan.maxThreads,
    results: resultBase(arena, 0),
    resultWords: resultBase(arena, 1) - resultBase(arena, 0),
    histograms: histogramBase(arena, 0),
    histogramWords: histogramBase(arena, 1) - histogramBase(arena, 0),
    ledger: atc ? ledgerPlace(arena, plan) : undefined,
    cachingDevices: servedDevices(plan),
    traces: tracesOf(arena, plan),
    stamps: stampPlace(plan),
  };
}
