// The page scanner's thread: takes pages away from running jobs, as automatic NUMA balancing does.
import { workerData } from 'node:worker_threads';
import { hostDoorbellBase } from '@faultline/core/actor';
import { Arena, type SharedArena } from '@faultline/core/memory';
import { Doorbell, type ThreadSelf } from '@faultline/core/sync';
import { Mm, PageScanner } from '@faultline/hw/mm';
import { SmmuOps } from '@faultline/hw/smmu-v3';
import { clockOf } from './clock.ts';
import { CELL_EPOCH, CELL_SCAN_PAGES_PER_SECOND, CELL_SPINS, CTL_HANDLERS, CTL_PARAMS } from './control.ts';
import { HARDWARE_HOST } from './plan.ts';
import { serveCells } from './serve-cells.ts';
import { epochOf, unmapNotifier } from './unmap-notifier.ts';

export interface ScannerData {
  readonly shared: SharedArena;
  readonly id: number;
  readonly queue: number;
}

/** PTEs taken under one hold of the mmap lock, and one invalidation. */
const CHUNK_PAGES = 64;
const LONGEST_SLEEP_MS = 20;

const data = workerData as ScannerData;
const arena = Arena.open(data.shared);
const { words } = arena;
const params = arena.base('control') + CTL_PARAMS;

serveCells(arena, 0, (isOver) => {
  const pagesPerSecond = words[params + CELL_SCAN_PAGES_PER_SECOND];
  if (pagesPerSecond === 0) return;
  const self: ThreadSelf = { id: data.id, spins: words[params + CELL_SPINS] };
  const hardwareDoorbell = new Doorbell(words, hostDoorbellBase(arena, HARDWARE_HOST));
  const ops = new SmmuOps(words, arena.base('smmu'), data.queue, { hardwareDoorbell });
  const mm = new Mm(words, arena.base('mm'), self, unmapNotifier(ops, self));
  const clock = clockOf(epochOf(words, params + CELL_EPOCH));
  const scanner = new PageScanner(mm, { pagesPerSecond, chunkPages: CHUNK_PAGES });
  const control = arena.base('control');
  while (!isOver()) {
    scanner.step(clock());
    const delay = Math.min(scanner.nextDelayMs(clock()), LONGEST_SLEEP_MS);
    if (delay > 0) Atomics.wait(words, control + CTL_HANDLERS, Atomics.load(words, control + CTL_HANDLERS), delay);
  }
});
