import { FAULT_PAGE_LO, FAULT_WORDS, GROUP_FAULTS, REQUEST_CHAIN, REQUEST_WORDS } from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { TICK_NS } from '@faultline/core/sync';
import type { DevicePort } from '@faultline/hw/accelerator';
import { expect, test } from 'vitest';
import { STAGES } from '../../result/stages.ts';
import { StampedPort } from './stamped-port.ts';
import { HANDLED, QUEUED, REPORTED, STAMPS_REGION, Stamps, stampsWords, TAKEN } from './stamps.ts';
import { addFault, readStages, SUMS_REGION, skipFault, sumsBase, sumsWords } from './sums.ts';

const PAGES = 4096;
const FIRST_PAGE = 1000;

function open() {
  const arena = Arena.create(
    planArena([
      { name: STAMPS_REGION, words: stampsWords(PAGES) },
      { name: SUMS_REGION, words: 2 * sumsWords() },
      { name: 'objects', words: 8 * REQUEST_WORDS },
    ]),
  );
  const clock = { tick: 0 };
  const stamps = new Stamps(arena, { firstPage: FIRST_PAGE, pages: PAGES }, () => clock.tick);
  const followed = Array.from({ length: PAGES }, (_, i) => FIRST_PAGE + i).filter((page) => stamps.rowOf(page) !== 0);
  const record = arena.base('objects') + FAULT_WORDS;
  /** The fault on `page` reaches a stage at `tick`. */
  const pass = (page: number, stamp: number, tick: number): void => {
    clock.tick = tick;
    arena.words[record + FAULT_PAGE_LO] = page;
    stamps.record(record, stamp);
  };
  return { arena, stamps, clock, followed, pass };
}

/** A port whose every fault was posted at tick 1000 and resumed at `resumed`. */
function fakePort(resumed: number): DevicePort {
  let posted = 0;
  return {
    capacity: 64,
    post: () => posted++,
    publish() {},
    isDone: () => true,
    result: () => 1,
    postedAt: () => 1000,
    resumedAt: () => resumed,
    reset: () => {
      posted = 0;
    },
  };
}

test('one page in eight is followed, in every part of the memory; pages outside never are', () => {
  const { stamps, followed } = open();
  expect(followed.length / PAGES).toBeCloseTo(1 / 8, 2);
  for (let from = FIRST_PAGE; from < FIRST_PAGE + PAGES; from += 64)
    expect(followed.filter((page) => page >= from && page < from + 64).length).toBeGreaterThanOrEqual(4);
  for (let page = 0; page < FIRST_PAGE; page++) expect(stamps.rowOf(page)).toBe(0);
  expect(stamps.rowOf(-FIRST_PAGE)).toBe(0);
});

test('stages add up to the latency, and a fault that missed one is left out', () => {
  const { arena, stamps, followed, pass } = open();
  const port = new StampedPort(fakePort(1310), arena.words, stamps, sumsBase(arena, 1));
  const [whole, answeredEarly] = followed;
  for (let round = 0; round < 2; round++) {
    for (const page of [whole, answeredEarly]) port.post(page, 0, 3, 1000);
    for (const page of [whole, answeredEarly]) pass(page, REPORTED, 1010);
    pass(whole, QUEUED, 1030);
    pass(whole, TAKEN, 1100);
    pass(whole, HANDLED, 1200);
    port.reset();
  }
  const { faults, skipped, meanNs, byLatency } = readStages(arena, 2);
  expect({ faults, skipped }).toEqual({ faults: 2, skipped: 2 });
  expect(STAGES.map((stage) => meanNs[stage] / TICK_NS)).toEqual([10, 20, 70, 100, 110]);
  expect(byLatency).toEqual([{ fromNs: 256 * TICK_NS, faults: 2, meanNs }]);
});

test('a stamp of before is no stamp, and one of long before the post is another fault’s', () => {
  const { arena, stamps, followed, pass } = open();
  const [page] = followed;
  const port = new StampedPort(fakePort(50_000), arena.words, stamps, sumsBase(arena, 0));
  for (const stamp of [REPORTED, QUEUED, TAKEN, HANDLED]) pass(page, stamp, 900 + stamp);
  port.post(page, 0, 3, 1000);
  port.reset();
  expect(readStages(arena, 2)).toMatchObject({ faults: 0, skipped: 1 });
  port.post(page, 0, 3, 1000);
  for (const stamp of [REPORTED, QUEUED, TAKEN]) pass(page, stamp, 30_000);
  pass(page, HANDLED, 10_000);
  port.reset();
  expect(readStages(arena, 2)).toMatchObject({ faults: 0, skipped: 2 });
});

test('all requests of a group are stamped', () => {
  const { arena, stamps, clock, followed } = open();
  const { words } = arena;
  const objects = arena.base('objects');
  const at = (index: number): number => objects + index * REQUEST_WORDS;
  for (let index = 1; index <= 3; index++) words[at(index) + FAULT_PAGE_LO] = followed[index];
  words[at(1) + GROUP_FAULTS] = 2;
  words[at(2) + REQUEST_CHAIN] = 3;
  clock.tick = 77;
  stamps.group(objects, 1, TAKEN);
  expect([1, 2, 3].map((index) => stamps.at(stamps.rowOf(followed[index]), TAKEN))).toEqual([77, 77, 77]);
});

test('sums go beyond 31 bits, and below zero where clocks disagree', () => {
  const { arena } = open();
  const base = sumsBase(arena, 0);
  for (let i = 0; i < 3; i++) addFault(arena.words, base, 2 ** 30, -(2 ** 30), 5, 7, 0);
  skipFault(arena.words, base);
  const { faults, skipped, meanNs } = readStages(arena, 1);
  expect({ faults, skipped }).toEqual({ faults: 3, skipped: 1 });
  expect(STAGES.map((stage) => meanNs[stage] / TICK_NS)).toEqual([2 ** 30, -(2 ** 30), 5, 7, 0]);
});
