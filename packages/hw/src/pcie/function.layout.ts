import { checkInteger, IommuError } from '@faultline/core/errors';
import { checkRegion, defineLayout, type Layout } from '@faultline/core/memory';
import { LINE, type Words } from '@faultline/core/sync';

// What host software sees of a PCIe function: the registers of its ATS and PRI capabilities, in words instead of configuration space.
// A function may have several queues, each with a PRI port, an endpoint and a thread; these registers are one set for all of them.
//
// Ordering.
//   [O] endpoint: RUNNING + 1, then CONTROL    pairs with  host: CONTROL without ENABLE, then RUNNING (isStopped)
//   [I] endpoint: last request answered, then RUNNING - 1    pairs with  host: RUNNING, then whatever rests on silence
//   [X] host: RESETS, then the wake doorbells  pairs with  the endpoint's sleep: PARKED, then RESETS
// [O] is store-then-load on both sides: a host that has cleared ENABLE and finds the function stopped gets no request any more.

/** Header: written before sharing. */
export const FUNCTION_CAPACITY = 0; // Outstanding Page Request Capacity
export const FUNCTION_QUEUES = 1; // endpoints among which the allocation is divided
export const FUNCTION_PASID_REQUIRED = 2; // 1: PRG Response PASID Required
export const FUNCTION_ATS_DEPTH = 3; // Invalidate Queue Depth, 1 to 32
/** The host's. */
export const FUNCTION_CONTROL: number = LINE; // bit 0: PRI Enable; above: number of the enabling, from 1
export const FUNCTION_ALLOCATION: number = LINE + 1; // Outstanding Page Request Allocation
export const FUNCTION_RESETS: number = LINE + 2; // times that Reset was written
export const FUNCTION_ATS: number = LINE + 3; // bit 15: ATS Enable; 4:0 STU; above 16: how often it was written
/** PRI Status: RF and UPRGI. Set by endpoints, cleared by the host: by `or` and `and`. */
export const FUNCTION_STATUS: number = 2 * LINE;
/** Endpoints with requests outstanding. */
export const FUNCTION_RUNNING: number = 3 * LINE;
/** The enabling (CONTROL >> 1) in which a Response Failure came: the interface is disabled until the next one. */
export const FUNCTION_FAILED: number = 4 * LINE;
const FUNCTION_WORDS = 5 * LINE;

export const functionLayout: Layout = defineLayout('pcie-function', [
  { name: 'HEADER', offset: 0, width: 4, unit: 'sizes and offers', writer: 'init' },
  { name: 'CONTROL', offset: FUNCTION_CONTROL, width: 1, unit: 'ENABLE, enabling << 1', writer: 'host' },
  { name: 'ALLOCATION', offset: FUNCTION_ALLOCATION, width: 1, unit: 'page requests', writer: 'host' },
  { name: 'RESETS', offset: FUNCTION_RESETS, width: 1, unit: 'resets', writer: 'host' },
  { name: 'ATS', offset: FUNCTION_ATS, width: 1, unit: 'ENABLE, STU, writes << 16', writer: 'host' },
  { name: 'STATUS', offset: FUNCTION_STATUS, width: 1, unit: 'PRI_STATUS_*', writer: 'both, atomic' },
  { name: 'RUNNING', offset: FUNCTION_RUNNING, width: 1, unit: 'endpoints', writer: 'endpoints, atomic' },
  { name: 'FAILED', offset: FUNCTION_FAILED, width: 1, unit: 'enabling', writer: 'endpoints, atomic' },
]);

/** PRI Status bits. @see Linux include/uapi/linux/pci_regs.h, PCI_PRI_STATUS_* */
export const PRI_STATUS_RF = 1; // Response Failure
export const PRI_STATUS_UPRGI = 2; // Unexpected Page Request Group Index
export const PRI_STATUS_STOPPED: number = 1 << 8;
export const PRI_STATUS_PASID_REQUIRED: number = 1 << 15;

/** PRI Control bit, in CONTROL. */
export const PRI_CTRL_ENABLE = 1;

/** ATS Control bits, in ATS. */
export const ATS_CTRL_ENABLE: number = 1 << 15;
export const ATS_CTRL_STU = 0x1f; // smallest translation unit: log2 of the page size, less 12

export interface FunctionConfig {
  /** Page requests that the function can have outstanding, 1 to 65536. */
  readonly capacity: number;
  /** Its queues, each with a PRI port and an endpoint. Default 1. */
  readonly queues?: number;
  /** Whether responses to requests with PASID must carry it. Default true. */
  readonly pasidRequired?: boolean;
  /** Invalidations that it can have outstanding, 1 to 32. Default 32. */
  readonly invalidateDepth?: number;
}

export function functionWords(): number {
  return FUNCTION_WORDS;
}

/** Lays a function's registers out: ATS and PRI are disabled, PRI has stopped.
 * @throws IommuError EINVAL names the field that is out of range. */
export function initFunction(words: Words, base: number, config: FunctionConfig): void {
  const call = 'initFunction';
  const { capacity, queues = 1, pasidRequired = true, invalidateDepth = 32 } = config;
  checkRegion(call, words, base, FUNCTION_WORDS);
  checkInteger(call, 'capacity', capacity, 1, 65536);
  checkInteger(call, 'queues', queues, 1, capacity);
  checkInteger(call, 'invalidateDepth', invalidateDepth, 1, 32);
  words.fill(0, base, base + FUNCTION_WORDS);
  words[base + FUNCTION_CAPACITY] = capacity;
  words[base + FUNCTION_QUEUES] = queues;
  words[base + FUNCTION_PASID_REQUIRED] = pasidRequired ? 1 : 0;
  words[base + FUNCTION_ATS_DEPTH] = invalidateDepth;
  words[base + FUNCTION_CONTROL] = 2; // enabling 1, not begun: FAILED is none
}

/** @throws IommuError EINVAL where no function's registers were laid out. */
export function checkFunction(call: string, words: Words, base: number): void {
  checkRegion(call, words, base, FUNCTION_WORDS);
  if (words[base + FUNCTION_CAPACITY] === 0)
    throw new IommuError('EINVAL', call, 'base', base, 'no function was laid out here');
}
