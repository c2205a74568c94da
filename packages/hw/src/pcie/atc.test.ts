import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Atc, NO_TAG, packTranslation, translationPerm } from './atc.ts';

const READ = 1;
const WRITE = 2;
const ALL = 52;

function fill(atc: Atc, page: number, perm: number, size = 0, pasid = 5): void {
  const tag = atc.begin(page | 0, Math.floor(page / 2 ** 32), pasid);
  expect(atc.complete(tag, packTranslation(perm, size))).toBe(true);
}
function hits(atc: Atc, page: number, perm = READ, pasid = 5): boolean {
  return atc.lookup(page | 0, Math.floor(page / 2 ** 32), pasid, perm);
}
function invalidate(atc: Atc, page: number, size: number, pasid = -1): number {
  return atc.invalidate(page | 0, Math.floor(page / 2 ** 32), size, pasid);
}

describe('the translation cache', () => {
  test('grants what was granted, to that PASID, for those pages', () => {
    const atc = new Atc(64);
    fill(atc, 0x12345, READ);
    fill(atc, 2 ** 52 - 1, READ | WRITE, 0, -1);
    expect(hits(atc, 0x12345)).toBe(true);
    expect(hits(atc, 0x12345, READ | WRITE)).toBe(false);
    expect(hits(atc, 0x12345, READ, 6)).toBe(false);
    expect(hits(atc, 0x12345, READ, -1)).toBe(false);
    expect(hits(atc, 0x12346)).toBe(false);
    expect(hits(atc, 2 ** 52 - 1, WRITE, -1)).toBe(true);
    fill(atc, 0x12345, READ | WRITE); // granted more: in place of the old one
    expect(hits(atc, 0x12345, READ | WRITE)).toBe(true);
    expect(atc.size).toBe(2);
  });

  test('nothing granted is not kept: the answer to a page request changes it', () => {
    const atc = new Atc(64);
    fill(atc, 1, 0);
    expect(atc.size).toBe(0);
    expect(hits(atc, 1, 0)).toBe(false);
  });

  test('a large translation serves all its pages, and goes as a whole', () => {
    const atc = new Atc(64);
    fill(atc, 0x2ab, READ, 9); // 2 MiB, asked for somewhere in its middle
    expect([0x1ff, 0x200, 0x3ff, 0x400].map((page) => hits(atc, page))).toEqual([false, true, true, false]);
    expect(invalidate(atc, 0x201, 0)).toBe(1);
    expect(hits(atc, 0x3ff)).toBe(false);
    expect(translationPerm(packTranslation(READ, 9))).toBe(READ);
  });

  test('an invalidation while a translation is in flight makes its answer stale', () => {
    const atc = new Atc(64);
    const near = atc.begin(0x1000, 0, 5);
    const elsewhere = atc.begin(0x1000 + 2 ** 18, 0, 5);
    const other = atc.begin(0x1000, 0, 6);
    expect(atc.inFlight).toBe(3);
    invalidate(atc, 0x1fff, 0, 5); // not its page, but the answer may be for a gigabyte around it
    expect(atc.complete(near, packTranslation(READ, 0))).toBe(false);
    expect(atc.complete(elsewhere, packTranslation(READ, 0))).toBe(true);
    expect(atc.complete(other, packTranslation(READ, 0))).toBe(true);
    expect(hits(atc, 0x1000)).toBe(false);
    expect(atc.size).toBe(2);
    expect(atc.inFlight).toBe(0);
    const again = atc.begin(0x1000, 0, 5);
    expect(atc.complete(again, packTranslation(READ, 0))).toBe(true);
    const last = atc.begin(0x1000, 0, 5);
    atc.clear();
    expect(atc.complete(last, packTranslation(READ, 0))).toBe(false);
    expect(atc.size).toBe(0);
  });

  test('32 in flight, no more', () => {
    const atc = new Atc(4);
    const tags = Array.from({ length: 32 }, (_, page) => atc.begin(page, 0, -1));
    expect(new Set(tags).size).toBe(32);
    expect(atc.begin(99, 0, -1)).toBe(NO_TAG);
    atc.complete(tags[7], 0);
    expect(atc.begin(99, 0, -1)).toBe(tags[7]);
  });

  test('never grants what a plain list of translations would not, for any fills and invalidations', () => {
    const page = fc.oneof(fc.nat(64), fc.integer({ min: 2 ** 32 - 8, max: 2 ** 32 + 8 }), fc.constant(2 ** 52 - 1));
    const step = fc.record({
      kind: fc.constantFrom('fill', 'fill', 'invalidate', 'all'),
      page,
      size: fc.constantFrom(0, 0, 1, 3, 9, 18, 31, 32, 33, ALL),
      perm: fc.integer({ min: 1, max: 15 }),
      pasid: fc.constantFrom(-1, 0, 5),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), page, fc.constantFrom(-1, 0, 5), (steps, probe, probePasid) => {
        const atc = new Atc(16);
        let model: { first: number; size: number; perm: number; pasid: number }[] = [];
        const first = (at: number, size: number): number => Math.floor(at / 2 ** size) * 2 ** size;
        for (const { kind, page: at, size, perm, pasid } of steps) {
          if (kind === 'fill') {
            const entry = Math.min(size, 18);
            // A newer translation of a page stands for the older one.
            model = model.filter((t) => t.pasid !== pasid || first(at, t.size) !== t.first);
            fill(atc, at, perm, entry, pasid);
            model.push({ first: first(at, entry), size: entry, perm, pasid });
          } else {
            const range = kind === 'all' ? ALL : size;
            invalidate(atc, at, range, pasid);
            model = model.filter((t) => {
              const wide = Math.max(range, t.size);
              return (pasid >= 0 && t.pasid !== pasid) || first(t.first, wide) !== first(at, wide);
            });
          }
        }
        expect(atc.size).toBeLessThanOrEqual(16);
        for (const perm of [1, 2, 4, 8]) {
          const granted = model.some(
            (t) => t.pasid === probePasid && first(probe, t.size) === t.first && (t.perm & perm) !== 0,
          );
          if (hits(atc, probe, perm, probePasid)) expect(granted).toBe(true);
        }
        invalidate(atc, 0, ALL);
        expect(atc.size).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  test('keeps as many as it has room for', () => {
    const atc = new Atc(256);
    for (let page = 0; page < 128; page++) fill(atc, page, READ);
    const kept = Array.from({ length: 128 }, (_, page) => page).filter((page) => hits(atc, page)).length;
    expect(kept).toBe(atc.size);
    expect(kept).toBeGreaterThan(96); // sets of four: some collide
  });
});
