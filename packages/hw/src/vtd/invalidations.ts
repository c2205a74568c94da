import { IommuError } from '@faultline/core/errors';
import { address, type Field, type FieldValues, field, getFields, setFields } from '../record/fields.ts';
import { type RecordView, reservedBits, strictView, viewRecord } from '../record/view.ts';
import { IQEI_NONE, IQEI_RESERVED, IQEI_TYPE } from './registers.ts';

// Invalidation queue descriptors (VT-d 6.5.2 and 7.6): 32 bytes in a queue with IQA.DW set, 16 without. Bits are counted from the
// descriptor's first; bits not named are zero. The type is seven bits in two places; all types defined so far fit the lower four.

export const DESCRIPTOR_WORDS = 8;
/** Words of a descriptor in a queue of 128-bit descriptors. */
export const NARROW_WORDS = 4;

export const INV_CONTEXT = 1;
export const INV_IOTLB = 2;
export const INV_DEVICE_TLB = 3;
export const INV_INTERRUPT_ENTRY = 4;
export const INV_WAIT = 5;
export const INV_PASID_IOTLB = 6;
export const INV_PASID_CACHE = 7;
export const INV_PASID_DEVICE_TLB = 8;
export const INV_PAGE_GROUP_RESPONSE = 9;

/** Granularities, field `g`. */
export const CONTEXT_GLOBAL = 1;
export const CONTEXT_DOMAIN = 2;
export const CONTEXT_DEVICE = 3;
export const IOTLB_GLOBAL = 1;
export const IOTLB_DOMAIN = 2;
export const IOTLB_PAGE = 3;
export const PASID_IOTLB_ALL = 2; // the whole PASID
export const PASID_IOTLB_PAGE = 3;
export const PASID_CACHE_DOMAIN = 0;
export const PASID_CACHE_ONE = 1;
export const PASID_CACHE_GLOBAL = 3;

/** Response codes on the wire; 2 to 0xE are reserved (Linux writes its own FAILURE, 2, unchanged). */
export const PGR_SUCCESS = 0;
export const PGR_INVALID = 1;
export const PGR_FAILURE = 15;

const TYPE: readonly Field[] = [field('type', 3, 0), field('typeHigh', 11, 9)];
const G: Field = field('g', 5, 4);
const DID: Field = field('did', 31, 16);
const PASID: Field = field('pasid', 51, 32);
const RANGE: readonly Field[] = [field('am', 69, 64), field('ih', 70), ...address('address', 127, 76)];
const PFSID: readonly Field[] = [field('pfsidLow', 15, 12), field('pfsidHigh', 63, 52)];

export interface InvalidationKind {
  readonly type: number;
  readonly name: string;
  readonly fields: readonly Field[];
  /** Values of `g` that mean something; absent for a descriptor without. */
  readonly granularities?: readonly number[];
}

function kind(
  type: number,
  name: string,
  fields: readonly Field[],
  granularities?: readonly number[],
): InvalidationKind {
  const whole = { type, name, fields: [...TYPE, ...fields] };
  return granularities === undefined ? whole : { ...whole, granularities };
}

export const INVALIDATION_KINDS: readonly InvalidationKind[] = [
  kind(INV_CONTEXT, 'CONTEXT_CACHE', [G, DID, field('sid', 47, 32), field('fm', 49, 48)], [1, 2, 3]),
  kind(INV_IOTLB, 'IOTLB', [G, field('dw', 6), field('dr', 7), DID, ...RANGE], [1, 2, 3]),
  kind(INV_DEVICE_TLB, 'DEVICE_TLB', [
    field('depth', 20, 16),
    ...PFSID,
    field('sid', 47, 32),
    field('s', 64),
    ...address('address', 127, 76),
  ]),
  kind(INV_INTERRUPT_ENTRY, 'INTERRUPT_ENTRY', [field('g', 4), field('im', 31, 27), field('iidx', 47, 32)]),
  kind(INV_WAIT, 'WAIT', [
    field('if', 4),
    field('sw', 5),
    field('fn', 6),
    field('pd', 7),
    field('statusData', 63, 32),
    ...address('statusAddress', 127, 66),
  ]),
  kind(INV_PASID_IOTLB, 'PASID_IOTLB', [G, DID, PASID, ...RANGE], [2, 3]),
  kind(INV_PASID_CACHE, 'PASID_CACHE', [G, DID, PASID], [0, 1, 3]),
  kind(INV_PASID_DEVICE_TLB, 'PASID_DEVICE_TLB', [
    field('depth', 8, 4),
    ...PFSID,
    field('sid', 31, 16),
    PASID,
    field('global', 64), // the range in every PASID; taken out of newer revisions
    field('s', 75),
    ...address('address', 127, 76),
  ]),
  kind(INV_PAGE_GROUP_RESPONSE, 'PAGE_GROUP_RESPONSE', [
    field('pasidPresent', 4),
    field('code', 15, 12),
    field('rid', 31, 16),
    PASID,
    field('lpig', 66), // ignored
    field('prgi', 75, 67),
  ]),
];

const KIND_COUNT = INV_PAGE_GROUP_RESPONSE + 1;
const BY_TYPE: ReadonlyMap<number, InvalidationKind> = new Map(INVALIDATION_KINDS.map((k) => [k.type, k]));
/** Reserved bits and allowed granularities by type, flat: the hardware looks here for every descriptor. */
const RESERVED = new Int32Array(KIND_COUNT * DESCRIPTOR_WORDS).fill(-1);
const GRANULARITIES = new Int32Array(KIND_COUNT).fill(15); // bit g: g is defined
for (const k of INVALIDATION_KINDS) {
  RESERVED.set(reservedBits(k.fields, DESCRIPTOR_WORDS), k.type * DESCRIPTOR_WORDS);
  if (k.granularities !== undefined) GRANULARITIES[k.type] = k.granularities.reduce((bits, g) => bits | (1 << g), 0);
}

/** @returns the kind of descriptor `type`, or undefined for a type that raises IQE. */
export function invalidationKind(type: number): InvalidationKind | undefined {
  return BY_TYPE.get(type);
}

export function invalidationType(words: Int32Array, at: number): number {
  return (words[at] & 0xf) | ((words[at] >>> 5) & 0x70);
}

/** Writes any descriptor by the table, 32 bytes: in a narrow queue the second half is left out.
 * @throws IommuError ENOENT for an unknown type or field, EINVAL for a value that does not fit. */
export function encodeInvalidation(words: Int32Array, at: number, type: number, values: FieldValues): void {
  const k = BY_TYPE.get(type);
  if (k === undefined) throw new IommuError('ENOENT', 'encodeInvalidation', 'type', type, 'is no descriptor of VT-d');
  setFields(words, at, DESCRIPTOR_WORDS, k.fields, { ...values, type }, 'encodeInvalidation');
}

/** Reads any descriptor, right or wrong; kind '' and the type alone for a type that VT-d does not define.
 * @param size words of a descriptor in its queue. */
export function describeInvalidation(words: Int32Array, at: number, size: number = DESCRIPTOR_WORDS): RecordView {
  const type = invalidationType(words, at);
  const k = BY_TYPE.get(type);
  if (k === undefined)
    return { kind: '', fields: getFields(words, at, TYPE), errors: [`type ${type} is no invalidation descriptor`] };
  const reserved = RESERVED.subarray(type * DESCRIPTOR_WORDS, type * DESCRIPTOR_WORDS + size);
  const view = viewRecord(words, at, k.name, k.fields, reserved);
  if (k.granularities !== undefined && !k.granularities.includes(view.fields.g))
    view.errors.push(`granularity ${view.fields.g} is reserved`);
  if (type === INV_PAGE_GROUP_RESPONSE && size === NARROW_WORDS)
    view.errors.push('a page group response needs a queue of 256-bit descriptors');
  if (type === INV_PAGE_GROUP_RESPONSE && view.fields.code > PGR_INVALID && view.fields.code < PGR_FAILURE)
    view.errors.push(`response code ${view.fields.code} is reserved`);
  return view;
}

/** Reads a descriptor that has nothing wrong with it. @throws IommuError EINVAL for an unknown type, reserved bits or encodings */
export function decodeInvalidation(words: Int32Array, at: number, size: number = DESCRIPTOR_WORDS): RecordView {
  return strictView('decodeInvalidation', describeInvalidation(words, at, size));
}

/** What the hardware thinks of a descriptor before it acts. A reserved response code is the endpoint's to judge.
 * Which IQEI a page group response in a queue of 128-bit descriptors gives is unverified: the type, here.
 * @returns IQEI_NONE, or why the queue stops. */
export function checkInvalidation(words: Int32Array, at: number, size: number): number {
  const type = invalidationType(words, at);
  if (type === 0 || type >= KIND_COUNT) return IQEI_TYPE;
  if (type === INV_PAGE_GROUP_RESPONSE && size === NARROW_WORDS) return IQEI_TYPE;
  const r = type * DESCRIPTOR_WORDS;
  let set =
    (words[at] & RESERVED[r]) |
    (words[at + 1] & RESERVED[r + 1]) |
    (words[at + 2] & RESERVED[r + 2]) |
    (words[at + 3] & RESERVED[r + 3]);
  if (size === DESCRIPTOR_WORDS) set |= words[at + 4] | words[at + 5] | words[at + 6] | words[at + 7]; // no kind has fields here
  if (set !== 0) return IQEI_RESERVED;
  return ((GRANULARITIES[type] >>> ((words[at] >>> 4) & 3)) & 1) === 1 ? IQEI_NONE : IQEI_RESERVED;
}
