import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DirtyBitmap } from './dirty-bitmap.ts';

test('bit 0 is the start of the request; bit k stands k pages after it', () => {
  const bitmap = new DirtyBitmap(100, 70);
  expect(bitmap.bits.length).toBe(3);
  bitmap.set(100, 101);
  bitmap.set(131, 133); // over a word's edge: bits 31 and 32
  bitmap.set(169, 170); // the last one
  expect([...bitmap.bits]).toEqual([0x8000_0001 | 0, 1, 1 << 5]);
  expect([99, 100, 101, 131, 132, 133, 169, 170].map((page) => bitmap.has(page))).toEqual([
    false,
    true,
    false,
    true,
    true,
    false,
    true,
    false,
  ]);
});

test('what lies outside the request is dropped, on both sides', () => {
  const bitmap = new DirtyBitmap(64, 64);
  bitmap.set(0, 64);
  bitmap.set(63, 64);
  bitmap.set(128, 129);
  bitmap.set(128, 4096);
  expect(bitmap.count()).toBe(0);
  bitmap.set(60, 66);
  bitmap.set(126, 2 ** 52);
  expect([...bitmap.bits]).toEqual([3, 0xc000_0000 | 0]);
});

test('bits are only ever set, until the caller clears them', () => {
  const bitmap = new DirtyBitmap(0, 64);
  bitmap.set(3, 5);
  bitmap.set(40, 41);
  expect([...bitmap.bits]).toEqual([0x18, 0x100]);
  bitmap.clear();
  expect(bitmap.count()).toBe(0);
});

test('bits of larger pages: any part of a page sets its bit', () => {
  const bitmap = new DirtyBitmap(512, 5 * 512, 21);
  expect(bitmap.bits.length).toBe(1);
  bitmap.set(512 + 511, 512 + 513); // the last 4 KiB of bit 0, the first of bit 1
  bitmap.set(512 + 4 * 512 + 300, 512 + 4 * 512 + 301);
  expect(bitmap.bits[0]).toBe(0b10011);
  expect(bitmap.has(512 + 4 * 512)).toBe(true);
});

test('the end of a request that is no whole number of its pages has a bit as well', () => {
  const bitmap = new DirtyBitmap(0, 513, 21);
  bitmap.set(512, 513);
  expect(bitmap.bits[0]).toBe(2);
});

test('numbers beyond 32 bits', () => {
  const bitmap = new DirtyBitmap(2 ** 51, 2 ** 40, 42); // 2^52 bytes in pages of 4 TiB
  expect(bitmap.bits.length).toBe(32);
  bitmap.set(2 ** 51 + 2 ** 40 - 1, 2 ** 51 + 2 ** 40);
  expect(bitmap.bits[31]).toBe(0x8000_0000 | 0);
  const all = new DirtyBitmap(0, 2 ** 52, 63);
  all.set(2 ** 52 - 1, 2 ** 52);
  expect(all.bits[0]).toBe(2);
});

test('what it refuses', () => {
  expect(() => new DirtyBitmap(-1, 1)).toThrow('first = -1');
  expect(() => new DirtyBitmap(0, 0)).toThrow('pages = 0');
  expect(() => new DirtyBitmap(0, 1, 11)).toThrow('pageSizeLg2 = 11');
  expect(() => new DirtyBitmap(0, 2 ** 52)).toThrow('bits = 4503599627370496');
});

describe('against a set of bits', () => {
  test('any ranges', () => {
    const range = fc.record({ page: fc.integer({ min: 0, max: 400 }), pages: fc.integer({ min: 0, max: 150 }) });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 0, max: 6 }),
        fc.array(range, { maxLength: 6 }),
        (first, pages, unitLg2, ranges) => {
          const bitmap = new DirtyBitmap(first, pages, 12 + unitLg2);
          const bits = new Set<number>();
          for (const { page, pages: length } of ranges) {
            bitmap.set(page, page + length);
            for (let at = page; at < page + length; at++)
              if (at >= first && at < first + pages) bits.add((at - first) >> unitLg2);
          }
          const found = Array.from({ length: Math.ceil(pages / 2 ** unitLg2) }, (_, bit) => bit).filter((bit) =>
            bitmap.has(first + bit * 2 ** unitLg2),
          );
          expect(found).toEqual([...bits].sort((a, b) => a - b));
          expect(bitmap.count()).toBe(bits.size);
        },
      ),
      { numRuns: 400 },
    );
  });
});
