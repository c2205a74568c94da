// A device worker: one device thread, or several packed together. It lives for the whole run and serves every generation: it
// sees a fault port and an address space, never the fault path. 512 of these start, so it imports as little as it can, and
// each family has an entry of its own.
import { workerData } from 'node:worker_threads';
import { FAULT_PERM_READ, FAULT_PERM_WRITE } from '@faultline/core/fault-record';
import { Arena, type SharedArena } from '@faultline/core/memory';
import { Doorbell, type ThreadSelf } from '@faultline/core/sync';
import {
  Admission,
  type DeviceMemory,
  type DevicePort,
  DeviceThread,
  grantedPlaces,
  runDeviceThreads,
} from '@faultline/hw/accelerator';
import { Mm, PageScanner } from '@faultline/hw/mm';
import type { TracePlace } from '../perfetto/place.ts';
import { TracedPort } from '../perfetto/record/traced-port.ts';
import { clockOf } from './clock.ts';
import {
  CELL_BUDGETED,
  CELL_EPOCH,
  CELL_PASSES,
  CELL_RETRIES,
  CELL_SCAN_PAGES_PER_SECOND,
  CELL_SPINS,
  CELL_TIMEOUT_TICKS,
  CTL_BUDGET,
  CTL_PARAMS,
  CTL_STOP,
  cellThreads,
} from './control.ts';
import { DeviceCells } from './device-cells.ts';
import { epochOf } from './epoch.ts';
import type { FaultPort, OpenFaultPort, OpenIssuer, PortPlaces, Served } from './family/family.ts';
import { StampedPort } from './stages/stamped-port.ts';
import { type StampPlace, Stamps } from './stages/stamps.ts';
import { sumsBase } from './stages/sums.ts';
import { LedgerMemory, LedgerNotifier, type LedgerPlace } from './translation-ledger.ts';

/** Where a device worker finds its share of the arena: word offsets, worked out once by the main thread. */
export interface DeviceLayout {
  readonly threadsPerWorker: number;
  readonly pagesPerJob: number;
  readonly groupPages: number;
  readonly windows: number;
  readonly firstPage: number;
  readonly hardwareDoorbell: number;
  readonly wake: number;
  readonly ports: PortPlaces;
  /** Where places for jobs are granted. */
  readonly admission: number;
  /** Device threads of the largest cell. */
  readonly maxThreads: number;
  readonly results: number;
  readonly resultWords: number;
  readonly histograms: number;
  readonly histogramWords: number;
  /** Set where endpoints keep translations: where uses of these are checked. */
  readonly ledger: LedgerPlace | undefined;
  /** Set where the stages of faults are measured. */
  readonly stamps: StampPlace | undefined;
  /** Devices that keep translations, from 1 to this. */
  readonly cachingDevices: number;
  /** Where device threads record what they do, undefined: they do not. */
  readonly traces: TracePlace | undefined;
}

export interface DeviceData {
  readonly shared: SharedArena;
  readonly worker: number;
  readonly id: number;
  readonly issuer: number;
  /** The CELL word when the worker was made: it takes part in later ones. */
  readonly after: number;
  readonly layout: DeviceLayout;
}

/** A family's parts in a device worker. */
export interface DeviceParts {
  readonly openIssuer: OpenIssuer;
  readonly openPort: OpenFaultPort;
}

/** PTEs taken under one hold of the mmap lock, and one invalidation an area. */
const SCAN_CHUNK_PAGES = 64;

const data = workerData as DeviceData;
const { layout } = data;
const arena = Arena.open(data.shared);
const { words } = arena;
const control = arena.base('control');
const params = control + CTL_PARAMS;
const firstThread = data.worker * layout.threadsPerWorker;
/** Pages that a device thread uses. */
const areaPages = layout.pagesPerJob * layout.windows;
const cells = new DeviceCells(arena);

function makeThread(thread: number, memory: DeviceMemory, port: DevicePort, clock: () => number): DeviceThread {
  return new DeviceThread(words, memory, port, {
    basePage: layout.firstPage + thread * areaPages,
    pagesPerJob: layout.pagesPerJob,
    windows: layout.windows,
    passes: words[params + CELL_PASSES],
    retries: words[params + CELL_RETRIES] === 1,
    perm: FAULT_PERM_READ | FAULT_PERM_WRITE,
    timeoutTicks: words[params + CELL_TIMEOUT_TICKS],
    clock,
    stopAt: control + CTL_STOP,
    budgetAt: words[params + CELL_BUDGETED] === 1 ? control + CTL_BUDGET : 0,
    admission: admissionOf(),
    resultsAt: layout.results + thread * layout.resultWords,
    histogramAt: layout.histograms + thread * layout.histogramWords,
  });
}

/** A thread's way into line, where the cell's fault path admits jobs. */
function admissionOf(): Admission | undefined {
  const { admission, maxThreads, wake } = layout;
  return grantedPlaces(words, admission) === 0 ? undefined : new Admission(words, admission, maxThreads, wake);
}

/** Automatic NUMA balancing: a process's own threads take its pages away as they pass, each its share of the pace.
 * @see Linux task_numa_work() */
function scanning(mm: Mm, clock: () => number, own: number, all: number): (() => void) | undefined {
  const pace = words[params + CELL_SCAN_PAGES_PER_SECOND];
  if (pace === 0) return undefined;
  const scanner = new PageScanner(mm, {
    pagesPerSecond: (pace * own) / all,
    chunkPages: SCAN_CHUNK_PAGES,
    startPage: layout.firstPage + firstThread * areaPages,
  });
  return () => void scanner.step(clock());
}

function runCell(cell: number, { openIssuer, openPort }: DeviceParts): void {
  const count = Math.min(layout.threadsPerWorker, cellThreads(cell) - firstThread);
  const self: ThreadSelf = { id: data.id, spins: words[params + CELL_SPINS] };
  const hardwareDoorbell = new Doorbell(words, layout.hardwareDoorbell);
  const clock = clockOf(epochOf(words, params + CELL_EPOCH));
  const { pagesPerJob, groupPages, ledger } = layout;
  const ports = Array.from({ length: count }, (_, i) =>
    openPort(words, layout.ports, { thread: firstThread + i, pagesPerJob, groupPages, clock }),
  );
  const wake = new Doorbell(words, layout.wake);
  const endpoints = together(ports.flatMap(({ endpoint }) => endpoint ?? []));
  const caches = ledger === undefined ? undefined : { devices: layout.cachingDevices, own: endpoints, wake };
  const { notifier } = openIssuer(arena, { issuer: data.issuer, self, hardwareDoorbell, caches });
  const noted = ledger === undefined ? notifier : new LedgerNotifier(words, ledger, notifier, areaPages);
  const mm = new Mm(words, arena.base('mm'), self, noted);
  const threads = ports.map((port, i) =>
    makeThread(firstThread + i, seenBy(firstThread + i, port, mm), portOf(firstThread + i, port, clock), clock),
  );
  cells.enter(cell);
  runDeviceThreads(threads, wake, scanning(mm, clock, count, cellThreads(cell)), endpoints);
  cells.leave();
  if (!ports.some(({ endpoint }) => endpoint !== undefined)) return;
  cells.serve(cell, endpoints, wake);
  cells.leave();
}

/** A thread's port, with what is to watch it. */
function portOf(thread: number, { port }: FaultPort, clock: () => number): DevicePort {
  const { traces } = layout;
  const traced = traces === undefined ? port : new TracedPort(port, words, traces, thread, clock);
  return stampedBy(thread, traced, clock);
}

/** The process's memory as a device thread sees it: through what its endpoint keeps, where that is asked for. */
function seenBy(thread: number, { cached }: FaultPort, mm: Mm): DeviceMemory {
  if (layout.ledger === undefined || cached === undefined) return mm;
  const area = { firstPage: layout.firstPage + thread * areaPages, pages: areaPages };
  return new LedgerMemory(words, layout.ledger, thread, area, mm, (agent) => cached(mm, agent));
}

/** A port that counts where the time of its faults goes, where that is asked for. */
function stampedBy(thread: number, port: DevicePort, clock: () => number): DevicePort {
  if (layout.stamps === undefined) return port;
  return new StampedPort(port, words, new Stamps(arena, layout.stamps, clock), sumsBase(arena, thread));
}

function together(endpoints: readonly Served[]): Served {
  return {
    pump() {
      let done = 0;
      for (const endpoint of endpoints) done += endpoint.pump();
      return done;
    },
    hasWork: () => endpoints.some((endpoint) => endpoint.hasWork()),
  };
}

/** The worker's life. Blocks. */
export function runDeviceWorker(parts: DeviceParts): void {
  cells.run(data.after, (cell) => {
    if (firstThread < cellThreads(cell)) runCell(cell, parts);
  });
}
