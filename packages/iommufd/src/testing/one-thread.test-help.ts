import {
  allocDomain,
  attachDomain,
  detachDomain,
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PAGE_HI,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_PERM_READ,
  FAULT_TOKEN,
  type FaultPath,
  freeDomain,
  GENERATIONS,
  type Generation,
  type GroupSink,
  HANDLER_CONSUMER,
  type IommuOps,
  type IopfConfig,
  IopfSystem,
  initIopf,
  iopfRegions,
  openFaultPath,
  type ResponseCode,
} from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import type { CounterMode } from '@faultline/core/sync';
import { expect } from 'vitest';
import {
  FaultQueue,
  type FaultQueueConfig,
  FaultSink,
  faultQueueWords,
  faultRoutesWords,
  initFaultQueue,
  reportsNothing,
  routeDomain,
} from '../index.ts';

/** Each fault path in each of its forms. */
export const VARIANTS: readonly (readonly [Generation, CounterMode])[] = [
  ...GENERATIONS.map((generation) => [generation, 'split'] as const),
  ['lockless', 'shared'],
];

export const CONFIG: IopfConfig = {
  devices: 2,
  domains: 4,
  threads: 4,
  requests: 256,
  workEntries: 64,
  sharing: 'split',
  checked: true,
};
export const ENTRIES = 16;

export interface Answer {
  readonly device: number;
  readonly grpid: number;
  readonly code: ResponseCode;
}

/** A driver that remembers what it was told to answer. */
class RecordingOps implements IommuOps {
  readonly answers: Answer[] = [];
  readonly #words: Int32Array;
  constructor(words: Int32Array) {
    this.#words = words;
  }
  pageResponse(recordAt: number, code: ResponseCode): void {
    this.answers.push({
      device: this.#words[recordAt + FAULT_DEVICE],
      grpid: this.#words[recordAt + FAULT_GRPID],
      code,
    });
  }
  flushResponses(): void {}
}

export interface PageRequest {
  readonly device?: number;
  readonly pasid?: number;
  readonly grpid?: number;
  readonly last?: boolean;
  readonly page?: number;
  readonly perm?: number;
}

/** One thread that is driver, reporter and the two fault queues' user: device 1 and 2 bound, one consumer's domain attached to both. */
export class OneThread {
  readonly arena: Arena;
  readonly system: IopfSystem;
  readonly ops: RecordingOps;
  readonly path: FaultPath;
  readonly queue: FaultQueue;
  /** Word offsets of the two queues, and of the domains' routes. */
  readonly bases: readonly number[];
  readonly routes: number;
  readonly otherQueue: FaultQueue;
  readonly domain: number;

  constructor([generation, sharing]: readonly [Generation, CounterMode], work?: (one: OneThread) => GroupSink) {
    const config = { ...CONFIG, sharing };
    const queues: FaultQueueConfig[] = [0, 1].map((number) => ({ number, entries: ENTRIES, groups: config.requests }));
    this.arena = Arena.create(
      planArena([
        ...iopfRegions(config),
        ...queues.map((queue, i) => ({ name: `queue${i}`, words: faultQueueWords(queue) })),
        { name: 'routes', words: faultRoutesWords(config.domains) },
      ]),
    );
    const { words } = this.arena;
    initIopf(this.arena, config);
    const bases = queues.map((queue, i) => {
      initFaultQueue(words, this.arena.base(`queue${i}`), queue);
      return this.arena.base(`queue${i}`);
    });
    const system = new IopfSystem(this.arena, { id: 1, spins: 0 });
    system.reader.online();
    const ops = new RecordingOps(words);
    this.system = system;
    this.ops = ops;
    this.bases = bases;
    this.routes = this.arena.base('routes');
    this.domain = allocDomain(system, { handler: HANDLER_CONSUMER });
    routeDomain(system, this.routes, this.domain, 0);
    const sink = new FaultSink({ system, routes: this.routes, queues: bases, work: work?.(this) ?? reportsNothing });
    const path = openFaultPath(generation, system, ops, sink);
    this.path = path;
    this.queue = new FaultQueue({ system, path, ops, base: bases[0] });
    this.otherQueue = new FaultQueue({ system, path, ops, base: bases[1] });
    for (const device of [1, 2]) {
      path.addDevice(device);
      attachDomain(system, device, 0, this.domain);
    }
  }

  report(request: PageRequest): number {
    const { words } = this.system;
    const at = this.path.prepareFault();
    const page = request.page ?? 0;
    words[at + FAULT_DEVICE] = request.device ?? 1;
    words[at + FAULT_FLAGS] =
      (request.pasid === undefined ? 0 : FAULT_FLAG_PASID_VALID) | (request.last === false ? 0 : FAULT_FLAG_LAST_PAGE);
    words[at + FAULT_PASID] = request.pasid ?? 0;
    words[at + FAULT_GRPID] = request.grpid ?? 0;
    words[at + FAULT_PERM] = request.perm ?? FAULT_PERM_READ;
    words[at + FAULT_PAGE_LO] = page | 0;
    words[at + FAULT_PAGE_HI] = Math.floor(page / 2 ** 32);
    words[at + FAULT_TOKEN] = 0;
    const result = this.path.reportDeviceFault(at);
    this.path.endBatch();
    return result;
  }

  /** Reads everything that waits. */
  read(queue: FaultQueue = this.queue): number[] {
    const cookies: number[] = [];
    for (let cookie = queue.next(); cookie !== 0; cookie = queue.next()) cookies.push(cookie);
    return cookies;
  }

  /** Asked at the end of a test: every object is back, every counter at zero. */
  expectNothingLeft(extra: readonly number[] = []): void {
    const { system, path } = this;
    for (const device of [1, 2]) {
      if (system.attachArray(device).load(0) !== 0) detachDomain(system, device, 0);
      expect(path.removeDevice(device)).not.toBe('busy');
    }
    for (let i = 0; i < 4; i++) {
      system.reader.quiescent();
      path.isReleased();
      system.deferredHandles.poll();
    }
    expect(path.isReleased()).toBe(true);
    for (const domain of [this.domain, ...extra]) freeDomain(system, domain);
    path.close();
    for (const slab of [system.requests, system.params, system.handles]) expect(slab.live()).toBe(0);
    for (let domain = 0; domain <= CONFIG.domains; domain++) expect(system.pending.read(domain)).toBe(0);
  }
}
