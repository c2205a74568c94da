// The device that misbehaves: one thread of its own, which asks for pages round after round, and does one thing wrong.
import { workerData } from 'node:worker_threads';
import { IommuError } from '@faultline/core/errors';
import { FAULT_PERM_READ } from '@faultline/core/fault-record';
import { Arena, type SharedArena } from '@faultline/core/memory';
import { Doorbell, TICKS_PER_MS } from '@faultline/core/sync';
import type { Endpoint, Misbehaviour } from '@faultline/hw/pcie';
import { clockOf } from './clock.ts';
import { CELL_EPOCH, CTL_PARAMS, cellThreads } from './control.ts';
import { DeviceCells } from './device-cells.ts';
import { epochOf } from './epoch.ts';
import type { PortPlaces } from './family/family.ts';
import { HOSTILE_PAGES, type Hostile, openHostile } from './family/hostile.ts';

export interface HostileData {
  readonly shared: SharedArena;
  readonly misbehave: Misbehaviour;
  readonly device: number;
  /** The CELL word when the worker was made. */
  readonly after: number;
  readonly ports: PortPlaces;
  readonly firstPage: number;
  /** Pages of the areas before its own: so many for each good thread. */
  readonly pagesPerThread: number;
  readonly wake: number;
}

/** How long it waits for the answers of a round before it gives the accesses up: some never come. */
const PATIENCE_TICKS: number = 20 * TICKS_PER_MS;
/** How often it looks at the clock while it waits. */
const LOOK_MS = 1;

const data = workerData as HostileData;
const arena = Arena.open(data.shared);
const { words } = arena;
const cells = new DeviceCells(arena);
const wake = new Doorbell(words, data.wake);

cells.run(data.after, (cell) => {
  const threads = cellThreads(cell);
  const clock = clockOf(epochOf(words, arena.base('control') + CTL_PARAMS + CELL_EPOCH));
  const hostile = openHostile(words, data.ports, threads, data.device, data.misbehave, clock);
  cells.enterServing(cell, hostile.endpoint, wake);
  annoy(hostile, data.firstPage + threads * data.pagesPerThread, clock);
  cells.leave();
  cells.serve(cell, hostile.endpoint, wake);
  cells.leave();
});

function annoy({ endpoint, queue }: Hostile, firstPage: number, clock: () => number): void {
  const hasWork = (): boolean => cells.isStopped() || endpoint.hasWork();
  let since = clock();
  while (!cells.isStopped()) {
    if (queue.isDone()) {
      queue.reset();
      for (let page = firstPage; page < firstPage + HOSTILE_PAGES; page++)
        queue.post(page | 0, Math.floor(page / 2 ** 32), FAULT_PERM_READ, clock());
      queue.publish();
      since = clock();
    } else if (((clock() - since) | 0) > PATIENCE_TICKS) giveUp(endpoint);
    if (endpoint.pump() === 0) wake.sleep(hasWork, LOOK_MS);
  }
}

function giveUp(endpoint: Endpoint): void {
  try {
    endpoint.abandon();
  } catch (error) {
    if (!(error instanceof IommuError) || error.code !== 'EBUSY') throw error; // else a group is half sent: another time
  }
}
