import { IommuError } from '@faultline/core/errors';
import { FAULT_PERM_EXEC, FAULT_PERM_PRIV, FAULT_PERM_READ, FAULT_PERM_WRITE } from '@faultline/core/iopf';
import { address, type Field, type FieldValues, field, getFields, setFields } from '../record/fields.ts';

// Event records, 32 bytes (IHI 0070, 7.3). Bits are counted from the record's first; bits not named are zero.
// Left out: NSIPA, GPCF and the bits of F_PERMISSION that go with permission indirection.
// Unverified: F_BAD_ATS_TREQ also has Span and the requested permissions; the architecture's text names them (7.3.6), but the picture that places
// them could not be read, and neither Linux nor QEMU decodes them, so they are left out and are reserved to the strict reader. Of
// E_PAGE_REQUEST every field is verified (7.3.19).

export const EVENT_WORDS = 8;

export const EVT_F_UUT = 0x01;
export const EVT_C_BAD_STREAMID = 0x02;
export const EVT_F_STE_FETCH = 0x03;
export const EVT_C_BAD_STE = 0x04;
export const EVT_F_BAD_ATS_TREQ = 0x05;
export const EVT_F_STREAM_DISABLED = 0x06;
export const EVT_F_TRANSL_FORBIDDEN = 0x07;
export const EVT_C_BAD_SUBSTREAMID = 0x08;
export const EVT_F_CD_FETCH = 0x09;
export const EVT_C_BAD_CD = 0x0a;
export const EVT_F_WALK_EABT = 0x0b;
export const EVT_F_TRANSLATION = 0x10;
export const EVT_F_ADDR_SIZE = 0x11;
export const EVT_F_ACCESS = 0x12;
export const EVT_F_PERMISSION = 0x13;
export const EVT_F_TLB_CONFLICT = 0x20;
export const EVT_F_CFG_CONFLICT = 0x21;
export const EVT_E_PAGE_REQUEST = 0x24;
export const EVT_F_VMS_FETCH = 0x25;

/** CLASS: what the SMMU was doing. A stage-1 fault always has IN. */
export const EVENT_CLASS_CD = 0;
export const EVENT_CLASS_TT = 1;
export const EVENT_CLASS_IN = 2;

const ID: Field = field('id', 7, 0);
const STREAM: Field = field('streamId', 63, 32);
const SSV: Field = field('ssv', 11);
const SSID: Field = field('substreamId', 31, 12);
const SUBSTREAM: readonly Field[] = [SSV, SSID];
const REASON: Field = field('reason', 79, 64);
const ACCESS: readonly Field[] = [field('pnu', 97), field('ind', 98), field('rnw', 99)];
const S2: Field = field('s2', 103);
const CLASS: Field = field('class', 105, 104);
const INPUT: readonly Field[] = address('address', 191, 128);
const IPA: readonly Field[] = address('ipa', 247, 204);
const FETCH: readonly Field[] = address('fetch', 247, 195);
const FAULT: readonly Field[] = [
  ID,
  ...SUBSTREAM,
  STREAM,
  field('stag', 79, 64),
  field('stall', 95),
  ...ACCESS,
  S2,
  CLASS,
  ...INPUT,
  ...IPA,
];

export interface EventKind {
  readonly id: number;
  readonly name: string;
  /** Whether Stall=1 is legal: such a record needs an answer. */
  readonly mayStall: boolean;
  readonly fields: readonly Field[];
}

function kind(id: number, name: string, fields: readonly Field[], mayStall: boolean = false): EventKind {
  return { id, name, mayStall, fields };
}

export const EVENT_KINDS: readonly EventKind[] = [
  kind(EVT_F_UUT, 'F_UUT', [ID, ...SUBSTREAM, STREAM, REASON, ...ACCESS, ...INPUT]),
  kind(EVT_C_BAD_STREAMID, 'C_BAD_STREAMID', [ID, ...SUBSTREAM, STREAM]),
  kind(EVT_F_STE_FETCH, 'F_STE_FETCH', [ID, ...SUBSTREAM, STREAM, REASON, ...FETCH]),
  kind(EVT_C_BAD_STE, 'C_BAD_STE', [ID, ...SUBSTREAM, STREAM]),
  kind(EVT_F_BAD_ATS_TREQ, 'F_BAD_ATS_TREQ', [ID, ...SUBSTREAM, STREAM, ...address('address', 191, 140)]),
  kind(EVT_F_STREAM_DISABLED, 'F_STREAM_DISABLED', [ID, STREAM]),
  kind(EVT_F_TRANSL_FORBIDDEN, 'F_TRANSL_FORBIDDEN', [ID, ...SUBSTREAM, STREAM, field('rnw', 99), ...INPUT]),
  kind(EVT_C_BAD_SUBSTREAMID, 'C_BAD_SUBSTREAMID', [ID, SSID, STREAM]), // no SSV bit: always valid
  kind(EVT_F_CD_FETCH, 'F_CD_FETCH', [ID, ...SUBSTREAM, STREAM, REASON, ...FETCH]),
  kind(EVT_C_BAD_CD, 'C_BAD_CD', [ID, ...SUBSTREAM, STREAM]),
  kind(EVT_F_WALK_EABT, 'F_WALK_EABT', [ID, ...SUBSTREAM, STREAM, REASON, ...ACCESS, S2, CLASS, ...INPUT, ...FETCH]),
  kind(EVT_F_TRANSLATION, 'F_TRANSLATION', FAULT, true),
  kind(EVT_F_ADDR_SIZE, 'F_ADDR_SIZE', FAULT, true),
  kind(EVT_F_ACCESS, 'F_ACCESS', FAULT, true),
  kind(EVT_F_PERMISSION, 'F_PERMISSION', [...FAULT, field('ttrnw', 108)], true),
  kind(EVT_F_TLB_CONFLICT, 'F_TLB_CONFLICT', [ID, ...SUBSTREAM, STREAM, REASON, ...ACCESS, S2, ...INPUT, ...IPA]),
  kind(EVT_F_CFG_CONFLICT, 'F_CFG_CONFLICT', [ID, ...SUBSTREAM, STREAM, REASON]),
  kind(EVT_E_PAGE_REQUEST, 'E_PAGE_REQUEST', [
    ID,
    ...SUBSTREAM,
    STREAM,
    field('ux', 97),
    field('uw', 98),
    field('ur', 99),
    field('px', 101),
    field('pw', 102),
    field('pr', 103),
    field('span', 115, 108),
    ...address('address', 191, 140),
  ]),
  kind(EVT_F_VMS_FETCH, 'F_VMS_FETCH', [ID, ...SUBSTREAM, STREAM, REASON, ...FETCH]),
];

const BY_ID: ReadonlyMap<number, EventKind> = new Map(EVENT_KINDS.map((k) => [k.id, k]));

/** @returns the kind of event `id`, or undefined for an event number the architecture does not define. */
export function eventKind(id: number): EventKind | undefined {
  return BY_ID.get(id);
}

/** Writes the record of event `id`. For tests, dumps and injection; the fault path has {@link writeTranslationFault}.
 * @throws IommuError ENOENT for an unknown event or field, EINVAL for a value that does not fit. */
export function encodeEvent(words: Int32Array, at: number, id: number, values: FieldValues): void {
  const k = BY_ID.get(id);
  if (k === undefined) throw new IommuError('ENOENT', 'encodeEvent', 'id', id, 'is no event of SMMUv3');
  setFields(words, at, EVENT_WORDS, k.fields, { ...values, id }, 'encodeEvent');
}

/** Reads any record by the table.
 * @returns name and field values; name '' and the id alone for an event the architecture does not define. */
export function decodeEvent(
  words: Int32Array,
  at: number,
): { readonly name: string; readonly values: Record<string, number> } {
  const k = BY_ID.get(eventId(words, at));
  if (k === undefined) return { name: '', values: getFields(words, at, [ID]) };
  return { name: k.name, values: getFields(words, at, k.fields) };
}

export function eventId(words: Int32Array, at: number): number {
  return words[at] & 0xff;
}

export function eventStreamId(words: Int32Array, at: number): number {
  return words[at + 1] >>> 0;
}

export function eventStalls(words: Int32Array, at: number): boolean {
  return words[at + 2] < 0; // bit 31 of w1
}

export function eventStag(words: Int32Array, at: number): number {
  return words[at + 2] & 0xffff;
}

const SSV_BIT = 1 << 11;
const STALL_BIT = 1 << 31;
const PNU = 1 << 1; // these three, S2 and CLASS in the high half of w1
const IND = 1 << 2;
const RNW = 1 << 3;
const S2_BIT: number = 1 << 7;
const CLASS_IN: number = EVENT_CLASS_IN << 8;

/** Bits 31:0 of w0 for a transaction with `substreamId`, or -1 for none. */
export function substreamBits(substreamId: number): number {
  return substreamId < 0 ? 0 : (substreamId << 12) | SSV_BIT;
}

/** Writes F_TRANSLATION, stage 1, class IN. `stag` -1: the access was terminated, not stalled. */
export function writeTranslationFault(
  words: Int32Array,
  at: number,
  streamId: number,
  substreamId: number,
  stag: number,
  perm: number,
  pageLo: number,
  pageHi: number,
): void {
  words[at] = EVT_F_TRANSLATION | substreamBits(substreamId);
  words[at + 1] = streamId;
  words[at + 2] = stag < 0 ? 0 : stag | STALL_BIT;
  words[at + 3] = CLASS_IN | accessBits(perm);
  words[at + 4] = pageLo << 12;
  words[at + 5] = (pageLo >>> 20) | (pageHi << 12);
  words[at + 6] = 0;
  words[at + 7] = 0;
}

/** Makes the F_TRANSLATION at `at` stage 2's: S2, and the IPA, which is the input address where stage 1 does not translate. */
export function setStage2(words: Int32Array, at: number): void {
  words[at + 3] |= S2_BIT;
  words[at + 6] = words[at + 4] & -4096;
  words[at + 7] = words[at + 5] & 0xffffff;
}

/** Writes an event that carries a byte address that could not be read: F_STE_FETCH, F_CD_FETCH, F_VMS_FETCH. */
export function writeFetchEvent(
  words: Int32Array,
  at: number,
  id: number,
  streamId: number,
  substreamWord: number,
  fetchLo: number,
  fetchHi: number,
): void {
  writeConfigurationEvent(words, at, id, streamId, substreamWord);
  words[at + 6] = fetchLo & -8;
  words[at + 7] = fetchHi & 0xffffff;
}

/** Writes an event that carries an address that was refused: F_BAD_ATS_TREQ, and with RnW of `perm` F_TRANSL_FORBIDDEN. */
export function writeRefusedAddress(
  words: Int32Array,
  at: number,
  id: number,
  streamId: number,
  substreamWord: number,
  perm: number,
  pageLo: number,
  pageHi: number,
): void {
  writeConfigurationEvent(words, at, id, streamId, substreamWord);
  if (id === EVT_F_TRANSL_FORBIDDEN) words[at + 3] = accessBits(perm) & RNW;
  words[at + 4] = pageLo << 12;
  words[at + 5] = (pageLo >>> 20) | (pageHi << 12);
}

/** Writes an event that carries a stream and a substream alone: a configuration error. */
export function writeConfigurationEvent(
  words: Int32Array,
  at: number,
  id: number,
  streamId: number,
  substreamWord: number,
): void {
  words[at] = id | substreamWord;
  words[at + 1] = streamId;
  words.fill(0, at + 2, at + EVENT_WORDS);
}

/** FAULT_PERM_* to PnU, InD and RnW. A write is never an instruction fetch (7.3). */
export function accessBits(perm: number): number {
  const user = (perm & FAULT_PERM_PRIV) !== 0 ? PNU : 0;
  if ((perm & FAULT_PERM_WRITE) !== 0) return user;
  return user | RNW | ((perm & FAULT_PERM_EXEC) !== 0 ? IND : 0);
}

/** High half of w1 to FAULT_PERM_*: READ if RnW else WRITE, EXEC if InD, PRIV if PnU, as Linux's driver does. */
export function eventPerm(w1High: number): number {
  return (
    ((w1High & RNW) !== 0 ? FAULT_PERM_READ : FAULT_PERM_WRITE) |
    ((w1High & IND) !== 0 ? FAULT_PERM_EXEC : 0) |
    ((w1High & PNU) !== 0 ? FAULT_PERM_PRIV : 0)
  );
}
