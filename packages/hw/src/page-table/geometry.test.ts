import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { amdV1 } from './formats/amdv1.ts';
import { vtdSecondStage } from './formats/vtd-second-stage.ts';
import { floorLg2, Geometry, NO_SIZE, trailingZeros } from './geometry.ts';
import { FORMATS } from './rig.test-help.ts';

const MIB = 256; // pages
const GIB = 1024 * MIB;

test('log2 and trailing zeros at their limits', () => {
  for (let lg2 = 0; lg2 <= 52; lg2++) {
    const page = 2 ** lg2;
    expect(floorLg2(page)).toBe(lg2);
    if (lg2 > 1) expect(floorLg2(page - 1)).toBe(lg2 - 1);
    if (lg2 < 52) {
      expect(trailingZeros(page, 0)).toBe(lg2);
      expect(trailingZeros(2 ** 51, page)).toBe(lg2);
    }
  }
  expect(trailingZeros(0, 0)).toBe(52);
});

describe.each(Object.keys(FORMATS))('%s', (name) => {
  const format = FORMATS[name]();

  test('the best size is the largest that a search finds', () => {
    const page = fc.oneof(
      fc.integer({ min: 0, max: 2 ** 31 }),
      fc
        .tuple(fc.integer({ min: 0, max: 51 }), fc.integer({ min: 1, max: 9 }))
        .map(([lg2, n]) => (n * 2 ** lg2) % 2 ** 51),
    );
    const pages = fc.oneof(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.integer({ min: 0, max: 50 }).map((lg2) => 2 ** lg2),
    );
    fc.assert(
      fc.property(page, page, pages, fc.subarray([...format.sizesLg2]), (iova, oa, length, sizesLg2) => {
        const geometry = new Geometry(format, sizesLg2);
        const search = sizesLg2.findLast((lg2) => {
          const size = 2 ** (lg2 - 12);
          return iova % size === 0 && oa % size === 0 && size <= length;
        });
        expect(geometry.bestSizeLg2(iova, oa, length)).toBe(search ?? NO_SIZE);
      }),
      { numRuns: 300 },
    );
  });
});

test('run length: up to where a larger size fits, or all of it', () => {
  const only4k = new Geometry(vtdSecondStage(), [12]);
  expect(only4k.run(12, 0, 0, GIB)).toBe(GIB);
  const both = new Geometry(vtdSecondStage(), [12, 21]);
  expect(both.run(12, 1, 2 * MIB + 1, GIB)).toBe(511);
  expect(both.run(12, 1, 2, GIB)).toBe(GIB); // never alike
  expect(both.run(12, 1, 2 * MIB + 1, 100)).toBe(100);
  expect(both.run(21, 2 * MIB, 2 * MIB, 5 * MIB)).toBe(2);
});

test('the sizes of a long range change on the way', () => {
  const geometry = new Geometry(amdV1());
  const iova = 0x12345000 / 4096;
  const pages = 3 * GIB + 7;
  const sizes: number[] = [];
  for (let done = 0; done < pages; ) {
    const sizeLg2 = geometry.bestSizeLg2(iova + done, iova + done, pages - done);
    const count = geometry.run(sizeLg2, iova + done, iova + done, pages - done);
    sizes.push(sizeLg2);
    done += count * geometry.sizePages[sizeLg2];
  }
  // Up by the set bits of what is missing to the next boundary, then down by those of the rest.
  const top = sizes.indexOf(Math.max(...sizes));
  expect(sizes.slice(0, top)).toEqual([...sizes.slice(0, top)].sort((a, b) => a - b));
  expect(sizes.slice(top)).toEqual([...sizes.slice(top)].sort((a, b) => b - a));
});

test('what it reaches', () => {
  const amd = new Geometry(amdV1());
  expect([2, 3, 4].map((top) => amd.reaches(top, 0, 2 ** 27))).toEqual([false, true, true]);
  expect(amd.reaches(5, 0, 2 ** 52 - 1)).toBe(true);
  expect(() => new Geometry(amdV1(), [39])).toThrow('no leaf of 2^39');
});
