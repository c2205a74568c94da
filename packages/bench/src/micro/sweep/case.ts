// A dirty sweep over a whole address range on one thread; on the other, pages elsewhere in the same table come and go. What the
// sweep costs those calls is their latency, counted from when a call was due: a call that waits for the sweep holds up those after
// it, and they count as waiting too. Three modes of one case, over one table: no sweep, one without a lock, and one that holds a
// readers-writer lock for reading over its whole request while map and unmap take it for writing, as iommufd's iova_rwsem is held.
//
// The first thread plays the hardware as well: before each sweep, and outside the lock, it writes to one leaf in DIRTY_EVERY.
import { histogramRecord, histogramWords, initHistogram, LINE, type ThreadSelf, type Words } from '@faultline/core';
import { DirtyBitmap, type Format, PROT_READ, PROT_WRITE, vtdSecondStage } from '@faultline/hw/page-table';
import { rwlockOver, type TableLock } from '../page-table/locks.ts';
import { initPlacedTable, openPlacedTable, type PlacedTable, placeTable } from '../page-table/placed-table.ts';
import type { Bench, PairCase } from '../pair/case.ts';
import { keep } from '../pair/keep.ts';

export const SWEEP_FORMAT: Format = vtdSecondStage();
/** One leaf in so many is dirty when a sweep begins. */
export const DIRTY_EVERY = 64;
/** 4 KiB pages of a map, and of the unmap after it. */
export const CALL_PAGES = 16;
/** Such ranges, one after the other. */
const RANGES = 16;
/** A map or an unmap is due so often. */
export const DUE_EVERY_US = 20;
/** Latencies are counted in ticks of this. */
export const LATENCY_TICK_NS = 10;
const TICKS_PER_MS = 1e6 / LATENCY_TICK_NS;
const SPINS = 1000;
const PAGE_LG2 = 12;

export const SWEEP_MODES = ['no sweep', 'lock-free', 'rwlock'] as const;
export type SweepMode = (typeof SWEEP_MODES)[number];

/** What is swept. */
export interface SweepRange {
  /** log2 of the bytes of a leaf. */
  readonly leafLg2: number;
  /** log2 of the bytes of all. */
  readonly rangeLg2: number;
}

// Words of the case's own, before the table. MODE: who starts a round; the rest: the first side's, but for the histograms.
const MODE = 0;
const OVER = LINE; // rounds that are over
const SWEEPS = 2 * LINE; // sweeps of the round
const SWEEP_US = SWEEPS + 1; // microseconds that they took in all
const MAPS = 3 * LINE;
const UNMAPS: number = MAPS + histogramWords();
const TABLE: number = UNMAPS + histogramWords();

/** Word offsets of the latencies of map and of unmap. */
export const LATENCIES_AT: { readonly map: number; readonly unmap: number } = { map: MAPS, unmap: UNMAPS };

export function leavesOf({ leafLg2, rangeLg2 }: SweepRange): number {
  return 2 ** (rangeLg2 - leafLg2);
}

function pagesOf({ rangeLg2 }: SweepRange): number {
  return 2 ** (rangeLg2 - PAGE_LG2);
}

function placeFor(range: SweepRange): PlacedTable {
  const slots = 2 ** SWEEP_FORMAT.indexLg2;
  // Leaf tables, those above them, and some for the pages elsewhere and the threads' caches.
  const leafTables = Math.max(1, leavesOf(range) / slots);
  return placeTable(SWEEP_FORMAT, leafTables + Math.ceil(leafTables / slots) + 64);
}

export function setSweepMode(words: Words, base: number, mode: SweepMode): void {
  Atomics.store(words, base + MODE, SWEEP_MODES.indexOf(mode));
  initHistogram(words, base + MAPS);
  initHistogram(words, base + UNMAPS);
}

/** Sweeps of the last round, and what each took. */
export function readSweeps(words: Words, base: number): { readonly sweeps: number; readonly ms: number } {
  const sweeps = Atomics.load(words, base + SWEEPS);
  return { sweeps, ms: sweeps === 0 ? 0 : Atomics.load(words, base + SWEEP_US) / 1000 / sweeps };
}

class Sweeper {
  readonly #range: SweepRange;
  readonly #opened: ReturnType<typeof openPlacedTable>;
  readonly #lock: TableLock;
  readonly #bitmap: DirtyBitmap;
  readonly #write: (page: number) => void;

  constructor({ words, base }: Bench, range: SweepRange, place: PlacedTable) {
    const self: ThreadSelf = { id: 1, spins: SPINS };
    this.#range = range;
    this.#opened = openPlacedTable(words, base + TABLE, place, self);
    this.#lock = rwlockOver(words, base + TABLE + place.lockAt, self);
    this.#bitmap = new DirtyBitmap(0, pagesOf(range), range.leafLg2);
    const device = this.#opened.table.walker(undefined, { tlbEntries: 1 });
    this.#write = (page) => {
      if (device.access(page, true) !== page) throw new Error(`sweep: the device cannot write to page ${page}`);
      device.idle(); // or it would remember that the page is dirty
    };
  }

  /** Sweeps again and again for `ms` milliseconds, at least once. */
  run({ words, base }: Bench, ms: number): void {
    const mode = SWEEP_MODES[Atomics.load(words, base + MODE)];
    const end = performance.now() + ms;
    let sweeps = 0;
    let took = 0;
    const { reader } = this.#opened;
    reader.online();
    while (mode !== 'no sweep' && (sweeps === 0 || performance.now() < end)) {
      const due = this.#dirty();
      const began = performance.now();
      const dirty = this.#sweep(mode === 'rwlock');
      took += performance.now() - began;
      if (dirty !== due || this.#bitmap.count() !== due)
        throw new Error(`sweep: ${dirty} leaves were dirty, ${this.#bitmap.count()} reported, not ${due}`);
      sweeps++;
      reader.quiescent();
    }
    reader.offline();
    while (performance.now() < end) Atomics.wait(words, base + OVER, Atomics.load(words, base + OVER), 1);
    Atomics.store(words, base + SWEEPS, sweeps);
    Atomics.store(words, base + SWEEP_US, Math.round(took * 1000));
  }

  /** @returns how many leaves it made dirty. */
  #dirty(): number {
    const step = DIRTY_EVERY * 2 ** (this.#range.leafLg2 - PAGE_LG2);
    const pages = pagesOf(this.#range);
    let written = 0;
    for (let page = 0; page < pages; page += step) {
      this.#write(page);
      written++;
    }
    this.#bitmap.clear();
    return written;
  }

  #sweep(locked: boolean): number {
    const { table } = this.#opened;
    if (locked) this.#lock.read();
    const dirty = table.readAndClearDirty(0, pagesOf(this.#range), this.#bitmap);
    if (locked) this.#lock.endRead();
    table.gather.sync();
    return dirty;
  }
}

class Mapper {
  #rounds = 0;
  readonly #first: number;
  readonly #opened: ReturnType<typeof openPlacedTable>;
  readonly #lock: TableLock;

  constructor({ words, base }: Bench, range: SweepRange, place: PlacedTable) {
    const self: ThreadSelf = { id: 2, spins: SPINS };
    this.#first = pagesOf(range); // right behind what is swept
    this.#opened = openPlacedTable(words, base + TABLE, place, self);
    this.#lock = rwlockOver(words, base + TABLE + place.lockAt, self);
    const { table, reader } = this.#opened;
    reader.online();
    // Keeps the table of the pages that come and go in place, as in a table in use.
    table.map(this.#first + CALL_PAGES * RANGES, this.#first, 1, PROT_READ);
    reader.offline();
  }

  /** Maps and unmaps until the sweeps are over. @returns whether as much was unmapped as mapped, and nothing is left. */
  run({ words, base }: Bench): boolean {
    const round = ++this.#rounds;
    const locked = SWEEP_MODES[Atomics.load(words, base + MODE)] === 'rwlock';
    const { table, reader } = this.#opened;
    let mapped = 0;
    let unmapped = 0;
    reader.online();
    for (let due = performance.now(); Atomics.load(words, base + OVER) < round; ) {
      const page = this.#first + ((mapped / CALL_PAGES) % RANGES) * CALL_PAGES;
      waitUntil(due);
      if (locked) this.#lock.write();
      table.map(page, page, CALL_PAGES, PROT_READ | PROT_WRITE);
      if (locked) this.#lock.endWrite();
      histogramRecord(words, base + MAPS, ((performance.now() - due) * TICKS_PER_MS) | 0);
      mapped += CALL_PAGES;
      due += DUE_EVERY_US / 1000;
      waitUntil(due);
      if (locked) this.#lock.write();
      unmapped += table.unmap(page, CALL_PAGES);
      if (locked) this.#lock.endWrite();
      histogramRecord(words, base + UNMAPS, ((performance.now() - due) * TICKS_PER_MS) | 0);
      due += DUE_EVERY_US / 1000;
      table.gather.sync();
      reader.quiescent();
    }
    reader.offline();
    return mapped > 0 && mapped === unmapped && table.iovaToPhys(this.#first) === -1;
  }
}

function waitUntil(due: number): void {
  while (performance.now() < due);
}

const sweepers = new Map<string, Sweeper>();
const mappers = new Map<string, Mapper>();

export function sweepName({ leafLg2, rangeLg2 }: SweepRange): string {
  return `dirty sweep, 2^${rangeLg2} bytes in leaves of 2^${leafLg2}`;
}

/** The case of that name, which says all about it; undefined where it is no sweep's. */
export function sweepCaseNamed(name: string): PairCase | undefined {
  const found = /^dirty sweep, 2\^(\d+) bytes in leaves of 2\^(\d+)$/.exec(name);
  return found === null ? undefined : sweepCase({ rangeLg2: Number(found[1]), leafLg2: Number(found[2]) });
}

/** A round's items are its milliseconds. Its second side returns them when all that was mapped was unmapped. */
export function sweepCase(range: SweepRange): PairCase {
  const name = sweepName(range);
  const place = placeFor(range);
  return {
    name,
    kind: 'throughput',
    words: TABLE + place.words,
    init(words, base) {
      initPlacedTable(words, base + TABLE, place);
      const { table, reader } = openPlacedTable(
        words,
        base + TABLE,
        place,
        { id: 1, spins: 0 },
        { sizesLg2: [range.leafLg2] },
      );
      reader.online();
      table.map(0, 0, pagesOf(range), PROT_READ | PROT_WRITE);
      table.tree.pool.flush();
      reader.offline();
    },
    sides: [
      (bench) => {
        keep(sweepers, name, () => new Sweeper(bench, range, place)).run(bench, bench.items);
        Atomics.add(bench.words, bench.base + OVER, 1);
        return 0;
      },
      (bench) => {
        const mapper = keep(mappers, name, () => new Mapper(bench, range, place));
        return mapper.run(bench) ? bench.items : -1;
      },
    ],
    check: (items) => items,
  };
}
