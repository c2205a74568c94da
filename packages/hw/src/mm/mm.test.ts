import { FAULT_PERM_EXEC, FAULT_PERM_READ, FAULT_PERM_WRITE } from '@faultline/core/iopf';
import { beforeEach, describe, expect, test } from 'vitest';
import { readMmBooks } from './books.ts';
import { initMm, MAX_PAGE, MM_PTES_AT, MM_TAGS, mmWords } from './layout.ts';
import { BASE, EXEC, fault, firstOdd, hi, lo, memoryOf, open, READ, translate, WRITE } from './mm.test-help.ts';
import { Mm } from './mm.ts';
import { type Notifier, noNotifier } from './notifier.ts';
import {
  busyBy,
  MAX_TAG,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_EXECUTABLE,
  PTE_FLAGS,
  PTE_NUMA_HINT,
  PTE_PRESENT,
  PTE_READABLE,
  PTE_WRITABLE,
  TAKE_DONE,
  TAKE_NOTHING,
} from './pte.ts';

const config = { frames: 64, areas: 4, threads: 3 };
let words = memoryOf(config);
let told: [number, number, number][] = [];
const notifier: Notifier = { invalidateRange: (pageLo, pageHi, pages) => told.push([pageLo, pageHi, pages]) };
let mm = open(words, 1, notifier);

beforeEach(() => {
  words = memoryOf(config);
  told = [];
  mm = open(words, 1, notifier);
});

function refusal(code: string, field: string): unknown {
  return expect.objectContaining({ name: 'IommuError', code, field });
}

test('PTE access bits are the fault permission bits', () => {
  expect([PTE_READABLE, PTE_WRITABLE, PTE_EXECUTABLE]).toEqual([FAULT_PERM_READ, FAULT_PERM_WRITE, FAULT_PERM_EXEC]);
});

describe('a fault', () => {
  test('makes the page present and zeroed, whatever the frame held', () => {
    mm.addArea(100, 8, READ | WRITE);
    expect(translate(mm, 103, READ)).toBe(false);
    expect(firstOdd(words, mm, 103, 0)).toBe(0);
    expect(fault(mm, 103, READ)).toBe(true);
    expect(firstOdd(words, mm, 103, 0)).toBe(-1);
    expect(firstOdd(words, mm, 102, 0x5a5a5a5a)).toBe(-1);
    expect(firstOdd(words, mm, 104, 0x5a5a5a5a)).toBe(-1);
    expect(mm.pteOf(103) & PTE_FLAGS).toBe(PTE_PRESENT | PTE_ACCESSED | READ | WRITE);
    expect(translate(mm, 103, READ)).toBe(true);
    expect(mm.presentPages()).toBe(1);
  });

  test('on a present page finds it, and does not zero it again', () => {
    mm.addArea(100, 8, READ | WRITE);
    fault(mm, 103, WRITE);
    words[mm.frameAt(103)] = 7;
    expect(fault(mm, 103, WRITE)).toBe(true);
    expect(words[mm.frameAt(103)]).toBe(7);
    expect(readMmBooks(words, BASE)).toMatchObject({ populated: 1, found: 1 });
  });

  test('on a page that the scanner took gives it back with its contents and marks', () => {
    mm.addArea(100, 8, READ | WRITE);
    fault(mm, 103, WRITE);
    words[mm.frameAt(103)] = 7;
    expect(mm.takePage(mm.findArea(103, 0), 3)).toBe(TAKE_DONE);
    expect(mm.takePage(mm.findArea(103, 0), 3)).toBe(TAKE_NOTHING);
    expect(translate(mm, 103, READ)).toBe(false);
    expect(mm.presentPages()).toBe(1);
    expect(fault(mm, 103, READ)).toBe(true);
    expect(mm.pteOf(103) & PTE_FLAGS).toBe(PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | READ | WRITE);
    expect(words[mm.frameAt(103)]).toBe(7);
    expect(readMmBooks(words, BASE)).toMatchObject({ populated: 1, restored: 1, taken: 1 });
  });

  test('outside the area, or for more than the area grants, fails', () => {
    mm.addArea(100, 8, READ);
    const area = mm.findArea(100, 0);
    expect(mm.handleMmFault(area, 99, 0, READ)).toBe(false);
    expect(mm.handleMmFault(area, 108, 0, READ)).toBe(false);
    expect(mm.handleMmFault(area, 100, 1, READ)).toBe(false);
    expect(mm.handleMmFault(area, 100, 0, WRITE)).toBe(false);
    expect(mm.handleMmFault(area, 100, 0, READ | 8)).toBe(true); // privileged is no access of its own
    expect(mm.presentPages()).toBe(1);
  });

  test('waits for the thread that zeroes the page, and gives up on one that never finishes', () => {
    const impatient = open(words, 2, noNotifier, { busyLimitMs: 0 });
    mm.addArea(100, 8, READ);
    words[words[BASE + MM_PTES_AT] + 3] = busyBy(3);
    expect(fault(impatient, 103, READ)).toBe(false);
    expect(readMmBooks(words, BASE)).toMatchObject({ waited: 1, stuck: 1, populated: 0 });
    expect(mm.discard(100, 8)).toBe(0); // steps over it
    expect(mm.takePage(mm.findArea(103, 0), 3)).toBe(TAKE_NOTHING);
    expect(mm.reclaimBusy(2)).toBe(0);
    expect(mm.reclaimBusy(3)).toBe(1);
    expect(fault(impatient, 103, READ)).toBe(true);
    expect(firstOdd(words, mm, 103, 0)).toBe(-1);
    expect(readMmBooks(words, BASE)).toMatchObject({ populated: 1, reclaimed: 1 });
  });
});

describe('a table walk', () => {
  test('sets ACCESSED, and DIRTY for a write, and stores nothing when they are set', () => {
    mm.addArea(100, 8, READ | WRITE);
    fault(mm, 100, READ);
    const at = words[BASE + MM_PTES_AT];
    words[at] &= ~PTE_ACCESSED;
    expect(translate(mm, 100, READ)).toBe(true);
    expect(words[at] & (PTE_ACCESSED | PTE_DIRTY)).toBe(PTE_ACCESSED);
    expect(translate(mm, 100, WRITE)).toBe(true);
    expect(words[at] & (PTE_ACCESSED | PTE_DIRTY)).toBe(PTE_ACCESSED | PTE_DIRTY);
    const real = Atomics.compareExchange;
    Atomics.compareExchange = () => expect.unreachable('a walk with nothing to mark stores nothing');
    try {
      expect(translate(mm, 100, READ | WRITE)).toBe(true);
    } finally {
      Atomics.compareExchange = real;
    }
  });

  test('fails without the permission, on a taken page and outside all areas', () => {
    mm.addArea(100, 8, READ | EXEC);
    fault(mm, 100, READ);
    expect(translate(mm, 100, READ | EXEC)).toBe(true);
    expect(translate(mm, 100, WRITE)).toBe(false);
    expect(mm.pteOf(100) & PTE_DIRTY).toBe(0);
    mm.takePage(mm.findArea(100, 0), 0);
    expect(mm.pteOf(100) & PTE_NUMA_HINT).toBe(PTE_NUMA_HINT);
    expect(translate(mm, 100, READ)).toBe(false);
    for (const page of [0, 99, 108, 2 ** 32 + 100, MAX_PAGE - 1]) expect(translate(mm, page, READ)).toBe(false);
  });

  test('follows areas as they come and go', () => {
    const top = MAX_PAGE - 4;
    mm.addArea(top, 4, READ);
    expect(fault(mm, MAX_PAGE - 1, READ)).toBe(true);
    expect(translate(mm, MAX_PAGE - 1, READ)).toBe(true);
    mm.addArea(2 ** 32 - 2, 4, READ); // across the two words of a page number
    expect(fault(mm, 2 ** 32 - 1, READ)).toBe(true);
    expect(fault(mm, 2 ** 32, READ)).toBe(true);
    expect(translate(mm, 2 ** 32 - 1, READ) && translate(mm, 2 ** 32, READ)).toBe(true);
    expect(translate(mm, MAX_PAGE - 1, READ)).toBe(true);
    mm.removeArea(top);
    mm.addArea(top, 4, READ); // the same pages once more, of another area
    expect(translate(mm, MAX_PAGE - 1, READ)).toBe(false);
    expect(fault(mm, MAX_PAGE - 1, READ) && translate(mm, MAX_PAGE - 1, READ)).toBe(true);
    mm.removeArea(top);
    mm.addArea(top, 4, READ);
    expect(fault(mm, MAX_PAGE - 1, READ) && translate(mm, MAX_PAGE - 1, READ)).toBe(true);
    told = [];
    expect(mm.removeArea(2 ** 32 - 2)).toBe(2);
    expect(translate(mm, 2 ** 32, READ)).toBe(false);
    expect(told).toEqual([[-2, 0, 4]]);
    mm.addArea(0, 4, READ); // takes the frames over, not the pages
    expect(translate(mm, 1, READ)).toBe(false);
    expect(translate(mm, MAX_PAGE - 1, READ)).toBe(true);
  });
});

describe('discard', () => {
  test('makes pages absent over neighbouring areas, and tells once', () => {
    mm.addArea(100, 4, READ);
    mm.addArea(104, 4, READ);
    for (const page of [101, 103, 104, 107]) fault(mm, page, READ);
    expect(mm.discard(102, 4)).toBe(2);
    expect(told).toEqual([[102, 0, 4]]);
    expect([101, 103, 104, 107].map((page) => translate(mm, page, READ))).toEqual([true, false, false, true]);
    expect(fault(mm, 103, READ)).toBe(true);
    expect(readMmBooks(words, BASE)).toMatchObject({ populated: 5, discarded: 2 });
    expect(mm.presentPages()).toBe(3);
  });

  test('of absent pages tells nobody', () => {
    mm.addArea(100, 4, READ);
    expect(mm.discard(100, 4)).toBe(0);
    expect(told).toEqual([]);
  });

  test('across a hole is refused before anything is done, and gives the lock back', () => {
    mm.addArea(100, 4, READ);
    mm.addArea(105, 4, READ);
    fault(mm, 100, READ);
    expect(() => mm.discard(100, 8)).toThrow(refusal('ENOENT', 'startPage') as Error);
    expect(translate(mm, 100, READ)).toBe(true);
    expect(mm.removeArea(105)).toBe(0);
  });
});

test('the last user takes the areas down, and nobody comes in afterwards', () => {
  mm.addArea(100, 4, READ);
  mm.addArea(200, 4, READ);
  fault(mm, 100, READ);
  const other = open(words, 2);
  expect(other.getUsers()).toBe(true);
  mm.putUsers();
  expect(translate(mm, 100, READ)).toBe(true);
  other.putUsers();
  expect(translate(mm, 100, READ)).toBe(false);
  expect(mm.getUsers()).toBe(false);
  expect(mm.findArea(200, 0)).toBe(0);
  expect(mm.presentPages()).toBe(0);
  expect(() => mm.addArea(100, 4, READ)).toThrow(refusal('EINVAL', 'startPage') as Error);
});

describe('bad input is refused by name and value:', () => {
  test('areas', () => {
    for (const start of [-1, 1.5, Number.NaN, MAX_PAGE])
      expect(() => mm.addArea(start, 1, READ)).toThrow(refusal('EINVAL', 'startPage') as Error);
    for (const pages of [0, -1, 0.5, MAX_PAGE + 1])
      expect(() => mm.addArea(0, pages, READ)).toThrow(refusal('EINVAL', 'pages') as Error);
    expect(() => mm.addArea(MAX_PAGE - 3, 4, READ)).toThrow(refusal('EINVAL', 'pages') as Error);
    for (const perm of [8, -1, 0.5]) expect(() => mm.addArea(0, 1, perm)).toThrow(refusal('EINVAL', 'perm') as Error);
    expect(() => mm.addArea(0, 65, READ)).toThrow(refusal('ENOMEM', 'pages') as Error);
    mm.addArea(100, 4, READ);
    for (const [start, pages] of [
      [100, 4],
      [98, 3],
      [103, 1],
      [90, 30],
      [101, 1],
    ])
      expect(() => mm.addArea(start, pages, READ)).toThrow(refusal('EBUSY', 'startPage') as Error);
    for (const start of [96, 104, 200]) mm.addArea(start, 4, READ);
    expect(() => mm.addArea(300, 1, READ)).toThrow(refusal('ENOSPC', 'startPage') as Error);
    for (const start of [101, 300, -1, 1.5])
      expect(() => mm.removeArea(start)).toThrow(refusal('ENOENT', 'startPage') as Error);
    for (const pages of [0, 1.5]) expect(() => mm.discard(100, pages)).toThrow(refusal('EINVAL', 'pages') as Error);
    expect(mm.removeArea(100)).toBe(0); // every refusal gave the lock back
  });

  test('an area after the last tag', () => {
    words[BASE + MM_TAGS] = MAX_TAG - 1;
    mm.addArea(0, 4, READ);
    fault(mm, 3, READ);
    expect(translate(mm, 3, READ)).toBe(true);
    mm.removeArea(0);
    expect(() => mm.addArea(0, 4, READ)).toThrow(refusal('EOVERFLOW', 'startPage') as Error);
  });

  test('a fragmented backing memory', () => {
    mm.addArea(0, 24, READ);
    mm.addArea(100, 16, READ);
    mm.addArea(200, 24, READ);
    mm.removeArea(100);
    expect(() => mm.addArea(300, 17, READ)).toThrow(refusal('ENOMEM', 'pages') as Error);
    mm.addArea(300, 16, READ);
  });

  test('layout and opening', () => {
    for (const field of ['frames', 'areas', 'threads'] as const)
      for (const value of [0, 1.5, 2 ** 30])
        expect(() => mmWords({ ...config, [field]: value })).toThrow(refusal('EINVAL', field) as Error);
    for (const base of [0, BASE + 1, -BASE, words.length])
      expect(() => initMm(words, base, config)).toThrow(refusal('EINVAL', 'base') as Error);
    const self = { id: 1, spins: 0 };
    const empty = new Int32Array(new SharedArrayBuffer(1024));
    for (const base of [0, 32, 0.5, 4096])
      expect(() => new Mm(empty, base, self, noNotifier)).toThrow(refusal('EINVAL', 'base') as Error);
    expect(() => open(words, 4)).toThrow(refusal('EINVAL', 'self.id') as Error);
    expect(() => open(words, 0)).toThrow(refusal('EINVAL', 'self.id') as Error);
    expect(() => open(words, 1, noNotifier, { busyLimitMs: -1 })).toThrow(refusal('EINVAL', 'busyLimitMs') as Error);
    expect(() => mm.reclaimBusy(0)).toThrow(refusal('EINVAL', 'owner') as Error);
  });
});

test('page numbers travel in two words', () => {
  for (const page of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, MAX_PAGE - 1]) {
    const one = memoryOf(config);
    const space = open(one);
    space.addArea(page, 1, READ);
    expect(space.findArea(lo(page), hi(page))).not.toBe(0);
    expect(fault(space, page, READ)).toBe(true);
  }
});
