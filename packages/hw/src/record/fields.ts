import { IommuError } from '@faultline/core/errors';

// Bit fields of hardware records, over 32-bit words. A table of these is both the documentation of a record and its codec;
// the few records of the fault path have a codec by hand besides, and tests hold the two against each other.

/** One field: bits `hi` to `lo`, counted from the record's first bit, inside one 32-bit word. */
export interface Field {
  readonly name: string;
  readonly hi: number;
  readonly lo: number;
  /** The value keeps its place in the word, as an address does: its low bits are zero. */
  readonly inPlace?: true;
}

/** Field values by name, each unsigned. */
export type FieldValues = Readonly<Record<string, number>>;

export function field(name: string, hi: number, lo: number = hi): Field {
  return { name, hi, lo };
}

/** An address: bits `hi` to `lo` of the record, `lo` and up of them meaningful, in two words named `nameLo` and `nameHi`. */
export function address(name: string, hi: number, lo: number): readonly [Field, Field] {
  const high = hi - (hi % 32);
  return [
    { name: `${name}Lo`, hi: high - 1, lo, inPlace: true },
    { name: `${name}Hi`, hi, lo: high },
  ];
}

/** Mask of a field's bits inside its word. */
export function fieldMask({ hi, lo }: Field): number {
  return (hi - lo === 31 ? -1 : ((1 << (hi - lo + 1)) - 1) << (lo % 32)) | 0;
}

/** Largest value of a field. */
export function fieldMax(f: Field): number {
  return f.inPlace ? fieldMask(f) >>> 0 : fieldMask(f) >>> (f.lo % 32);
}

export function getField(words: Int32Array, at: number, f: Field): number {
  const bits = words[at + (f.lo >> 5)] & fieldMask(f);
  return f.inPlace ? bits >>> 0 : bits >>> (f.lo % 32);
}

/** @throws IommuError EINVAL naming the field when `value` has bits outside it. */
export function setField(words: Int32Array, at: number, f: Field, value: number, call: string): void {
  const mask = fieldMask(f);
  const bits = f.inPlace ? value | 0 : value << (f.lo % 32);
  if (!Number.isInteger(value) || value < 0 || value > fieldMax(f) || (bits & ~mask) !== 0)
    throw new IommuError('EINVAL', call, f.name, value, `does not fit bits ${f.hi}:${f.lo}`);
  const word = at + (f.lo >> 5);
  words[word] = (words[word] & ~mask) | bits;
}

/** Writes a record of `size` words: fields not named in `values` are zero, as are bits that no field covers.
 * @throws IommuError EINVAL for a value that does not fit, ENOENT for a name that the record does not have. */
export function setFields(
  words: Int32Array,
  at: number,
  size: number,
  fields: readonly Field[],
  values: FieldValues,
  call: string,
): void {
  for (const name of Object.keys(values)) {
    if (!fields.some((f) => f.name === name))
      throw new IommuError('ENOENT', call, name, values[name], 'the record has no such field');
  }
  words.fill(0, at, at + size);
  for (const f of fields) setField(words, at, f, values[f.name] ?? 0, call);
}

export function getFields(words: Int32Array, at: number, fields: readonly Field[]): Record<string, number> {
  const values: Record<string, number> = {};
  for (const f of fields) values[f.name] = getField(words, at, f);
  return values;
}

/** One line a field, for documents and failing tests. */
export function describeFields(fields: readonly Field[]): string {
  return fields.map((f) => `[${f.hi}:${f.lo}] ${f.name}`).join('\n');
}
