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

/** Reads a record by its table, for people and tests.
 * @throws IommuError EINVAL for an unknown type, or a reserved bit that is set. */
export function decodeRecord(call: string, kinds: readonly RecordKind[], words: Int32Array, at: number): DecodedRecord {
  const type = recordType(words, at);
  const kind = kinds.find((k) => k.type === type);
  if (kind === undefined) throw new IommuError('EINVAL', call, 'type', type, 'is unknown or reserved');
  const bit = firstReservedBit(words, at, RECORD_WORDS, kind.fields);
  if (bit >= 0) throw new IommuError('EINVAL', call, `${kind.name} bit`, bit, 'is reserved and set');
  return { name: kind.name, values: getFields(words, at, kind.fields) };
}

/** @returns number of the lowest bit that is set in a record of `size` words and belongs to no field, or -1. */
export function firstReservedBit(words: Int32Array, at: number, size: number, fields: readonly Field[]): number {
  for (let word = 0; word < size; word++) {
    let known = 0;
    for (const f of fields) if (f.lo >> 5 === word) known |= fieldMask(f);
    const odd = words[at + word] & ~known;
    if (odd !== 0) return word * 32 + 31 - Math.clz32(odd & -odd);
  }
  return -1;
}
