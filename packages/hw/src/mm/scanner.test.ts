import { TICKS_PER_MS } from '@faultline/core/sync';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { fault, memoryOf, open, READ, translate } from './mm.test-help.ts';
import type { Mm } from './mm.ts';
import { PageScanner } from './scanner.ts';

const SECOND = 1000 * TICKS_PER_MS;
const config = { frames: 256, areas: 8, threads: 2 };
let words = memoryOf(config);
let told: [number, number][] = [];
let mm = open(words);

beforeEach(() => {
  words = memoryOf(config);
  told = [];
  mm = open(words, 1, { invalidateRange: (lo, _hi, pages) => told.push([lo, pages]) });
});

function populate(space: Mm, start: number, pages: number): void {
  space.addArea(start, pages, READ);
  for (let page = start; page < start + pages; page++) fault(space, page, READ);
}

/** Gives everything back, so that the next round finds it. */
function touchAll(start: number, pages: number): void {
  for (let page = start; page < start + pages; page++) if (!translate(mm, page, READ)) fault(mm, page, READ);
}

describe('pacing', () => {
  test('a chunk is due every chunkPages / pagesPerSecond', () => {
    populate(mm, 0, 100);
    const scanner = new PageScanner(mm, { pagesPerSecond: 100, chunkPages: 10 });
    expect(scanner.nextDelayMs(0)).toBe(0);
    expect(scanner.step(0)).toBe(0); // starts the clock
    expect(scanner.nextDelayMs(0)).toBe(100);
    expect(scanner.step(SECOND / 10 - 1)).toBe(0);
    expect(scanner.nextDelayMs(SECOND / 10 - 1)).toBe(1);
    expect(scanner.step(SECOND / 10)).toBe(10);
    expect(scanner.step(SECOND / 10)).toBe(0);
    expect(scanner.nextDelayMs(SECOND / 10)).toBe(100);
    expect(told).toEqual([[0, 10]]);
  });

  test('keeps its rate whatever the steps, over a clock that wraps', () => {
    populate(mm, 0, 64);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 20, maxLength: 60 }),
        fc.integer(),
        (steps, start) => {
          const scanner = new PageScanner(mm, { pagesPerSecond: 20_000, chunkPages: 16 });
          let now = start | 0;
          let elapsed = 0;
          let taken = 0;
          scanner.step(now);
          for (const step of steps) {
            now = (now + step) | 0;
            elapsed += step;
            taken += scanner.step(now);
            touchAll(0, 64);
          }
          const due = (elapsed / SECOND) * 20_000;
          expect(taken).toBeLessThanOrEqual(due);
          expect(taken).toBeGreaterThan(due - 16);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('catches up four chunks after a long sleep, not all it missed', () => {
    populate(mm, 0, 100);
    const scanner = new PageScanner(mm, { pagesPerSecond: 100, chunkPages: 10 });
    scanner.step(0);
    let taken = 0;
    for (let call = 0; call < 10; call++) taken += scanner.step(100 * SECOND);
    expect(taken).toBe(40);
  });

  test('a clock that goes back takes nothing and starts from there', () => {
    populate(mm, 0, 100);
    const scanner = new PageScanner(mm, { pagesPerSecond: 100, chunkPages: 10 });
    scanner.step(SECOND);
    expect(scanner.step(0)).toBe(0);
    expect(scanner.step(SECOND / 10)).toBe(10);
  });
});

describe('going round', () => {
  test('takes pages in order, from area to area, and starts over', () => {
    populate(mm, 10, 6);
    populate(mm, 50, 6);
    const scanner = new PageScanner(mm, { pagesPerSecond: 4, chunkPages: 4 });
    let seconds = 0;
    const step = (): number => scanner.step(++seconds * SECOND);
    scanner.step(0);
    expect([step(), step(), step()]).toEqual([4, 4, 4]);
    expect(told).toEqual([
      [10, 4],
      [14, 2],
      [50, 2],
      [52, 4],
    ]);
    expect(step()).toBe(0); // all taken: nothing to take twice
    touchAll(10, 6);
    expect([step(), step()]).toEqual([4, 2]);
  });

  test('passes over absent pages, eight for each one wanted', () => {
    mm.addArea(0, 100, READ);
    fault(mm, 7, READ);
    fault(mm, 99, READ);
    const scanner = new PageScanner(mm, { pagesPerSecond: 1, chunkPages: 1 });
    scanner.step(0);
    const taken = Array.from({ length: 14 }, (_, second) => scanner.step((second + 1) * SECOND));
    expect(taken.indexOf(1)).toBe(0); // pages 0 to 7
    expect(taken.lastIndexOf(1)).toBe(12); // 8 to 99 take twelve attempts
  });

  test('passes leased pages by at the pace of taking them, until the device has used them or never came', () => {
    mm.addArea(0, 4, READ);
    for (const page of [0, 1, 2, 3]) fault(mm, page, READ, true);
    const scanner = new PageScanner(mm, { pagesPerSecond: 2, chunkPages: 2 });
    let seconds = 0;
    const round = (): number => scanner.step(++seconds * SECOND) + scanner.step(++seconds * SECOND);
    scanner.step(0);
    expect(round()).toBe(0);
    expect(translate(mm, 0, READ)).toBe(true); // used: not much longer
    const taken = Array.from({ length: 16 }, round);
    expect(taken.findIndex((pages) => pages > 0)).toBe(3);
    expect(taken.reduce((sum, pages) => sum + pages)).toBe(4); // nobody keeps a page for ever
    expect(fault(mm, 1, READ, true)).toBe(true);
    round();
    expect(fault(mm, 1, READ, true)).toBe(true); // asking again for what is there renews nothing
    expect(Array.from({ length: 20 }, round).reduce((sum, pages) => sum + pages)).toBe(1);
  });

  test('uses its turn up when a writer has the mmap lock', () => {
    populate(mm, 0, 10);
    const scanner = new PageScanner(mm, { pagesPerSecond: 10, chunkPages: 10 });
    scanner.step(0);
    const real = mm.tryReadLock;
    mm.tryReadLock = () => false;
    expect(scanner.step(SECOND)).toBe(0);
    mm.tryReadLock = real;
    expect(scanner.lockMisses).toBe(1);
    expect(scanner.nextDelayMs(SECOND)).toBe(1000);
    expect(scanner.step(2 * SECOND)).toBe(10);
    mm.removeArea(0); // the lock was given back
  });

  test('an address space without areas has nothing to take', () => {
    const scanner = new PageScanner(mm, { pagesPerSecond: 10, chunkPages: 10 });
    scanner.step(0);
    expect(scanner.step(SECOND)).toBe(0);
    expect(scanner.nextDelayMs(SECOND)).toBe(1000);
  });
});

test('bad input is refused by name', () => {
  const refused = (field: string): unknown => expect.objectContaining({ name: 'IommuError', code: 'EINVAL', field });
  for (const pagesPerSecond of [0, -1, Number.NaN, Infinity])
    expect(() => new PageScanner(mm, { pagesPerSecond, chunkPages: 1 })).toThrow(refused('pagesPerSecond') as Error);
  for (const chunkPages of [0, 1.5])
    expect(() => new PageScanner(mm, { pagesPerSecond: 1, chunkPages })).toThrow(refused('chunkPages') as Error);
});
