// The argument structs of ioctls as tables: from one table come the decoder, the encoder and the type of the decoded object.

import { IommuError } from '@faultline/core/errors';
import { U64_MAX } from '../memory/u64.ts';

type Kind = 'u8' | 'u16' | 'u32' | 'i32' | 'u64';
type ValueOf<K extends Kind> = K extends 'u64' ? bigint : number;

/** Way of a field: read from the caller, written back, both, or reserved: must be 0. */
type Way = 'in' | 'out' | 'inout' | 'reserved';

/** Kind, byte offset, way. */
export type Field = readonly [kind: Kind, at: number, way: Way];

export type Fields = Readonly<Record<string, Field>>;

/** A struct that others point to, such as a driver's data: little-endian. */
export interface DataStruct<F extends Fields = Fields> {
  readonly name: string;
  /** Smallest accepted, and full, in bytes. */
  readonly minBytes: number;
  readonly bytes: number;
  readonly fields: F;
}

/** The argument of an ioctl: its u32 `size` is at offset 0. */
export interface Struct<F extends Fields = Fields> extends DataStruct<F> {
  /** The low byte of the request number. */
  readonly nr: number;
}

/** A decoded struct. Reserved fields are not in it. */
export type Args<S> =
  S extends DataStruct<infer F>
    ? { -readonly [N in keyof F as F[N][2] extends 'reserved' ? never : N]: ValueOf<F[N][0]> }
    : never;

/** A struct's fields as lists, made once: what is walked in every call. */
interface Plan {
  readonly read: readonly Step[];
  readonly written: readonly Step[];
  readonly reserved: readonly Step[];
}
interface Step {
  readonly name: string;
  readonly kind: Kind;
  readonly at: number;
  readonly way: Way;
}
const plans = new WeakMap<Fields, Plan>();
/** The one that was asked for last: a call asks three times. */
let last: { readonly fields: Fields; readonly plan: Plan } | undefined;

function planOf(fields: Fields): Plan {
  if (last !== undefined && last.fields === fields) return last.plan;
  let plan = plans.get(fields);
  if (plan === undefined) {
    const steps = Object.entries(fields).map(([name, [kind, at, way]]) => ({ name, kind, at, way }));
    plan = {
      read: steps.filter(({ way }) => way !== 'reserved'),
      written: steps.filter(({ way }) => way === 'out' || way === 'inout'),
      reserved: steps.filter(({ way }) => way === 'reserved'),
    };
    plans.set(fields, plan);
  }
  last = { fields, plan };
  return plan;
}

/** Reads the fields that are not reserved. @param view at least the struct's bytes, what the caller did not give being 0. */
export function decodeStruct<S extends DataStruct>({ fields }: S, view: DataView): Args<S> {
  const args: Record<string, number | bigint> = {};
  decodeInto({ fields }, view, args);
  return args as Args<S>;
}

/** The same into an object that there is. */
export function decodeInto({ fields }: Pick<DataStruct, 'fields'>, view: DataView, args: object): void {
  const values = args as Record<string, number | bigint>;
  const { read } = planOf(fields);
  for (let i = 0; i < read.length; i++) {
    const { name, kind, at, way } = read[i];
    values[name] = way === 'out' ? (kind === 'u64' ? 0n : 0) : get(view, kind, at);
  }
}

/** Name of a reserved field that is not 0, undefined when all are. */
export function reservedInUse({ fields }: DataStruct, view: DataView): string | undefined {
  for (const { name, kind, at } of planOf(fields).reserved) if (Number(get(view, kind, at)) !== 0) return name;
  return undefined;
}

/** What a field holds, reserved or not. */
export function fieldIn({ fields }: DataStruct, view: DataView, name: string): number | bigint {
  return get(view, fields[name][0], fields[name][1]);
}

/** Where a field's bytes begin and end. */
export function spanOf({ fields }: DataStruct, name: string): readonly [start: number, end: number] {
  const [kind, at] = fields[name];
  return [at, at + BYTES_OF[kind]];
}

/** Arguments of users of this language may be any number: bytes hold whole ones, of their width, only.
 * @throws IommuError EINVAL naming the field. */
export function checkArgs<S extends DataStruct>({ name: call, fields }: S, args: Args<S>): void {
  const values = args as Readonly<Record<string, unknown>>;
  for (const { name, kind } of planOf(fields).read) {
    if (fits(kind, values[name])) continue;
    const field = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    throw new IommuError('EINVAL', call, field, values[name], `is no ${kind}`);
  }
}

const BYTES_OF = { u8: 1, u16: 2, u32: 4, i32: 4, u64: 8 } as const;
const LARGEST = { u8: 2 ** 8 - 1, u16: 2 ** 16 - 1, u32: 2 ** 32 - 1 } as const;

function fits(kind: Kind, value: unknown): boolean {
  if (kind === 'u64') return typeof value === 'bigint' && value >= 0n && value <= U64_MAX;
  if (kind === 'i32') return typeof value === 'number' && (value | 0) === value;
  return typeof value === 'number' && value >>> 0 === value && value <= LARGEST[kind];
}

/** Writes what goes back to the caller; the rest stays as it is. */
export function encodeOutputs<S extends Struct>({ fields }: S, args: Args<S>, view: DataView): void {
  const values = args as Readonly<Record<string, number | bigint>>;
  for (const { name, kind, at } of planOf(fields).written) set(view, kind, at, values[name]);
}

/** Sets what goes back to the caller to 0. */
export function clearOutputs<S extends Struct>({ fields }: S, args: Args<S>): void {
  const values = args as Record<string, number | bigint>;
  for (const name in fields)
    if (fields[name][2] === 'out' || fields[name][2] === 'inout') values[name] = fields[name][0] === 'u64' ? 0n : 0;
}

/** Writes all fields and the size: what a caller does. */
export function encodeStruct<S extends Struct>(struct: S, args: Partial<Args<S>>, view: DataView): void {
  view.setUint32(0, struct.bytes, true);
  encodeData(struct, args, view);
}

/** Writes all fields; reserved ones, and those left out, are 0. */
export function encodeData<S extends DataStruct>({ fields }: S, args: Partial<Args<S>>, view: DataView): void {
  const values = args as Readonly<Record<string, number | bigint | undefined>>;
  for (const name in fields) {
    const [kind, at] = fields[name];
    set(view, kind, at, values[name] ?? 0);
  }
}

/** Whether anything is written back. */
export function hasOutputs({ fields }: Struct): boolean {
  return Object.values(fields).some(([, , way]) => way === 'out' || way === 'inout');
}

/** All fields 0. */
export function defaultArgs<S extends Struct>({ fields }: S): Args<S> {
  const args: Record<string, number | bigint> = {};
  for (const name in fields) if (fields[name][2] !== 'reserved') args[name] = fields[name][0] === 'u64' ? 0n : 0;
  return args as Args<S>;
}

function get(view: DataView, kind: Kind, at: number): number | bigint {
  switch (kind) {
    case 'u8':
      return view.getUint8(at);
    case 'u16':
      return view.getUint16(at, true);
    case 'u32':
      return view.getUint32(at, true);
    case 'i32':
      return view.getInt32(at, true);
    default:
      return view.getBigUint64(at, true);
  }
}

function set(view: DataView, kind: Kind, at: number, value: number | bigint): void {
  if (kind === 'u64') view.setBigUint64(at, typeof value === 'bigint' ? value : BigInt(value), true);
  else if (kind === 'i32') view.setInt32(at, Number(value), true);
  else if (kind === 'u32') view.setUint32(at, Number(value), true);
  else if (kind === 'u16') view.setUint16(at, Number(value), true);
  else view.setUint8(at, Number(value));
}
