import { expect, test } from 'vitest';
import { amdV1 } from './formats/amdv1.ts';
import { Geometry } from './geometry.ts';

const MIB = 256; // pages
const GIB = 1024 * MIB;

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
