// A device worker: one device thread, or several packed together. It lives for the whole run and serves every generation: it
// sees a fault port and an address space, never the fault path. 512 of these start, so it imports as little as it can, and
// each family has an entry of its own.
import { workerData } from 'node:worker_threads';
import { FAULT_PERM_READ, FAULT_PERM_WRITE } from '@faultline/core/fault-record';
import { Arena, type SharedArena } from '@faultline/core/memory';
import { Doorbell, type ThreadSelf } from '@faultline/core/sync';
import { type DevicePort, DeviceThread, runDeviceThreads } from '@faultline/hw/accelerator';
import { Mm, PageScanner } from '@faultline/hw/mm';
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
  CTL_CELL,
  CTL_DONE,
  CTL_GO,
  CTL_OVER,
  CTL_PARAMS,
  CTL_QUIT,
  CTL_READY,
  CTL_STOP,
  cellNumber,
  cellThreads,
} from './control.ts';
import { epochOf } from './epoch.ts';
import type { OpenFaultPort, OpenIssuer, PortPlaces, Served } from './family/family.ts';

/** Where a device worker finds its share of the arena: word offsets, worked out once by the main thread. */
export interface DeviceLayout {
  readonly threadsPerWorker: number;
  readonly pagesPerJob: number;
  readonly windows: number;
  readonly firstPage: number;
  readonly hardwareDoorbell: number;
  readonly wake: number;
  readonly ports: PortPlaces;
  readonly results: number;
  readonly resultWords: number;
  readonly histograms: number;
  readonly histogramWords: number;
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

function makeThread(thread: number, mm: Mm, port: DevicePort, clock: () => number): DeviceThread {
  return new DeviceThread(words, mm, port, {
    basePage: layout.firstPage + thread * layout.pagesPerJob * layout.windows,
    pagesPerJob: layout.pagesPerJob,
    windows: layout.windows,
    passes: words[params + CELL_PASSES],
    retries: words[params + CELL_RETRIES] === 1,
    perm: FAULT_PERM_READ | FAULT_PERM_WRITE,
    timeoutTicks: words[params + CELL_TIMEOUT_TICKS],
    clock,
    stopAt: control + CTL_STOP,
    budgetAt: words[params + CELL_BUDGETED] === 1 ? control + CTL_BUDGET : 0,
    resultsAt: layout.results + thread * layout.resultWords,
    histogramAt: layout.histograms + thread * layout.histogramWords,
  });
}

/** Automatic NUMA balancing: a process's own threads take its pages away as they pass, each its share of the pace.
 * @see Linux task_numa_work() */
function scanning(mm: Mm, clock: () => number, own: number, all: number): (() => void) | undefined {
  const pace = words[params + CELL_SCAN_PAGES_PER_SECOND];
  if (pace === 0) return undefined;
  const scanner = new PageScanner(mm, {
    pagesPerSecond: (pace * own) / all,
    chunkPages: SCAN_CHUNK_PAGES,
    startPage: layout.firstPage + firstThread * layout.pagesPerJob * layout.windows,
  });
  return () => void scanner.step(clock());
}

function runCell(cell: number, { openIssuer, openPort }: DeviceParts): void {
  const number = cellNumber(cell);
  const count = Math.min(layout.threadsPerWorker, cellThreads(cell) - firstThread);
  const self: ThreadSelf = { id: data.id, spins: words[params + CELL_SPINS] };
  const hardwareDoorbell = new Doorbell(words, layout.hardwareDoorbell);
  const { notifier } = openIssuer(arena, { issuer: data.issuer, self, hardwareDoorbell });
  const mm = new Mm(words, arena.base('mm'), self, notifier);
  const clock = clockOf(epochOf(words, params + CELL_EPOCH));
  const { pagesPerJob } = layout;
  const ports = Array.from({ length: count }, (_, i) =>
    openPort(words, layout.ports, { thread: firstThread + i, pagesPerJob, clock }),
  );
  const threads = ports.map(({ port }, i) => makeThread(firstThread + i, mm, port, clock));
  const wake = new Doorbell(words, layout.wake);
  Atomics.add(words, control + CTL_READY, 1);
  Atomics.notify(words, control + CTL_READY);
  while (Atomics.load(words, control + CTL_GO) !== number) Atomics.wait(words, control + CTL_GO, number - 1);
  runDeviceThreads(threads, wake, scanning(mm, clock, count, cellThreads(cell)));
  leave();
  const endpoints = ports.flatMap(({ endpoint }) => endpoint ?? []);
  if (endpoints.length === 0) return;
  serve(endpoints, wake, number);
  leave();
}

function leave(): void {
  Atomics.add(words, control + CTL_DONE, 1);
  Atomics.notify(words, control + CTL_DONE);
}

/** A device is there after its last fault, too: turning it off waits for what it completes. */
function serve(endpoints: readonly Served[], wake: Doorbell, number: number): void {
  const isOver = (): boolean =>
    Atomics.load(words, control + CTL_OVER) === number || Atomics.load(words, control + CTL_QUIT) !== 0;
  const hasWork = (): boolean => isOver() || endpoints.some((endpoint) => endpoint.hasWork());
  while (!isOver()) {
    let done = 0;
    for (const endpoint of endpoints) done += endpoint.pump();
    if (done === 0) wake.sleep(hasWork, Infinity);
  }
}

/** The worker's life. Blocks. */
export function runDeviceWorker(parts: DeviceParts): void {
  for (let served = data.after; ; ) {
    const cell = Atomics.load(words, control + CTL_CELL);
    if (Atomics.load(words, control + CTL_QUIT) !== 0) break; // after CELL: quitting changes that too
    if (cell === served) {
      Atomics.wait(words, control + CTL_CELL, cell);
      continue;
    }
    served = cell;
    if (firstThread >= cellThreads(cell)) continue;
    runCell(cell, parts);
  }
}
