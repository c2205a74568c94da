import { PRG_FAILURE, PRG_INVALID } from '../pcie/pri-port.layout.ts';
import { address, type Field, type FieldValues, field } from '../record/fields.ts';
import type { RecordView } from '../record/view.ts';
import { writeRange } from './page-range.ts';
import {
  type DecodedRecord,
  describeRecord,
  encodeRecord,
  RECORD_WORDS,
  type RecordKind,
  recordKind,
  strictRecord,
} from './records.ts';

// Command buffer entries (AMD 48882, 2.4; Linux build_*() of amd/iommu.c). Bits are counted from the command's first.
// PREFETCH_IOMMU_PAGES (6), INSERT_GUEST_EVENT (9) and RESET_VMMIO (10) are left out: this hardware does not offer them.
// INVALIDATE_IOTLB_PAGES has its PASID in three pieces. Their places are those of Linux, which leaves PASID[19:16] zero, and of a restatement
// of the specification's figure 47 that has all three; Xen and VirtualBox swap the two low bytes, and agree on PASID[19:16].

export const COMMAND_WORDS: number = RECORD_WORDS;

export const CMD_COMPLETION_WAIT = 1;
export const CMD_INVALIDATE_DEVTAB_ENTRY = 2;
export const CMD_INVALIDATE_IOMMU_PAGES = 3;
export const CMD_INVALIDATE_IOTLB_PAGES = 4;
export const CMD_INVALIDATE_INTERRUPT_TABLE = 5;
export const CMD_COMPLETE_PPR_REQUEST = 7;
export const CMD_INVALIDATE_IOMMU_ALL = 8;

const DEVICE: Field = field('device', 15, 0);
const S: Field = field('s', 64);
const GN: Field = field('gn', 66);
/** Of an IOTLB invalidation: 0 is the standard one, 1 and 2 flush besides. */
const KIND_RESERVED = 3;
const RANGE: readonly Field[] = address('address', 127, 76);

export const COMMAND_KINDS: readonly RecordKind[] = [
  recordKind(
    CMD_COMPLETION_WAIT,
    'COMPLETION_WAIT',
    ...[field('s', 0), field('i', 1), field('f', 2), ...address('store', 51, 3)],
    ...[field('dataLo', 95, 64), field('dataHi', 127, 96)],
  ),
  recordKind(CMD_INVALIDATE_DEVTAB_ENTRY, 'INVALIDATE_DEVTAB_ENTRY', DEVICE),
  recordKind(
    CMD_INVALIDATE_IOMMU_PAGES,
    'INVALIDATE_IOMMU_PAGES',
    ...[field('pasid', 19, 0), field('domain', 47, 32), S, field('pde', 65), GN, ...RANGE],
  ),
  recordKind(
    CMD_INVALIDATE_IOTLB_PAGES,
    'INVALIDATE_IOTLB_PAGES',
    ...[DEVICE, field('pasid15_8', 23, 16), field('maxPend', 31, 24), field('queue', 47, 32)],
    ...[field('pasid7_0', 55, 48), field('pasid19_16', 59, 56), S, GN, field('kind', 69, 68), ...RANGE],
  ),
  recordKind(CMD_INVALIDATE_INTERRUPT_TABLE, 'INVALIDATE_INTERRUPT_TABLE', DEVICE),
  recordKind(
    CMD_COMPLETE_PPR_REQUEST,
    'COMPLETE_PPR_REQUEST',
    ...[DEVICE, field('pasid', 51, 32), GN, field('prgIndex', 104, 96), field('status', 111, 108)],
  ),
  recordKind(CMD_INVALIDATE_IOMMU_ALL, 'INVALIDATE_IOMMU_ALL'),
];

/** Writes any command by the table. @throws IommuError ENOENT, EINVAL, as {@link encodeRecord} */
export function encodeCommand(words: Int32Array, at: number, op: number, values: FieldValues): void {
  encodeRecord('encodeCommand', COMMAND_KINDS, words, at, op, values);
}

/** Reads any command, right or wrong. A PASID without GN is an error in an answer alone: invalidations ignore it. */
export function describeCommand(words: Int32Array, at: number): RecordView {
  const view = describeRecord(COMMAND_KINDS, words, at);
  const { type, status, gn, pasid, kind } = view.fields;
  if (type === CMD_COMPLETE_PPR_REQUEST && status > PRG_INVALID && status !== PRG_FAILURE)
    view.errors.push(`status ${status} is reserved`);
  if (type === CMD_COMPLETE_PPR_REQUEST && gn === 0 && pasid !== 0) view.errors.push('PASID without GN');
  if (type === CMD_INVALIDATE_IOTLB_PAGES && kind === KIND_RESERVED) view.errors.push(`kind ${kind} is reserved`);
  return view;
}

/** Reads a command that has nothing wrong with it. @throws IommuError EINVAL with everything that has */
export function decodeCommand(words: Int32Array, at: number): DecodedRecord {
  return strictRecord('decodeCommand', describeCommand(words, at));
}

export function commandOp(words: Int32Array, at: number): number {
  return words[at + 1] >>> 28;
}

/** Bits 15:0 of every command that names a device. */
export function commandDevice(words: Int32Array, at: number): number {
  return words[at] & 0xffff;
}

const OP_SHIFT = 28;
const PDE_BIT = 2;
const GN_BIT = 4;
const WAIT_STORE = 1;
const WAIT_INTERRUPT = 2;

/** The answer to a page request group: the fault path's command.
 * @param pasid the request's, or -1 for a request without: the answer then carries none.
 * @param status 4 bits, as PCIe has them. */
export function writeCompletePpr(
  words: Int32Array,
  at: number,
  deviceId: number,
  pasid: number,
  prgIndex: number,
  status: number,
): void {
  words[at] = deviceId & 0xffff;
  words[at + 1] = (CMD_COMPLETE_PPR_REQUEST << OP_SHIFT) | (pasid < 0 ? 0 : pasid & 0xfffff);
  words[at + 2] = pasid < 0 ? 0 : GN_BIT;
  words[at + 3] = (prgIndex & 0x1ff) | ((status & 0xf) << 12);
}

/** PASID that the answer carries, or -1. */
export function completePprPasid(words: Int32Array, at: number): number {
  return (words[at + 2] & GN_BIT) === 0 ? -1 : words[at + 1] & 0xfffff;
}
export function completePprGroup(words: Int32Array, at: number): number {
  return words[at + 3] & 0x1ff;
}
export function completePprStatus(words: Int32Array, at: number): number {
  return (words[at + 3] >>> 12) & 0xf;
}

/** Completes by storing `data`, 64 bits of which the low half is given, at word offset `wordAt` (even) of the same memory. */
export function writeCompletionWait(words: Int32Array, at: number, wordAt: number, data: number): void {
  words[at] = (wordAt << 2) | WAIT_STORE;
  words[at + 1] = (CMD_COMPLETION_WAIT << OP_SHIFT) | (wordAt >>> 30);
  words[at + 2] = data;
  words[at + 3] = 0;
}

/** A COMPLETION_WAIT that says nothing to anybody: what an illegal command is overwritten with. */
export function writeNothing(words: Int32Array, at: number): void {
  words[at] = 0;
  words[at + 1] = CMD_COMPLETION_WAIT << OP_SHIFT;
  words[at + 2] = 0;
  words[at + 3] = 0;
}

export function waitStores(words: Int32Array, at: number): boolean {
  return (words[at] & WAIT_STORE) !== 0;
}
export function waitInterrupts(words: Int32Array, at: number): boolean {
  return (words[at] & WAIT_INTERRUPT) !== 0;
}
/** Word offset that a COMPLETION_WAIT stores to: not an index to use unchecked. */
export function waitWordAt(words: Int32Array, at: number): number {
  return (((words[at] >>> 3) | (words[at + 1] << 29)) >>> 0) * 2;
}
/** Bits 51:32 of that address, for the event that says it could not be reached. */
export function waitAddressHigh(words: Int32Array, at: number): number {
  return words[at + 1] & 0xfffff;
}

export function writeInvalidateDevtabEntry(words: Int32Array, at: number, deviceId: number): void {
  words[at] = deviceId & 0xffff;
  words[at + 1] = CMD_INVALIDATE_DEVTAB_ENTRY << OP_SHIFT;
  words[at + 2] = 0;
  words[at + 3] = 0;
}

/** Pages `first` to `last` (page numbers of 52 bits) of a domain, and the directories above them.
 * @param pasid or -1: the pages of the host table, not of a PASID's. */
export function writeInvalidateIommuPages(
  words: Int32Array,
  at: number,
  domain: number,
  pasid: number,
  first: number,
  last: number,
): void {
  words[at] = pasid < 0 ? 0 : pasid & 0xfffff;
  words[at + 1] = (CMD_INVALIDATE_IOMMU_PAGES << OP_SHIFT) | (domain & 0xffff);
  writeRange(words, at, first, last);
  words[at + 2] |= PDE_BIT | (pasid < 0 ? 0 : GN_BIT);
}

/** Pages `first` to `last` in a device's own translation cache. @param maxPend how many of these it takes at once, 0 to 255. */
export function writeInvalidateIotlbPages(
  words: Int32Array,
  at: number,
  deviceId: number,
  maxPend: number,
  pasid: number,
  first: number,
  last: number,
): void {
  const device = deviceId & 0xffff;
  words[at] = device | (maxPend << 24);
  words[at + 1] = (CMD_INVALIDATE_IOTLB_PAGES << OP_SHIFT) | device;
  writeRange(words, at, first, last);
  if (pasid < 0) return;
  words[at] |= ((pasid >>> 8) & 0xff) << 16;
  words[at + 1] |= ((pasid & 0xff) << 16) | (((pasid >>> 16) & 0xf) << 24);
  words[at + 2] |= GN_BIT;
}

export function iotlbPasid(words: Int32Array, at: number): number {
  if ((words[at + 2] & GN_BIT) === 0) return -1;
  const high = words[at + 1] >>> 16;
  return (high & 0xff) | ((words[at] >>> 8) & 0xff00) | ((high & 0xf00) << 8);
}
export function iotlbMaxPend(words: Int32Array, at: number): number {
  return words[at] >>> 24;
}
