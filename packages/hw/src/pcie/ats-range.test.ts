import fc from 'fast-check';
import { expect, test } from 'vitest';
import { codedHi, codedLo, codedSizeLg2, firstHi, firstLo, spanLg2 } from './ats-range.ts';
import { INVALIDATE_ALL } from './pri-port.layout.ts';

const halves = (page: bigint): [number, number] => [Number(BigInt.asIntN(32, page)), Number(page >> 32n)];
const coded = (page: bigint, size: number): bigint => {
  const [lo, hi] = halves(page);
  return (BigInt(codedHi(hi, size)) << 32n) | BigInt(codedLo(lo, size) >>> 0);
};

test('sizes as they stand in a page number', () => {
  expect(coded(0x12345n, 0)).toBe(0x12345n);
  expect(coded(0x12344n, 1)).toBe(0x12344n); // two pages: no ones, a zero
  expect(coded(0x12340n, 4)).toBe(0x12347n);
  expect(coded(0x12345n, 4)).toBe(0x12347n); // and for any page of the sixteen
  expect(coded(0n, 32)).toBe(0x7fff_ffffn);
  expect(coded(0x2_0000_0000n, 33)).toBe(0x2_ffff_ffffn);
  expect(coded(0n, INVALIDATE_ALL)).toBe(0x7ffff_ffff_ffffn);
});

test('what is coded is read back: the size, and the first page of the range that holds the page', () => {
  const page52 = fc.bigInt({ min: 0n, max: 2n ** 52n - 1n });
  fc.assert(
    fc.property(page52, fc.integer({ min: 1, max: INVALIDATE_ALL }), (page, size) => {
      const [lo, hi] = halves(coded(page, size));
      expect(codedSizeLg2(lo, hi)).toBe(size);
      expect([firstLo(lo, size), firstHi(hi, size)]).toEqual(halves((page >> BigInt(size)) << BigInt(size)));
    }),
  );
});

test('the smallest aligned span over two pages', () => {
  const page = fc.nat(2 ** 31).map((n) => n * 2 ** 20 + n);
  expect([spanLg2(8, 8), spanLg2(7, 8), spanLg2(0, 2 ** 52 - 1)]).toEqual([0, 4, 52]);
  fc.assert(
    fc.property(page, page, (a, b) => {
      const [first, last] = [BigInt(Math.min(a, b)), BigInt(Math.max(a, b))];
      const lg2 = BigInt(spanLg2(Number(first), Number(last)));
      expect(first >> lg2).toBe(last >> lg2);
      if (lg2 > 0n) expect(first >> (lg2 - 1n)).not.toBe(last >> (lg2 - 1n));
    }),
  );
});
