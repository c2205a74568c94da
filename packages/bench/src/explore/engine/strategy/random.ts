import { RNG } from '../control.layout.ts';

/** Uniform among those that may go on. Marsaglia's xorshift: its state never is 0. */
export function pickRandom(control: Int32Array, enabled: number): number {
  const rest = enabled & (enabled - 1);
  if (rest === 0) return 31 - Math.clz32(enabled);
  let x = control[RNG];
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  control[RNG] = x;
  if ((rest & (rest - 1)) === 0) return 31 - Math.clz32((x & 0x100) !== 0 ? rest : enabled & -enabled);
  let nth = (x >>> 8) % countBits(enabled);
  let left = enabled;
  while (nth-- > 0) left &= left - 1;
  return 31 - Math.clz32(left & -left);
}

export function countBits(bits: number): number {
  let count = 0;
  for (let left = bits; left !== 0; left &= left - 1) count++;
  return count;
}

/** A schedule's own start of the generator. */
export function seedFor(seed: number, index: number): number {
  let x = Math.imul(seed ^ 0x6a09e667, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b);
  x ^= x >>> 15;
  x = Math.imul(x, 0xc2b2ae35);
  x ^= x >>> 13;
  return x === 0 ? 1 : x;
}
