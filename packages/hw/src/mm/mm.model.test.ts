import type { IommuError } from '@faultline/core/errors';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readMmBooks } from './books.ts';
import { BASE, EXEC, fault, firstOdd, memoryOf, open, READ, translate, WRITE } from './mm.test-help.ts';
import {
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_FLAGS,
  PTE_NUMA_HINT,
  PTE_PRESENT,
  TAKE_DONE,
  TAKE_LEASED,
  TAKE_NOTHING,
} from './pte.ts';

// The same address space as a map of pages and a list of areas. Runs of calls must agree in every answer and every page.
const FRAMES = 24;
const AREAS = 4;
const SPACE = 32; // pages that calls draw from
const LEASE = 15;
const LEASE_USED = 3;
const LEASE_SHIFT = 10;
const ORIGIN = 2 ** 32 - 20; // so that both words of a page number are used

interface ModelPage {
  accessed: boolean;
  dirty: boolean;
  hinted: boolean;
  /** Visits of the scanner that pass it by. */
  lease: number;
  /** The first word of its frame. */
  contents: number;
}

class Model {
  areas: { start: number; pages: number; perm: number }[] = [];
  pages: Map<number, ModelPage> = new Map();
  populated = 0;
  discarded = 0;
  taken = 0;
  leased = 0;
  restored = 0;

  areaOf(page: number): { start: number; pages: number; perm: number } | undefined {
    return this.areas.find(({ start, pages }) => page >= start && page < start + pages);
  }
  drop(start: number, pages: number): number {
    let dropped = 0;
    for (let page = start; page < start + pages; page++) if (this.pages.delete(page)) dropped++;
    this.discarded += dropped;
    return dropped;
  }
  /** @returns the errno that adding it gives, undefined when it fits. Fragmented memory is not modelled: see `addArea` below. */
  refuses(start: number, pages: number): string | undefined {
    if (this.areas.some((area) => start < area.start + area.pages && area.start < start + pages)) return 'EBUSY';
    if (this.areas.length === AREAS) return 'ENOSPC';
    return undefined;
  }
}

const page = fc.integer({ min: ORIGIN, max: ORIGIN + SPACE - 1 });
const pages = fc.integer({ min: 1, max: 12 });
const perm = fc.integer({ min: 0, max: READ | WRITE | EXEC });
const call = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('addArea' as const), page, pages, perm }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('removeArea' as const), page }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('fault' as const), page, perm, lease: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('translate' as const), page, perm }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('write' as const), page, value: fc.integer() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('discard' as const), page, pages }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('take' as const), page, times: fc.integer({ min: 1, max: 16 }) }),
  },
);

function attempt(run: () => number): number | string {
  try {
    return run();
  } catch (error) {
    return (error as IommuError).code;
  }
}

test('any run of calls agrees with a map of pages', () => {
  fc.assert(
    fc.property(fc.array(call, { maxLength: 120, size: 'max' }), (calls) => {
      const words = memoryOf({ frames: FRAMES, areas: AREAS, threads: 1 });
      const mm = open(words);
      const model = new Model();
      mm.addArea(ORIGIN + 8, 8, READ | WRITE | EXEC); // so that most runs have pages to do something with
      model.areas.push({ start: ORIGIN + 8, pages: 8, perm: READ | WRITE | EXEC });
      for (const step of calls) {
        const area = model.areaOf(step.page);
        const known = model.pages.get(step.page);
        switch (step.kind) {
          case 'addArea': {
            const done = attempt(() => {
              mm.addArea(step.page, step.pages, step.perm);
              return 0;
            });
            const free = FRAMES - model.areas.reduce((sum, { pages: used }) => sum + used, 0);
            if (done === 'ENOMEM') expect(model.refuses(step.page, step.pages)).toBe(undefined);
            else expect(done).toBe(model.refuses(step.page, step.pages) ?? 0);
            if (done === 0) {
              expect(step.pages).toBeLessThanOrEqual(free);
              model.areas.push({ start: step.page, pages: step.pages, perm: step.perm });
            }
            break;
          }
          case 'removeArea': {
            const whole = area !== undefined && area.start === step.page;
            expect(attempt(() => mm.removeArea(step.page))).toBe(whole ? model.drop(area.start, area.pages) : 'ENOENT');
            if (whole) model.areas.splice(model.areas.indexOf(area), 1);
            break;
          }
          case 'fault': {
            const granted = area !== undefined && (step.perm & ~area.perm) === 0;
            expect(fault(mm, step.page, step.perm, step.lease)).toBe(granted);
            if (!granted) break;
            const dirty = (step.perm & WRITE) !== 0;
            const lease = step.lease ? LEASE : 0;
            if (known === undefined) {
              model.pages.set(step.page, { accessed: true, dirty, hinted: false, lease, contents: 0 });
              model.populated++;
            } else if (known.hinted) {
              known.hinted = false;
              known.lease = lease;
              known.dirty ||= dirty;
              model.restored++;
            }
            break;
          }
          case 'translate': {
            const seen = known !== undefined && !known.hinted && (step.perm & ~(area?.perm ?? 0)) === 0;
            expect(translate(mm, step.page, step.perm)).toBe(seen);
            if (seen && (step.perm & WRITE) !== 0) known.dirty = true;
            if (seen && known.lease > LEASE_USED) known.lease = LEASE_USED;
            break;
          }
          case 'write': {
            if (known === undefined) break;
            words[mm.frameAt(step.page)] = step.value;
            known.contents = step.value;
            break;
          }
          case 'discard': {
            let mapped = true;
            for (let at = step.page; at < step.page + step.pages; at++) mapped &&= model.areaOf(at) !== undefined;
            const expected = mapped ? model.drop(step.page, step.pages) : 'ENOENT';
            expect(attempt(() => mm.discard(step.page, step.pages))).toBe(expected);
            break;
          }
          case 'take': {
            if (area === undefined) break;
            for (let time = 0; time < step.times; time++) {
              const take = mm.takePage(mm.areaFrom(step.page), step.page - area.start);
              if (known === undefined || known.hinted) expect(take).toBe(TAKE_NOTHING);
              else if (known.lease > 0) {
                expect(take).toBe(TAKE_LEASED);
                known.lease--;
                model.leased++;
              } else {
                expect(take).toBe(TAKE_DONE);
                known.hinted = true;
                model.taken++;
              }
            }
            break;
          }
        }
      }
      for (let at = ORIGIN; at < ORIGIN + SPACE; at++) {
        const known = model.pages.get(at);
        const area = model.areaOf(at);
        const bits =
          known === undefined
            ? 0
            : PTE_PRESENT |
              (area?.perm ?? 0) |
              (known.accessed ? PTE_ACCESSED : 0) |
              (known.dirty ? PTE_DIRTY : 0) |
              (known.hinted ? PTE_NUMA_HINT : 0) |
              (known.lease << LEASE_SHIFT);
        expect(mm.pteOf(at) & PTE_FLAGS).toBe(bits);
        if (known === undefined) continue;
        expect(words[mm.frameAt(at)]).toBe(known.contents);
        if (known.contents === 0) expect(firstOdd(words, mm, at, 0)).toBe(-1);
      }
      const { populated, discarded, taken, leased, restored } = model;
      expect(readMmBooks(words, BASE)).toMatchObject({ populated, discarded, taken, leased, restored });
      expect(mm.presentPages()).toBe(model.pages.size);
      expect(populated).toBe(discarded + model.pages.size);
    }),
    { numRuns: 300 },
  );
});
