import fc from 'fast-check';
import { type Field, type FieldValues, fieldMax } from '../../record/fields.ts';

/** A record whose every bit has to be written over. */
export function words8(): Int32Array<ArrayBuffer> {
  return new Int32Array(8).fill(-1);
}

/** w0, w1, … as 64-bit hex. */
export function hex(words: Int32Array, size: number = words.length): string[] {
  const half = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
  return Array.from({ length: size / 2 }, (_, i) => half(words[2 * i + 1]) + half(words[2 * i]));
}

export const u32: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xffffffff });
export const page20: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xfffff });
export const rid16: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xffff });
/** A PASID, or -1: none. */
export const anyPasid: fc.Arbitrary<number> = fc.integer({ min: -1, max: 0xfffff });

/** Values that fit, for every field but the `fixed` ones. */
export function valuesOf(fields: readonly Field[], fixed: readonly string[]): fc.Arbitrary<FieldValues> {
  const entries = fields
    .filter((f) => !fixed.includes(f.name))
    .map((f): [string, fc.Arbitrary<number>] => {
      const max = fieldMax(f);
      return [f.name, f.inPlace ? u32.map((v) => (v & max) >>> 0) : fc.integer({ min: 0, max })];
    });
  return fc.record(Object.fromEntries(entries)) as fc.Arbitrary<FieldValues>;
}
