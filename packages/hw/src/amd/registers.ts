import { checkInteger, checkPowerOfTwo, IommuError } from '@faultline/core/errors';
import { address, type Field, field, getField } from '../record/fields.ts';

// Register bits (AMD 48882, chapter 3). Where the model keeps the registers is in layout.ts.
// The bits above 31 of CONTROL and EXTENDED_FEATURES are as VirtualBox DevIommuAmd.h, CoreFreq amd_reg.h and AMD's own umr list them, those of
// PPR_AUTO_RESPONSE and PPR_EARLY as umr does. Not verified: what a threshold counts.

/** Byte offsets in the MMIO space, for dumps and documents. */
export const MMIO_REGISTERS: readonly { readonly name: string; readonly offset: number }[] = [
  { name: 'DEVICE_TABLE_BASE', offset: 0x0000 },
  { name: 'COMMAND_BASE', offset: 0x0008 },
  { name: 'EVENT_BASE', offset: 0x0010 },
  { name: 'CONTROL', offset: 0x0018 },
  { name: 'EXTENDED_FEATURES', offset: 0x0030 },
  { name: 'PPR_BASE', offset: 0x0038 },
  { name: 'COMMAND_HEAD', offset: 0x2000 },
  { name: 'COMMAND_TAIL', offset: 0x2008 },
  { name: 'EVENT_HEAD', offset: 0x2010 },
  { name: 'EVENT_TAIL', offset: 0x2018 },
  { name: 'STATUS', offset: 0x2020 },
  { name: 'PPR_HEAD', offset: 0x2030 },
  { name: 'PPR_TAIL', offset: 0x2038 },
  { name: 'PPR_AUTO_RESPONSE', offset: 0x2080 },
  { name: 'PPR_EARLY', offset: 0x2088 },
];

/** CONTROL, low word. */
export const CONTROL_IOMMU_EN: number = 1 << 0;
export const CONTROL_EVTLOG_EN: number = 1 << 2;
export const CONTROL_EVTINT_EN: number = 1 << 3;
export const CONTROL_COMWAITINT_EN: number = 1 << 4;
/** InvTimeOut: INV_TIMEOUT_* of the time that a device's invalidation may take. */
export const CONTROL_INV_TIMEOUT_SHIFT = 5;
export const CONTROL_INV_TIMEOUT_MASK: number = 7 << CONTROL_INV_TIMEOUT_SHIFT;
export const CONTROL_CMDBUF_EN: number = 1 << 12;
export const CONTROL_PPRLOG_EN: number = 1 << 13;
export const CONTROL_PPRINT_EN: number = 1 << 14;
export const CONTROL_PPR_EN: number = 1 << 15;
export const CONTROL_GT_EN: number = 1 << 16;

/** CONTROL, high word: the bit's number less 32. */
export const CONTROL_HI_PPR_AUTO_RSP_EN: number = 1 << 7;
export const CONTROL_HI_BLK_STOP_MRK_EN: number = 1 << 9;
export const CONTROL_HI_PPR_AUTO_RSP_AON: number = 1 << 10;

/** InvTimeOut in milliseconds, by code; 0 waits for ever, 7 is reserved. */
export const INV_TIMEOUT_MS: readonly number[] = [0, 1, 10, 100, 1_000, 10_000, 100_000];
export const INV_TIMEOUT_NONE = 0;
export const INV_TIMEOUT_10MS = 2;
export const INV_TIMEOUT_1S = 4;

/** STATUS. Overflow and interrupt bits are cleared by writing 1; the RUN bits are the hardware's. */
export const STATUS_EVT_OVERFLOW: number = 1 << 0;
export const STATUS_EVT_INT: number = 1 << 1;
export const STATUS_COMWAIT_INT: number = 1 << 2;
export const STATUS_EVT_RUN: number = 1 << 3;
export const STATUS_CMD_RUN: number = 1 << 4;
export const STATUS_PPR_OVERFLOW: number = 1 << 5;
export const STATUS_PPR_INT: number = 1 << 6;
export const STATUS_PPR_RUN: number = 1 << 7;
export const STATUS_PPR_EARLY: number = 1 << 18;
/** The bits that writing 1 clears. */
export const STATUS_W1C: number =
  STATUS_EVT_OVERFLOW | STATUS_EVT_INT | STATUS_COMWAIT_INT | STATUS_PPR_OVERFLOW | STATUS_PPR_INT | STATUS_PPR_EARLY;

/** EXTENDED_FEATURES, low word. */
export const EFR_PPR: number = 1 << 1;
export const EFR_GT: number = 1 << 4;
/** INVALIDATE_IOMMU_ALL is there. */
export const EFR_IA: number = 1 << 6;
/** GLXSup: levels of the GCR3 table, less one. */
export const EFR_GLX_SHIFT = 14;
/** EXTENDED_FEATURES, high word. PASMax: bits of a PASID, less one. */
export const EFR_HI_PASMAX_MASK = 0x1f;
export const EFR_HI_PPR_EARLY: number = 1 << 8;
export const EFR_HI_PPR_AUTO_RSP: number = 1 << 9;
export const EFR_HI_BLK_STOP_MRK: number = 1 << 12;
/** GIoSup: requests without a PASID may be translated by a guest page table, that of PASID 0. */
export const EFR_HI_GIO: number = 1 << 16;

/** PPR_AUTO_RESPONSE: the code on the wire, and whether the answer goes out without a PASID. */
export const AUTO_RESPONSE_CODE_MASK = 0xf;
export const AUTO_RESPONSE_MASK_GN: number = 1 << 4;

/** PPR_EARLY: entries in the log from which on the warning is given. */
export const EARLY_THRESHOLD_MASK = 0x7fff;
export const EARLY_INT_EN: number = 1 << 30;
export const EARLY_EN: number = 1 << 31;

/** Base register of a ring: 4 KiB aligned address and length code. */
export const BASE_FIELDS: readonly Field[] = [...address('address', 51, 12), field('length', 59, 56)];
const LENGTH: Field = BASE_FIELDS[2];
/** Length codes below this one are reserved. */
const MIN_LENGTH_CODE = 8;
export const MIN_RING_ENTRIES: number = 1 << MIN_LENGTH_CODE;
export const MAX_RING_ENTRIES = 32768;

/** Entries that the base register at `at` says: 2^code, 0 for a reserved code. */
export function baseEntries(words: Int32Array, at: number): number {
  const code = getField(words, at, LENGTH);
  return code < MIN_LENGTH_CODE ? 0 : 2 ** code;
}

/** Word offset of the ring that the base register at `at` names: byte addresses are those of the shared memory. */
export function baseWordAt(words: Int32Array, at: number): number {
  return (((words[at] >>> 12) | (words[at + 1] << 20)) >>> 0) * 1024;
}

/** Writes a base register for a ring of `entries` at word offset `wordAt`.
 * @throws IommuError EINVAL unless `entries` is a power of two from 256 to 32768 and the ring is 4 KiB aligned. */
export function writeBase(words: Int32Array, at: number, wordAt: number, entries: number): void {
  checkPowerOfTwo('writeBase', 'entries', entries, MIN_RING_ENTRIES, MAX_RING_ENTRIES);
  checkInteger('writeBase', 'wordAt', wordAt, 0, 2 ** 32);
  if (wordAt % 1024 !== 0) throw new IommuError('EINVAL', 'writeBase', 'wordAt', wordAt, 'must be 4 KiB aligned');
  words[at] = (wordAt / 1024) << 12;
  words[at + 1] = (wordAt / 1024 / 2 ** 20) | (Math.log2(entries) << 24);
}
