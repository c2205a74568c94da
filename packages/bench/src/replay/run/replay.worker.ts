// A worker of traced devices. It stands where a device worker stands in a stress run: it sees ports and an address space, never the fault
// path. Each of its places is a device, with a ring of records that it sends when they are due.
import { workerData } from 'node:worker_threads';
import { Arena } from '@faultline/core/memory';
import { SpscConsumer } from '@faultline/core/ring';
import { Doorbell, type ThreadSelf } from '@faultline/core/sync';
import { Mm } from '@faultline/hw/mm';
import { TracedEndpoint } from '../../perfetto/record/traced-endpoint.ts';
import { clockOf } from '../../stress/clock.ts';
import { CELL_EPOCH, CELL_SPINS, CTL_PARAMS, cellThreads } from '../../stress/control.ts';
import { DeviceCells } from '../../stress/device-cells.ts';
import type { DeviceData } from '../../stress/device-worker.ts';
import { epochOf } from '../../stress/epoch.ts';
import { openAmdIssuer } from '../../stress/family/amd.ts';
import { portBaseOf } from '../../stress/family/family.ts';
import { openVtdIssuer } from '../../stress/family/vtd.ts';
import { FoldedPages } from './folded-pages.ts';
import { FEED_ENDED, feedBase, ordersBase, placeBase } from './layout.ts';
import { PLACE_WORDS, Place } from './place.ts';
import { ReplayEndpoint } from './replay-endpoint.ts';

/** What a replay's worker is told besides. */
export interface ReplayData extends DeviceData {
  readonly iommu: 'vtd' | 'amd';
  /** Pages of the address space that handlers populate; 0: they populate nothing, and pages travel as the trace has them. */
  readonly foldPages: number;
}

const data = workerData as ReplayData;
const { layout } = data;
const arena = Arena.open(data.shared);
const { words } = arena;
const params = arena.base('control') + CTL_PARAMS;
const first = data.worker * layout.threadsPerWorker;
const cells = new DeviceCells(arena);
/** How often a worker with nothing to do looks whether it is to stop. */
const LOOK_MS = 100;
const openIssuer = data.iommu === 'vtd' ? openVtdIssuer : openAmdIssuer;

cells.run(data.after, (cell) => {
  const count = Math.min(layout.threadsPerWorker, cellThreads(cell) - first);
  if (count <= 0) return;
  const wake = new Doorbell(words, layout.wake);
  const self: ThreadSelf = { id: data.id, spins: words[params + CELL_SPINS] };
  const clock = clockOf(epochOf(words, params + CELL_EPOCH));
  const { notifier } = openIssuer(arena, {
    issuer: data.issuer,
    self,
    hardwareDoorbell: new Doorbell(words, layout.hardwareDoorbell),
  });
  const mm = new Mm(words, arena.base('mm'), self, notifier);
  const pages = data.foldPages === 0 ? undefined : new FoldedPages(words, mm, layout.firstPage, data.foldPages);
  const places = Array.from({ length: count }, (_, i) => openPlace(first + i, clock, pages));
  cells.enter(cell);
  replay(places, wake);
  cells.leave();
  cells.serve(cell, together(places), wake);
  cells.leave();
});

function openPlace(thread: number, clock: () => number, pages: FoldedPages | undefined): Place {
  const { ports } = layout;
  const config = {
    portAt: portBaseOf(ports, thread),
    functionAt: ports.functions + thread * ports.functionWords,
    statsAt: ports.endpoints + thread * ports.endpointWords,
    histogramAt: layout.histograms + thread * layout.histogramWords,
    clock,
  };
  const endpoint =
    layout.traces === undefined
      ? new ReplayEndpoint(words, config)
      : new TracedEndpoint(words, config, layout.traces, thread);
  const feed = new SpscConsumer(words, feedBase(arena, thread));
  return new Place(words, placeBase(arena, thread, PLACE_WORDS), feed, endpoint, pages);
}

/** Until the trace has ended, all of it is sent, and every group has its answer. */
function replay(places: readonly Place[], wake: Doorbell): void {
  const startMs = performance.now();
  const isOver = (): boolean => Atomics.load(words, ordersBase(arena) + FEED_ENDED) === 1 || cells.isStopped();
  for (;;) {
    const hasEnded = isOver(); // looked at before the rings: what was put there before it is seen
    let done = 0;
    let waitMs = Number.POSITIVE_INFINITY;
    const elapsedMs = performance.now() - startMs;
    const isStopped = cells.isStopped();
    for (const place of places) {
      done += isStopped ? place.pump() : place.step(elapsedMs);
      waitMs = Math.min(waitMs, place.waitMs);
    }
    if (done > 0) continue;
    if (hasEnded && places.every((place) => (isStopped ? place.isAnswered() : place.isDone()))) break;
    const hasWork = (): boolean => (!hasEnded && isOver()) || places.some((place) => place.hasWork());
    wake.sleep(hasWork, Math.min(waitMs, LOOK_MS));
  }
  for (const place of places) place.end();
}

function together(places: readonly Place[]): { pump(): number; hasWork(): boolean } {
  return {
    pump: () => places.reduce((done, place) => done + place.pump(), 0),
    hasWork: () => places.some((place) => place.hasAnswers()),
  };
}
