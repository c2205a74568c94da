import type { Words } from '@faultline/core/sync';
import { AtsCapability } from './ats-capability.ts';
import {
  ATS_CTRL_ENABLE,
  ATS_CTRL_STU,
  FUNCTION_ALLOCATION,
  FUNCTION_ATS,
  FUNCTION_CAPACITY,
  PRI_CTRL_ENABLE,
} from './function.layout.ts';
import { PriCapability } from './pri-capability.ts';

// What configuration space shows of a function's ATS and PRI capabilities, bit for bit, for who emulates one or reads a dump of one.

/** Extended capability ids, in bits 15:0 of each header; the version is in bits 19:16. */
export const CAP_ID_ATS = 0x000f;
export const CAP_ID_PRI = 0x0013;
const VERSION_1 = 1 << 16;

/** Byte offsets in the ATS capability. */
export const ATS_CAPABILITY = 4; // 4:0 Invalidate Queue Depth, where 0 means 32
export const ATS_CONTROL = 6; // 15 Enable, 4:0 STU
export const ATS_BYTES = 8;

/** Byte offsets in the PRI capability. */
export const PRI_CONTROL = 4; // 0 Enable, 1 Reset
export const PRI_STATUS = 6; // PRI_STATUS_*
export const PRI_MAX_REQUESTS = 8; // Outstanding Page Request Capacity
export const PRI_ALLOC_REQUESTS = 12; // Outstanding Page Request Allocation
export const PRI_BYTES = 16;

const PAGE_ALIGNED = 1 << 5; // addresses of translation requests are always aligned to 4096 bytes

/** The ATS capability of the function at `base` as it reads now: two dwords. @param next offset of the next capability, or 0.
 * @throws IommuError EINVAL where no function was laid out. @see Linux include/uapi/linux/pci_regs.h, PCI_ATS_* */
export function readAtsCapability(words: Words, base: number, next: number = 0): Int32Array {
  const depth = new AtsCapability(words, base).invalidateDepth % 32;
  const control = Atomics.load(words, base + FUNCTION_ATS) & (ATS_CTRL_ENABLE | ATS_CTRL_STU);
  return Int32Array.of(header(CAP_ID_ATS, next), depth | PAGE_ALIGNED | (control << 16));
}

/** The PRI capability, likewise: four dwords. Reset reads as 0.
 * @throws IommuError EINVAL where no function was laid out. @see Linux include/uapi/linux/pci_regs.h, PCI_PRI_* */
export function readPriCapability(words: Words, base: number, next: number = 0): Int32Array {
  const pri = new PriCapability(words, base, []);
  const control = pri.isEnabled() ? PRI_CTRL_ENABLE : 0;
  const allocation = Atomics.load(words, base + FUNCTION_ALLOCATION);
  return Int32Array.of(
    header(CAP_ID_PRI, next),
    control | (pri.status() << 16),
    words[base + FUNCTION_CAPACITY],
    allocation,
  );
}

function header(id: number, next: number): number {
  return id | VERSION_1 | (next << 20);
}
