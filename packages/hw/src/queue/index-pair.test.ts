import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  QUEUE_OVERFLOW,
  queueAdvance,
  queueConsistent,
  queueDistance,
  queueEmpty,
  queueFull,
  queueIndex,
  queueOverflowed,
  queueSlot,
  queueSpace,
  queueUsed,
} from './index.ts';

const log2s = fc.integer({ min: 0, max: 19 });
/** A register's other bits: anything in [19:n+1] and in bit 31 must not matter. */
const noise = fc.integer({ min: 0, max: 2 ** 19 - 1 });

describe('queue indices', () => {
  test('by hand, for 4 entries', () => {
    expect(queueEmpty(0, 0, 2)).toBe(true);
    expect(queueFull(0b100, 0b000, 2)).toBe(true); // same index, other wrap
    expect(queueSpace(0b011, 0b000, 2)).toBe(1);
    expect(queueAdvance(0b111, 1, 2)).toBe(0);
    expect(queueAdvance(0b011, 1, 2)).toBe(0b100);
    expect(queueSlot(0b110, 2)).toBe(2);
    expect(queueUsed(0b001, 0b110, 2)).toBe(3); // across the wrap
  });

  test('a queue of one entry uses it', () => {
    expect(queueEmpty(1, 1, 0)).toBe(true);
    expect(queueFull(1, 0, 0)).toBe(true);
    expect(queueSlot(1, 0)).toBe(0);
  });

  test('agree with counters that never wrap', () => {
    fc.assert(
      fc.property(
        log2s,
        fc.bigInt({ min: 0n, max: 2n ** 80n }),
        noise,
        noise,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (log2, consumed, a, b, part) => {
          const size = 1n << BigInt(log2);
          const used = BigInt(Math.round(part * Number(size)));
          const produced = consumed + used;
          const dirt = (n: number): number => (n << (log2 + 1)) | 0;
          const prod = Number(produced % (2n * size)) | dirt(a);
          const cons = Number(consumed % (2n * size)) | dirt(b);
          expect(queueConsistent(prod, cons, log2)).toBe(true);
          expect(queueDistance(prod, cons, log2)).toBe(Number(used));
          expect(queueUsed(prod, cons, log2)).toBe(Number(used));
          expect(queueSpace(prod, cons, log2)).toBe(Number(size - used));
          expect(queueEmpty(prod, cons, log2)).toBe(used === 0n);
          expect(queueFull(prod, cons, log2)).toBe(used === size);
          expect(queueSlot(prod, log2)).toBe(Number(produced % size));
          expect(queueIndex(prod, log2)).toBe(Number(produced % (2n * size)));
        },
      ),
    );
  });

  test('advancing by parts is advancing at once', () => {
    fc.assert(
      fc.property(log2s, noise, noise, noise, (log2, start, a, b) => {
        expect(queueAdvance(queueAdvance(start, a, log2), b, log2)).toBe(queueAdvance(start, a + b, log2));
      }),
    );
  });

  test('an inconsistent pair is full, has no space and offers nothing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 19 }), noise, noise, (log2, a, b) => {
        const prod = queueIndex(a, log2);
        const cons = queueIndex(b, log2);
        const sameWrap = ((prod ^ cons) & (1 << log2)) === 0;
        const ahead = queueSlot(prod, log2) - queueSlot(cons, log2);
        const inconsistent = sameWrap ? ahead < 0 : ahead > 0; // the architecture's own words
        expect(queueConsistent(prod, cons, log2)).toBe(!inconsistent);
        if (!inconsistent) return;
        expect(queueFull(prod, cons, log2)).toBe(true);
        expect(queueSpace(prod, cons, log2)).toBe(0);
        expect(queueUsed(prod, cons, log2)).toBe(0);
      }),
    );
  });

  test('overflow is a difference of the two flags', () => {
    expect(queueOverflowed(5, 5)).toBe(false);
    expect(queueOverflowed(5 | QUEUE_OVERFLOW, 5)).toBe(true);
    expect(queueOverflowed(5, 3 | QUEUE_OVERFLOW)).toBe(true);
    expect(queueOverflowed(5 | QUEUE_OVERFLOW, 3 | QUEUE_OVERFLOW)).toBe(false);
  });
});
