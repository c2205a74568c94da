import { IommuError } from '@faultline/core/errors';
import { type Field, fieldMask, getFields } from '../smmu-v3/fields.ts';

/** A record as people read it. */
export interface RecordView {
  /** Its name, '' for an encoding that VT-d does not define. */
  readonly kind: string;
  readonly fields: Record<string, number>;
  /** What is wrong with it, one sentence each; none for a record that hardware may write or take. */
  readonly errors: string[];
}

/** Bits of each of `size` words that no field covers: they must be zero. */
export function reservedBits(fields: readonly Field[], size: number): Int32Array {
  const reserved = new Int32Array(size).fill(-1);
  for (const f of fields) reserved[f.lo >> 5] &= ~fieldMask(f);
  return reserved;
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
    const bits = words[at + i] & mask;
    if (bits !== 0) {
      const lowest = 32 * (i % 2) + 31 - Math.clz32(bits & -bits);
      errors.push(`w${i >> 1}: bit ${lowest} is reserved and set`);
    }
  });
  return { kind, fields: getFields(words, at, fields), errors };
}

/** @returns the view of a record that has nothing wrong with it. @throws IommuError EINVAL naming what has */
export function strictView(call: string, view: RecordView): RecordView {
  if (view.errors.length > 0)
    throw new IommuError('EINVAL', call, 'record', view.kind === '' ? view.fields : view.kind, view.errors.join('; '));
  return view;
}
