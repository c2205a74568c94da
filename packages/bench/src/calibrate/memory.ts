// Times of what handlers, device threads and the page scanner do to an address space, on one thread.
import { FAULT_PERM_READ, FAULT_PERM_WRITE } from '@faultline/core/iopf';
import { LINE, type ThreadSelf, TICKS_PER_MS, type Words } from '@faultline/core/sync';
import { initMm, Mm, mmWords, noNotifier, PageScanner } from '@faultline/hw/mm';
import { type Timing, timing } from './stages.ts';

const SELF: ThreadSelf = { id: 1, spins: 0 };
const FIRST_PAGE: number = 0x7f000000000 / 4096;
const PERM: number = FAULT_PERM_READ | FAULT_PERM_WRITE;
/** As each device thread of a stress run has them. */
const CHUNK_PAGES = 64;
/** Far more pages a second than there is time for: each step has a chunk due. */
const PACE = 1e9;

export interface MemoryTimes {
  /** A user reference, the area, its permission. */
  readonly lookUp: Timing;
  readonly lock: Timing;
  readonly populate: Timing;
  readonly restore: Timing;
  /** A page that is there looked at and taken. */
  readonly take: Timing;
  /** A page that is not to be taken, looked at. */
  readonly visit: Timing;
  readonly discard: Timing;
}

export interface MemoryOrder {
  /** Areas, one a device thread: what is worked on grows with them, and leaves the caches. */
  readonly areas: number;
  readonly areaPages: number;
  readonly warmupMs: number;
  readonly timeMs: number;
}

/** Times each step over all pages, area after area. Nothing waits for an invalidation. */
export function timeMemory({ areas, areaPages, warmupMs, timeMs }: MemoryOrder): MemoryTimes {
  const pages = areas * areaPages;
  const config = { frames: pages, areas, threads: 2 };
  const words: Words = new Int32Array(new SharedArrayBuffer((LINE + mmWords(config)) * 4));
  initMm(words, LINE, config);
  const mm = new Mm(words, LINE, SELF, noNotifier);
  for (let area = 0; area < areas; area++) mm.addArea(FIRST_PAGE + area * areaPages, areaPages, PERM);
  const scanner = new PageScanner(mm, { pagesPerSecond: PACE, chunkPages: CHUNK_PAGES });
  let tick = 0;
  scanner.step(tick);
  const chunks = (count: number): void => {
    for (let i = 0; i < count; i++) {
      tick = (tick + TICKS_PER_MS) | 0;
      scanner.step(tick);
    }
  };
  const stages: Record<keyof MemoryTimes, () => void> = {
    populate: () => faults(mm, pages, areaPages),
    lookUp: () => lookUps(mm, pages),
    lock: () => locks(mm, pages),
    take: () => chunks(pages / CHUNK_PAGES),
    // Nothing is left to take: a chunk looks at eight times as many pages before it gives up.
    visit: () => chunks(Math.ceil(pages / CHUNK_PAGES / 8)),
    restore: () => faults(mm, pages, areaPages),
    discard: () => {
      for (let area = 0; area < areas; area++) mm.discard(FIRST_PAGE + area * areaPages, areaPages);
    },
  };
  const names = Object.keys(stages) as (keyof MemoryTimes)[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]]));
  const began = performance.now();
  for (let cycles = 0; cycles < LEAST_CYCLES || performance.now() < began + warmupMs + timeMs; cycles++) {
    const isWarm = cycles >= 2 && performance.now() >= began + warmupMs;
    for (const name of names) {
      const start = performance.now();
      stages[name]();
      const ns = ((performance.now() - start) * 1e6) / pages;
      if (isWarm || cycles >= LEAST_CYCLES - 2) samples[name].push(ns);
    }
  }
  return Object.fromEntries(names.map((name) => [name, timing(samples[name])])) as unknown as MemoryTimes;
}

const LEAST_CYCLES = 6;

/** A handler's step on each page, but for its look-up and lock: those are timed apart. */
function faults(mm: Mm, pages: number, areaPages: number): void {
  mm.readLock();
  for (let first = FIRST_PAGE; first < FIRST_PAGE + pages; first += areaPages) {
    const hi = Math.floor(first / 2 ** 32);
    const area = mm.findArea(first | 0, hi);
    for (let page = first; page < first + areaPages; page++) mm.handleMmFault(area, page | 0, hi, PERM);
  }
  mm.readUnlock();
}

function lookUps(mm: Mm, pages: number): void {
  for (let page = FIRST_PAGE; page < FIRST_PAGE + pages; page++) {
    mm.getUsers();
    mm.areaPerm(mm.findArea(page | 0, Math.floor(page / 2 ** 32)));
    mm.putUsers();
  }
}

function locks(mm: Mm, count: number): void {
  for (let i = 0; i < count; i++) {
    mm.readLock();
    mm.readUnlock();
  }
}
