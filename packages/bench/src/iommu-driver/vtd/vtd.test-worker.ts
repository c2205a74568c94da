// Threads of vtd.threads.test.ts: two that change domains, and one that plays the device. Hardware is on the main thread.
import { parentPort, workerData } from 'node:worker_threads';
import { Arena, type SharedArena } from '@faultline/core/memory';
import { Doorbell } from '@faultline/core/sync';
import { Remapper, VtdOps } from '@faultline/hw/vtd';
import { IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE } from '@faultline/iommufd';
import { ENTRIES_REGION } from '../common/index.ts';
import { VTD_UNIT_REGION, VtdIommufdDriver } from './index.ts';

export interface ThreadTask {
  readonly role: 'mapper' | 'device';
  readonly number: number; // of the mapper, from 0
  readonly arena: SharedArena;
  readonly ram: SharedArrayBuffer;
  readonly rounds: number;
}

export interface ThreadReport {
  /** Accesses that reached memory; after a mapper's sync, that reached what it had taken away. */
  readonly reached: number;
  readonly late: number;
}

/** Words of the region that the threads share: each mapper's page under way, accesses so far, stop, whose turn it is to attach. */
export const SHARED = { region: 'shared', words: 128, page: 0, accesses: 32, stop: 64, turn: 96 } as const;
export const DEVICE = 1;
export const RID = 9;
export const DOMAIN = 1;
export const SECOND_DOMAIN = 2;
export const PASID = 7;
const PAGES = 8;
const WORDS = 1024;

/** Mapper's pages of address, 2 MiB apart, so that each has tables of its own to lose; and its frames. */
const pageOf = (mapper: number, round: number): number => 512 * (1 + mapper * 4 + (round % 3));
const frameOf = (mapper: number): number => 1 + mapper * PAGES;

export function openDriver(arena: Arena, thread: number, between?: () => void): VtdIommufdDriver {
  const hardwareDoorbell = new Doorbell(arena.words, arena.base('hardware'));
  const self = { id: thread + 1, spins: 100 };
  const ops = new VtdOps(arena.words, arena.base(VTD_UNIT_REGION), thread, { self, hardwareDoorbell });
  return new VtdIommufdDriver(arena, { self, ops, hardwareDoorbell, ...(between === undefined ? {} : { between }) });
}

function changeDomains({ number, rounds, ram }: ThreadTask, arena: Arena): ThreadReport {
  const driver = openDriver(arena, 1 + number);
  const { words } = arena;
  const shared = arena.base(SHARED.region);
  const memory = new Int32Array(ram);
  const untilAccesses = (more: number): void => {
    const from = Atomics.load(words, shared + SHARED.accesses);
    for (let look = 0; look < 8; look++) {
      if (((Atomics.load(words, shared + SHARED.accesses) - from) | 0) >= more) return;
      Atomics.wait(words, shared + SHARED.turn + 1, 0, 1); // let others run
    }
  };
  const sum = (): number => {
    let total = 0;
    for (let page = 0; page < PAGES; page++) total += Atomics.load(memory, (frameOf(number) + page) * WORDS);
    return total;
  };
  let reached = 0;
  let late = 0;
  for (let round = 0; round < rounds; round++) {
    const page = pageOf(number, round);
    const iova = BigInt(page) * 4096n;
    driver.map(DOMAIN, iova, frameOf(number) * 4096, PAGES * 4096, IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE);
    Atomics.store(words, shared + SHARED.page + number, page);
    untilAccesses(4);
    driver.unmap(DOMAIN, iova, BigInt(PAGES * 4096));
    driver.syncUnmaps(DOMAIN);
    const before = sum();
    reached += before;
    untilAccesses(4);
    late += sum() - before;
    for (let each = 0; each < PAGES; each++) Atomics.store(memory, (frameOf(number) + each) * WORDS, 0);
    // What one thread attaches the other takes away.
    if (Atomics.load(words, shared + SHARED.turn) === number) {
      if (number === 0) driver.attach(DEVICE, PASID, SECOND_DOMAIN, 0);
      else driver.detach(DEVICE, PASID, SECOND_DOMAIN);
      Atomics.store(words, shared + SHARED.turn, 1 - number);
    }
  }
  driver.domains.settle();
  return { reached, late };
}

function playDevice({ ram }: ThreadTask, arena: Arena): ThreadReport {
  const { words } = arena;
  const shared = arena.base(SHARED.region);
  const memory = new Int32Array(ram);
  const entriesAt = words.byteOffset + arena.base(ENTRIES_REGION) * 4;
  const remapper = new Remapper(words, arena.base(VTD_UNIT_REGION), {
    walker: 0,
    tables: new BigInt64Array(words.buffer, entriesAt, arena.sizeWords(ENTRIES_REGION) / 2),
    memory: new BigInt64Array(ram),
  });
  let reached = 0;
  for (let i = 0; Atomics.load(words, shared + SHARED.stop) === 0; i++) {
    const page = Atomics.load(words, shared + SHARED.page + (i & 1)) + ((i >>> 1) % PAGES);
    const output = remapper.access(RID, -1, page, true, (frame) => {
      if (i % 32 === 0) Atomics.wait(words, shared + SHARED.turn + 1, 0, 0.3); // an access that takes its time
      Atomics.add(memory, frame * WORDS, 1);
    });
    if (output >= 0) reached++;
    Atomics.add(words, shared + SHARED.accesses, 1);
  }
  return { reached, late: 0 };
}

if (parentPort !== null) {
  const task = workerData as ThreadTask;
  const arena = Arena.open(task.arena);
  parentPort.postMessage(task.role === 'mapper' ? changeDomains(task, arena) : playDevice(task, arena));
}
