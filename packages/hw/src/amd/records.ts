import { IommuError } from '@faultline/core/errors';
import { type Field, type FieldValues, field, setFields } from '../record/fields.ts';
import { type RecordView, reservedBits, strictView, viewRecord } from '../record/view.ts';

// What PPR log entries, events and commands have in common: 16 bytes, what it is in bits 63:60, a field table for each.

export const RECORD_WORDS = 4;

export interface RecordKind {
  /** Bits 63:60. */
  readonly type: number;
  readonly name: string;
  readonly fields: readonly Field[];
  /** Bits of each word that no field covers. */
  readonly reserved: Int32Array;
}

export interface DecodedRecord {
  readonly name: string;
  readonly values: Record<string, number>;
}

const TYPE: Field = field('type', 63, 60);

export function recordKind(type: number, name: string, ...fields: readonly Field[]): RecordKind {
  const all = [...fields, TYPE];
  return { type, name, fields: all, reserved: reservedBits(all, RECORD_WORDS) };
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
  return viewRecord(words, at, kind.name, kind.fields, kind.reserved);
}

/** A record that has nothing wrong with it. @throws IommuError EINVAL an unknown type, or the view's errors, all of them */
export function strictRecord(call: string, view: RecordView): DecodedRecord {
  const { kind, fields } = view;
  if (kind === '') throw new IommuError('EINVAL', call, 'type', fields.type, 'is unknown or reserved');
  strictView(call, view);
  return { name: kind, values: fields };
}
