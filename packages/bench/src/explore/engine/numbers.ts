// What the real operations make of their arguments (ECMA-262, ToIntegerOrInfinity and the like).

/** What the real operations make of a value: 2.7 is 2, '3' is 3, undefined is 0. @throws TypeError for a BigInt or a symbol. */
export function toWhole(given: number | bigint): number {
  const value = given as number;
  if (value >> 0 === value) return value + 0; // the usual one; a negative zero becomes none
  const number = Math.trunc(Number(refuseBigInt(value)));
  return number === 0 || Number.isNaN(number) ? 0 : number;
}

function refuseBigInt(value: unknown): unknown {
  if (typeof value === 'bigint') throw new TypeError(`Cannot convert a BigInt value to a number: ${value}`);
  return value;
}

/** What wait makes of a time-out. */
export function toTimeout(value: number): number {
  const number = Number(refuseBigInt(value));
  return Number.isNaN(number) ? Infinity : Math.max(0, number);
}

/** Past any value that can be made: cuts nothing off. */
const ALL_BITS = 2 ** 53 - 1;

/** What the real operations make of a value for 64-bit words. @throws TypeError for a number, SyntaxError for text that is none. */
export function toBigInt(value: unknown): bigint {
  return typeof value === 'bigint' ? value : BigInt.asIntN(ALL_BITS, value as bigint);
}
