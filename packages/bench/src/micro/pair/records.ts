// The record that goes through the rings: 32 bytes, all eight words written and read. Word k of record i is i + k.

/** Sum of all words of records 0..items-1, wrapping, `width` words each. */
export function recordsSum(items: number, width: number): number {
  const count = BigInt(items);
  const words = BigInt(width);
  return Number(BigInt.asIntN(32, (words * count * (count - 1n)) / 2n + count * ((words * (words - 1n)) / 2n)));
}

/** Sum of the values 1..items, wrapping. */
export function valuesSum(items: number): number {
  const count = BigInt(items);
  return Number(BigInt.asIntN(32, (count * (count + 1n)) / 2n));
}
