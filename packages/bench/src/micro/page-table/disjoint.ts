// One or two busy threads on ranges of their own in one table: what two reach together beside one.
import type { ThreadSelf } from '@faultline/core';
import { type Format, PROT_READ, PROT_WRITE, vtdSecondStage } from '@faultline/hw/page-table';
import type { Bench, PairCase } from '../pair/case.ts';
import { keep } from '../pair/keep.ts';
import { mutexOver, rwlockOver, type TableLock } from './locks.ts';
import { initPlacedTable, type OpenedTable, openPlacedTable, type PlacedTable, placeTable } from './placed-table.ts';
import { GUARDS, type Guard } from './table-costs.ts';

export const DISJOINT_FORMAT: Format = vtdSecondStage();
/** An item: 2 MiB in 4 KiB pages. */
export const ITEM_PAGES = 512;
/** Ranges of that length that a thread has, one after the other. */
const RANGES = 8;
/** From one thread's first page to the other's. */
const APART = 2 ** 20;
/** Room for what a thread unlinks while the other, put aside by the scheduler, keeps a grace period from ending. */
const TABLES = 8192;
const MOST_PENDING: number = TABLES / 4;
const SPINS = 1000;

const NO_LOCK: TableLock = { read() {}, endRead() {}, write() {}, endWrite() {} };

const place: PlacedTable = placeTable(DISJOINT_FORMAT, TABLES);

/** What a thread does with its items. */
export type Job = 'map and unmap' | 'sweep';

/** One thread's side of a case. */
interface Side extends OpenedTable {
  readonly self: ThreadSelf;
  readonly lock: TableLock;
  readonly first: number;
}

function openSide({ words, base }: Bench, side: 0 | 1, guard: Guard): Side {
  const self: ThreadSelf = { id: side + 1, spins: SPINS };
  const opened = openPlacedTable(words, base, place, self, { sizesLg2: [12] });
  const over = guard === 'mutex' ? mutexOver : rwlockOver;
  const lock = guard === 'lock-free' ? NO_LOCK : over(words, base + place.lockAt, self);
  const first = side * APART;
  opened.reader.online();
  // Keeps the tables above the leaves' in place, as in a table in use.
  opened.table.map(first + RANGES * ITEM_PAGES, first, 1, PROT_READ);
  return { ...opened, self, lock, first };
}

function mapAndUnmap({ table, reader, self, lock, first }: Side, items: number): number {
  let unmapped = 0;
  for (let item = 0; item < items; item++) {
    const page = first + (item & (RANGES - 1)) * ITEM_PAGES;
    lock.write();
    table.map(page, page, ITEM_PAGES, PROT_READ | PROT_WRITE);
    lock.endWrite();
    lock.write();
    unmapped += table.unmap(page, ITEM_PAGES);
    lock.endWrite();
    table.gather.sync();
    reader.quiescent();
    if (table.deferred.pending() > MOST_PENDING) {
      reader.offline();
      table.deferred.flush(self);
      reader.online();
    }
  }
  return unmapped / ITEM_PAGES;
}

/** All of a thread's ranges are mapped, and clean. */
function sweep({ table, reader, lock, first }: Side, items: number): number {
  let swept = 0;
  for (let item = 0; item < items; item++) {
    lock.read();
    const dirty = table.readAndClearDirty(first + (item & (RANGES - 1)) * ITEM_PAGES, ITEM_PAGES, undefined);
    lock.endRead();
    if (dirty === 0) swept++;
    reader.quiescent();
  }
  return swept;
}

const sides = new Map<string, Side>();

/** @returns how many items went as they should: unmapped whole, or found clean. */
function work(bench: Bench, name: string, at: 0 | 1, job: Job, guard: Guard, items: number): number {
  const side = keep(sides, name, () => {
    const opened = openSide(bench, at, guard);
    if (job === 'sweep') opened.table.map(opened.first, opened.first, RANGES * ITEM_PAGES, PROT_READ | PROT_WRITE);
    opened.reader.offline();
    return opened;
  });
  side.reader.online();
  const done = job === 'sweep' ? sweep(side, items) : mapAndUnmap(side, items);
  side.reader.offline();
  return done;
}

function must(done: number, items: number): void {
  if (done !== items) throw new Error(`disjoint ranges: ${done} of ${items} items went as they should`);
}

export function disjointName(job: Job, guard: Guard, threads: 1 | 2): string {
  return `${job}, ${guard}, ${threads === 1 ? '1 thread' : '2 threads'}`;
}

function disjointCase(job: Job, guard: Guard, threads: 1 | 2): PairCase {
  const name = disjointName(job, guard, threads);
  return {
    name,
    kind: 'throughput',
    ...(threads === 2 ? { peerOf: disjointName(job, guard, 1) } : {}),
    words: place.words,
    init: (words, base) => initPlacedTable(words, base, place),
    sides: [
      (bench) => {
        const items = threads === 2 ? Math.floor(bench.items / 2) : bench.items;
        must(work(bench, name, 0, job, guard, items), items);
        return 0;
      },
      (bench) => (threads === 2 ? work(bench, name, 1, job, guard, Math.ceil(bench.items / 2)) : 0),
    ],
    check: (items) => (threads === 2 ? Math.ceil(items / 2) : 0),
  };
}

/** A job's cases, to be measured in turns: two threads are compared with the same turn's one. */
export function disjointCases(job: Job): PairCase[] {
  return GUARDS.flatMap((guard) => [disjointCase(job, guard, 1), disjointCase(job, guard, 2)]);
}

export const JOBS: readonly Job[] = ['map and unmap', 'sweep'];
