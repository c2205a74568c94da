import { IommuError } from '@faultline/core/errors';
import { type Field, type FieldValues, field, fieldMask, getFields, setFields } from '../smmu-v3/fields.ts';

// What PPR log entries, events and commands have in common: 16 bytes, what it is in bits 63:60, a field table for each.

export const RECORD_WORDS = 4;

export interface RecordKind {
  /** Bits 63:60. */
  readonly type: number;
  readonly name: string;
  readonly fields: readonly Field[];
}

/** A record as people read it, right or wrong. */
export interface RecordView {
  /** Its name, '' for a type that is unknown. */
  readonly kind: string;
  readonly fields: Record<string, number>;
  /** Everything that is wrong with it, a sentence each; none for a record that hardware may write or take. */
  readonly errors: string[];
}

export interface DecodedRecord {
  readonly name: string;
  readonly values: Record<string, number>;
}

const TYPE: Field = field('type', 63, 60);

export function recordKind(type: number, name: string, ...fields: readonly Field[]): RecordKind {
  return { type, name, fields: [...fields, TYPE] };
}

export function recordType(words: Int32Array, at: number): number {
  return words[at + 1] >>> 28;
}

/** Writes a record by its table: fields that `values` does not name are zero.
 * @throws IommuError ENOENT for an unknown type or field, EINVAL for a value that does not fit. */
export function encodeRecord(
  call: string,
  kinds: readonly RecordKind[],
  words: Int32Array,
  at: number,
  type: number,
  values: FieldValues,
): void {
  const kind = kinds.find((k) => k.type === type);
  if (kind === undefined) throw new IommuError('ENOENT', call, 'type', type, 'is no record of this kind');
  setFields(words, at, RECORD_WORDS, kind.fields, { ...values, type }, call);
}

/** Reads a record by its table, whatever it says. */
export function describeRecord(kinds: readonly RecordKind[], words: Int32Array, at: number): RecordView {
  const type = recordType(words, at);
  const kind = kinds.find((k) => k.type === type);
  if (kind === undefined) return { kind: '', fields: { type }, errors: [`type ${type} is unknown or reserved`] };
  const errors = reservedBits(words, at, RECORD_WORDS, kind.fields);
  return { kind: kind.name, fields: getFields(words, at, kind.fields), errors };
}

/** A record that has nothing wrong with it. @throws IommuError EINVAL an unknown type, or the view's errors, all of them */
export function strictRecord(call: string, { kind, fields, errors }: RecordView): DecodedRecord {
  if (kind === '') throw new IommuError('EINVAL', call, 'type', fields.type, 'is unknown or reserved');
  if (errors.length > 0) throw new IommuError('EINVAL', call, 'record', kind, errors.join('; '));
  return { name: kind, values: fields };
}

/** One sentence for each bit that is set in a record of `size` words and belongs to no field, lowest first. */
export function reservedBits(words: Int32Array, at: number, size: number, fields: readonly Field[]): string[] {
  const errors: string[] = [];
  for (let word = 0; word < size; word++) {
    let known = 0;
    for (const f of fields) if (f.lo >> 5 === word) known |= fieldMask(f);
    for (let odd = words[at + word] & ~known; odd !== 0; odd &= odd - 1)
      errors.push(`bit ${word * 32 + 31 - Math.clz32(odd & -odd)} is reserved and set`);
  }
  return errors;
}
