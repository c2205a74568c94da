// 64-bit numbers in shared 32-bit words, low half first. They pass through a scratch of the thread's own: nothing is shifted or
// multiplied in BigInt. Plain accesses: whoever reads or writes holds the lock that guards the words.
import type { Words } from '@faultline/core/sync';

const wide = new BigUint64Array(1);
const half = new Int32Array(wide.buffer);

/** Largest 64-bit number, and the last address. */
export const U64_MAX: bigint = 2n ** 64n - 1n;

export function loadU64(words: Words, at: number): bigint {
  half[0] = words[at];
  half[1] = words[at + 1];
  return wide[0];
}

/** Stores the low 64 bits. */
export function storeU64(words: Words, at: number, value: bigint): void {
  wide[0] = value;
  words[at] = half[0];
  words[at + 1] = half[1];
}

/** Low half of a 64-bit number, unsigned. */
export function lowHalf(value: bigint): number {
  wide[0] = value;
  return half[0] >>> 0;
}

/** High half, unsigned. */
export function highHalf(value: bigint): number {
  wide[0] = value;
  return half[1] >>> 0;
}

/** A 64-bit number as one, exact up to 2^53. */
export function toNumber(value: bigint): number {
  wide[0] = value;
  return (half[1] >>> 0) * 2 ** 32 + (half[0] >>> 0);
}

/** @param unit a power of two, at most 2^31. */
export function isMultiple(value: bigint, unit: number): boolean {
  wide[0] = value;
  return (half[0] & (unit - 1)) === 0;
}

/** Whether what is stored is below, or above, the number of these halves. */
export function isBelow(words: Words, at: number, high: number, low: number): boolean {
  const found = words[at + 1] >>> 0;
  return found < high || (found === high && words[at] >>> 0 < low);
}
export function isAbove(words: Words, at: number, high: number, low: number): boolean {
  const found = words[at + 1] >>> 0;
  return found > high || (found === high && words[at] >>> 0 > low);
}

export function max64(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
export function min64(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
