import { IommuError } from '@faultline/core/errors';
import { address, type Field, type FieldValues, field, getFields, setFields } from '../record/fields.ts';

// Command queue records, 16 bytes (IHI 0070, chapter 4). Bits are counted from the record's first; bits not named are zero.
// Left out: SSec (secure state), TTL128, CFGI_VMS_PIDM (illegal without MPAM), and EL3, secure and DPT commands.
// The text of the architecture names the parameters of the prefetches (4.2), not their places, which are in pictures that could not be read: SSV,
// SubstreamID, Size and address stand where gem5's model has them (src/dev/arm/smmu_v3_defs.hh) and, but for Size, where every other command
// does. Where NS, which is zero here, and Stride are is unverified: both are left out.

export const COMMAND_WORDS = 4;

export const CMD_PREFETCH_CFG = 0x01;
export const CMD_PREFETCH_ADDR = 0x02;
export const CMD_CFGI_STE = 0x03;
export const CMD_CFGI_STE_RANGE = 0x04;
export const CMD_CFGI_CD = 0x05;
export const CMD_CFGI_CD_ALL = 0x06;
export const CMD_TLBI_NH_ALL = 0x10;
export const CMD_TLBI_NH_ASID = 0x11;
export const CMD_TLBI_NH_VA = 0x12;
export const CMD_TLBI_NH_VAA = 0x13;
export const CMD_TLBI_EL2_ALL = 0x20;
export const CMD_TLBI_EL2_ASID = 0x21;
export const CMD_TLBI_EL2_VA = 0x22;
export const CMD_TLBI_EL2_VAA = 0x23;
export const CMD_TLBI_S12_VMALL = 0x28;
export const CMD_TLBI_S2_IPA = 0x2a;
export const CMD_TLBI_NSNH_ALL = 0x30;
export const CMD_ATC_INV = 0x40;
export const CMD_PRI_RESP = 0x41;
export const CMD_RESUME = 0x44;
export const CMD_STALL_TERM = 0x45;
export const CMD_SYNC = 0x46;

/** CMD_RESUME Resp: bit 0 is retry, bit 1 is abort (ignored with retry). */
export const RESUME_TERMINATE = 0; // completes as RAZ/WI; an abort where TERM_MODEL is 1
export const RESUME_RETRY = 1;
export const RESUME_ABORT = 2;

/** CMD_SYNC CS: how completion is signalled. */
export const SYNC_NONE = 0;
export const SYNC_IRQ = 1; // a write of MSIData to MSIAddr
export const SYNC_SEV = 2;
export const SYNC_ILLEGAL = 3;

/** CMD_PRI_RESP Resp. Not the order of the wire (0 success, 1 invalid, 15 failure), nor of the core. 3 is illegal. */
export const PRI_RESP_FAILURE = 0;
export const PRI_RESP_INVALID = 1;
export const PRI_RESP_SUCCESS = 2;

/** CMD_ATC_INV Size that means every address; larger ones are illegal here. */
export const ATC_SIZE_ALL = 52;

/** CFGI_STE_RANGE's Range that means all of the stream table. */
export const CFGI_RANGE_ALL = 31;

const OP: Field = field('op', 7, 0);
const STREAM: Field = field('streamId', 63, 32);
const SSID: Field = field('substreamId', 31, 12);
const SSV: Field = field('ssv', 11);
const VMID: Field = field('vmid', 47, 32);
const ASID: Field = field('asid', 63, 48);
const LEAF: Field = field('leaf', 64);
const RANGE: readonly Field[] = [field('num', 16, 12), field('scale', 24, 20)];
const SCOPE: readonly Field[] = [LEAF, field('ttl', 73, 72), field('tg', 75, 74)];
const VA: readonly Field[] = address('address', 127, 76);

export interface CommandKind {
  readonly op: number;
  readonly name: string;
  readonly fields: readonly Field[];
}

function kind(op: number, name: string, ...fields: readonly Field[]): CommandKind {
  return { op, name, fields: [OP, ...fields] };
}

export const COMMAND_KINDS: readonly CommandKind[] = [
  kind(CMD_PREFETCH_CFG, 'PREFETCH_CFG', SSV, SSID, STREAM),
  kind(CMD_PREFETCH_ADDR, 'PREFETCH_ADDR', SSV, SSID, STREAM, field('size', 68, 64), ...VA),
  kind(CMD_CFGI_STE, 'CFGI_STE', STREAM, LEAF),
  kind(CMD_CFGI_STE_RANGE, 'CFGI_STE_RANGE', STREAM, field('range', 68, 64)),
  kind(CMD_CFGI_CD, 'CFGI_CD', SSID, STREAM, LEAF),
  kind(CMD_CFGI_CD_ALL, 'CFGI_CD_ALL', STREAM),
  kind(CMD_TLBI_NH_ALL, 'TLBI_NH_ALL', VMID),
  kind(CMD_TLBI_NH_ASID, 'TLBI_NH_ASID', VMID, ASID),
  kind(CMD_TLBI_NH_VA, 'TLBI_NH_VA', ...RANGE, VMID, ASID, ...SCOPE, ...VA),
  kind(CMD_TLBI_NH_VAA, 'TLBI_NH_VAA', ...RANGE, VMID, ...SCOPE, ...VA),
  kind(CMD_TLBI_EL2_ALL, 'TLBI_EL2_ALL'),
  kind(CMD_TLBI_EL2_ASID, 'TLBI_EL2_ASID', ASID),
  kind(CMD_TLBI_EL2_VA, 'TLBI_EL2_VA', ...RANGE, ASID, ...SCOPE, ...VA),
  kind(CMD_TLBI_EL2_VAA, 'TLBI_EL2_VAA', ...RANGE, ...SCOPE, ...VA),
  kind(CMD_TLBI_S12_VMALL, 'TLBI_S12_VMALL', VMID),
  kind(CMD_TLBI_S2_IPA, 'TLBI_S2_IPA', ...RANGE, VMID, ...SCOPE, ...address('address', 115, 76)),
  kind(CMD_TLBI_NSNH_ALL, 'TLBI_NSNH_ALL'),
  kind(CMD_ATC_INV, 'ATC_INV', field('global', 9), SSV, SSID, STREAM, field('size', 69, 64), ...VA),
  kind(CMD_PRI_RESP, 'PRI_RESP', SSV, SSID, STREAM, field('prgIndex', 72, 64), field('resp', 77, 76)),
  kind(CMD_RESUME, 'RESUME', field('resp', 13, 12), STREAM, field('stag', 79, 64)),
  kind(CMD_STALL_TERM, 'STALL_TERM', STREAM),
  kind(
    CMD_SYNC,
    'SYNC',
    field('cs', 13, 12),
    field('msh', 23, 22),
    field('msiAttr', 27, 24),
    field('msiData', 63, 32),
    ...address('msiAddress', 115, 66),
  ),
];

const BY_OP: ReadonlyMap<number, CommandKind> = new Map(COMMAND_KINDS.map((k) => [k.op, k]));

/** @returns the kind of command `op`, or undefined for an opcode that raises CERROR_ILL. */
export function commandKind(op: number): CommandKind | undefined {
  return BY_OP.get(op);
}

/** Writes any command by the table.
 * @throws IommuError ENOENT for an unknown opcode or field, EINVAL for a value that does not fit. */
export function encodeCommand(words: Int32Array, at: number, op: number, values: FieldValues): void {
  const k = BY_OP.get(op);
  if (k === undefined) throw new IommuError('ENOENT', 'encodeCommand', 'op', op, 'is no command of SMMUv3');
  setFields(words, at, COMMAND_WORDS, k.fields, { ...values, op }, 'encodeCommand');
}

/** Reads any command by the table.
 * @returns name and field values; name '' and the opcode alone for an opcode the architecture does not define. */
export function decodeCommand(
  words: Int32Array,
  at: number,
): { readonly name: string; readonly values: Record<string, number> } {
  const k = BY_OP.get(commandOp(words, at));
  if (k === undefined) return { name: '', values: getFields(words, at, [OP]) };
  return { name: k.name, values: getFields(words, at, k.fields) };
}

export function commandOp(words: Int32Array, at: number): number {
  return words[at] & 0xff;
}

/** Bits 63:32 of every command that names a stream. */
export function commandStreamId(words: Int32Array, at: number): number {
  return words[at + 1] >>> 0;
}

/** The fault path's command. `streamId` as u32 or i32, `stag` 16 bits. */
export function writeResume(words: Int32Array, at: number, streamId: number, stag: number, resp: number): void {
  words[at] = CMD_RESUME | (resp << 12);
  words[at + 1] = streamId;
  words[at + 2] = stag;
  words[at + 3] = 0;
}

export function resumeResp(words: Int32Array, at: number): number {
  return (words[at] >>> 12) & 3;
}

export function resumeStag(words: Int32Array, at: number): number {
  return words[at + 2] & 0xffff;
}

/** CMD_SYNC that completes by writing `data` to the word at offset `wordAt` of the same memory (a byte address, times 4, on the wire). */
export function writeSyncMsi(words: Int32Array, at: number, wordAt: number, data: number): void {
  words[at] = CMD_SYNC | (SYNC_IRQ << 12);
  words[at + 1] = data;
  words[at + 2] = wordAt << 2;
  words[at + 3] = wordAt >>> 30;
}

/** CMD_SYNC that completes by being consumed. Also what a driver overwrites an illegal command with. */
export function writeSync(words: Int32Array, at: number): void {
  words[at] = CMD_SYNC;
  words.fill(0, at + 1, at + COMMAND_WORDS);
}

export function syncSignal(words: Int32Array, at: number): number {
  return (words[at] >>> 12) & 3;
}

/** Word offset that MSIAddr names. */
export function syncWordAt(words: Int32Array, at: number): number {
  return ((words[at + 2] >>> 2) | (words[at + 3] << 30)) >>> 0;
}

/** SubstreamID of a command, or -1 where SSV is 0. */
export function commandSubstream(words: Int32Array, at: number): number {
  return (words[at] & SSV_BIT) === 0 ? -1 : words[at] >>> 12;
}

const SSV_BIT = 1 << 11;
const GLOBAL_BIT = 1 << 9;

/** The answer to a page request group. `substreamId` -1: without one. `resp` is PRI_RESP_*. */
export function writePriResp(
  words: Int32Array,
  at: number,
  streamId: number,
  substreamId: number,
  prgIndex: number,
  resp: number,
): void {
  words[at] = CMD_PRI_RESP | (substreamId < 0 ? 0 : (substreamId << 12) | SSV_BIT);
  words[at + 1] = streamId;
  words[at + 2] = (prgIndex & 0x1ff) | (resp << 12);
  words[at + 3] = 0;
}

export function priRespIndex(words: Int32Array, at: number): number {
  return words[at + 2] & 0x1ff;
}

export function priRespCode(words: Int32Array, at: number): number {
  return (words[at + 2] >>> 12) & 3;
}

/** Invalidates 2^`size` pages of an endpoint's cache, aligned to that; ATC_SIZE_ALL: everything. `substreamId` -1: in every SubstreamID. */
export function writeAtcInv(
  words: Int32Array,
  at: number,
  streamId: number,
  substreamId: number,
  pageLo: number,
  pageHi: number,
  size: number,
): void {
  words[at] = CMD_ATC_INV | (substreamId < 0 ? 0 : (substreamId << 12) | SSV_BIT);
  words[at + 1] = streamId;
  words[at + 2] = (pageLo << 12) | size;
  words[at + 3] = (pageLo >>> 20) | (pageHi << 12);
}

export function atcSize(words: Int32Array, at: number): number {
  return words[at + 2] & 0x3f;
}

export function atcGlobal(words: Int32Array, at: number): boolean {
  return (words[at] & GLOBAL_BIT) !== 0;
}

/** Has the hardware read a stream's entry afresh. `leaf` 1: the entry alone, 0: the second-level table that it is in too. */
export function writeCfgiSte(words: Int32Array, at: number, streamId: number, leaf: number): void {
  words[at] = CMD_CFGI_STE;
  words[at + 1] = streamId;
  words[at + 2] = leaf;
  words[at + 3] = 0;
}

/** Bit 64 of the commands that have it. */
export function commandLeaf(words: Int32Array, at: number): number {
  return words[at + 2] & 1;
}

/** Invalidates (`num` + 1) * 2^`scale` pages of `tg` (1: 4 KiB) from a page on, of `op`'s kind: `tag` is VMID | ASID << 16, as the kind has them. */
export function writeTlbiRange(
  words: Int32Array,
  at: number,
  op: number,
  tag: number,
  range: number,
  scope: number,
  pageLo: number,
  pageHi: number,
): void {
  words[at] = op | range;
  words[at + 1] = tag;
  words[at + 2] = (pageLo << 12) | scope;
  words[at + 3] = (pageLo >>> 20) | (pageHi << 12);
}

/** NUM and SCALE of a range, in their places. */
export function tlbiRange(num: number, scale: number): number {
  return (num << 12) | (scale << 20);
}

/** TG and Leaf, in their places; TTL 0 says nothing of levels. */
export function tlbiScope(tg: number, leaf: number): number {
  return (tg << 10) | leaf;
}

/** ASID of a command that has one. */
export function commandAsid(words: Int32Array, at: number): number {
  return words[at + 1] >>> 16;
}

/** VMID of a command that has one. */
export function commandVmid(words: Int32Array, at: number): number {
  return words[at + 1] & 0xffff;
}
