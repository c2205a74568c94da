import { IommuError } from '@faultline/core/errors';
import { type Field, fieldMask, getFields } from './fields.ts';

/** A record as people read it, right or wrong. */
export interface RecordView {
  /** Its name, '' for an encoding that is not defined. */
  readonly kind: string;
  readonly fields: Record<string, number>;
  /** Everything that is wrong with it, one sentence each; none for a record that hardware may write or take. */
  readonly errors: string[];
}

/** Bits of each of `size` words that no field covers: they must be zero. */
export function reservedBits(fields: readonly Field[], size: number): Int32Array {
  const reserved = new Int32Array(size).fill(-1);
  for (const f of fields) reserved[f.lo >> 5] &= ~fieldMask(f);
  return reserved;
}

/** Numbers of the bits that are set in half `half` of a 64-bit word, lowest first. */
export function bitNumbers(bits: number, half: number): number[] {
  const numbers: number[] = [];
  for (let left = bits; left !== 0; left &= left - 1) numbers.push(32 * half + 31 - Math.clz32(left & -left));
  return numbers;
}

/** Reads a record by its fields, and says which reserved bits are set. */
export function viewRecord(
  words: Int32Array,
  at: number,
  kind: string,
  fields: readonly Field[],
  reserved: Int32Array,
): RecordView {
  const errors: string[] = [];
  reserved.forEach((mask, i) => {
    for (const bit of bitNumbers(words[at + i] & mask, i % 2))
      errors.push(`w${i >> 1}: bit ${bit} is reserved and set`);
  });
  return { kind, fields: getFields(words, at, fields), errors };
}

/** @returns the view of a record that has nothing wrong with it. @throws IommuError EINVAL with everything that has */
export function strictView(call: string, view: RecordView): RecordView {
  if (view.errors.length > 0)
    throw new IommuError('EINVAL', call, 'record', view.kind === '' ? view.fields : view.kind, view.errors.join('; '));
  return view;
}
