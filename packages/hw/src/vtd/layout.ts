import { defineLayout, type Layout } from '@faultline/core/memory';
import { LINE } from '@faultline/core/sync';
import { VTD_STAT_NAMES } from './stats.ts';

// One VT-d unit's shared words: registers, queues, tables, announce bitmap. Offsets are from the unit's base. Registers of 64 bits whose
// high half this model needs not are one word; IQA and PQA are two, and hold real byte addresses: the queues lie on 4 KB.

/** First line: written before sharing, read only from then on. */
export const VTD_READY = 0;
export const VTD_PRQ_ORDER = 1;
export const VTD_IQ_ORDER = 2;
export const VTD_IQ_WIDE = 3; // 1: descriptors of 256 bits
export const VTD_RIDS = 4;
export const VTD_PASID_BITS = 5;
export const VTD_PORTS = 6;
export const VTD_THREADS = 7;
export const VTD_FAULT_RECORDS = 8;
export const VTD_TABLE_COUNT = 9; // PASID tables
export const VTD_ANNOUNCE = 10; // offsets of the variable parts
export const VTD_FRCD = 11;
export const VTD_DEVICES = 12;
export const VTD_THREAD_LINES = 13;
export const VTD_SLOT_OWNERS = 14;
export const VTD_CONTEXT = 15; // from here on: on a page
export const VTD_DIRECTORIES = 16;
export const VTD_TABLES = 17;
export const VTD_PRQ = 18;
export const VTD_IQ = 19;
export const VTD_CAP = 20; // CAP, then ECAP: two words each
export const VTD_IOTLB = 24; // offset of what walkers share, and
export const VTD_WALKERS = 25; // how many there may be
const HEADER_WORDS = 26;

export const VTD_GCMD: number = LINE;
export const VTD_IQA: number = LINE + 1; // two words each
export const VTD_PQA: number = LINE + 3;
export const VTD_GSTS: number = 2 * LINE;
export const VTD_PQH: number = 3 * LINE;
export const VTD_PQT: number = 4 * LINE;
export const VTD_PRS: number = 5 * LINE;
export const VTD_PECTL: number = 6 * LINE;
export const VTD_FSTS: number = 7 * LINE;
export const VTD_FECTL: number = 8 * LINE;
export const VTD_ICS: number = 9 * LINE;
export const VTD_IQH: number = 10 * LINE;
export const VTD_IQERCD: number = 10 * LINE + 1; // two words
export const VTD_IQT: number = 11 * LINE;
export const VTD_IQ_LOCK: number = 12 * LINE; // mutex: the invalidation queue's tail, its slots' owners and the words below
export const VTD_IQ_PUT: number = 13 * LINE; // descriptors put into the queue since the start, wrapping; the lock's holder
export const VTD_IQ_ABORTED: number = 13 * LINE + 1; // waits put before this and not done were given up by an ITE
export const VTD_IQ_ITE_SID: number = 13 * LINE + 2; // requester that the last ITE named
export const VTD_IQ_RECOVERED: number = 13 * LINE + 3; // queue errors acknowledged
export const VTD_IQ_TIMEOUTS: number = 13 * LINE + 4; // of these, ITE, wrapping
export const VTD_IQ_WAITERS: number = 14 * LINE; // who waits for IQH to move
export const VTD_PASSES: number = 15 * LINE; // passes of the page request handler, wrapping
export const VTD_PASS_WAITERS: number = 16 * LINE; // who waits for PASSES to move
export const VTD_TABLES_USED: number = 17 * LINE; // PASID tables taken; they are kept for their directory's lifetime
export const VTD_STATS: number = 18 * LINE;
export const VTD_FIXED: number = 19 * LINE;

/** What walkers share: generations of domains, TOTAL, WAITING and BUSY. @see iotlb.ts */
export const IOTLB_GENERATIONS = 64;
export const IOTLB_TOTAL: number = 2 * LINE; // invalidations so far
export const IOTLB_WAITING: number = IOTLB_TOTAL + 1; // 1 while the hardware waits for a walk
export const IOTLB_BUSY: number = IOTLB_TOTAL + LINE; // a line for each walker: odd while a walk is under way

export function iotlbRegionWords(walkers: number): number {
  return IOTLB_BUSY + walkers * LINE;
}

/** A thread's line: where its waits complete, and what became of its descriptors. */
export const THREAD_STATUS = 0; // data of the last wait that completed; the hardware's
export const THREAD_BAD: number = LINE; // descriptors refused; the lock's holder
export const THREAD_BAD_AT: number = LINE + 1; // position of the last of them, in the count of IQ_PUT
export const THREAD_WORDS: number = 2 * LINE;

/** What stands at a RID in the device table: index into the core's device table + 1, 0: no driver. */
export const NO_DEVICE = 0;

export const vtdLayout: Layout = defineLayout('vtd', [
  { name: 'HEADER', offset: 0, width: HEADER_WORDS, unit: 'sizes, offsets, CAP and ECAP', writer: 'init' },
  { name: 'GCMD', offset: VTD_GCMD, width: 1, unit: 'GCMD_*', writer: 'driver' },
  { name: 'IQA', offset: VTD_IQA, width: 2, unit: 'byte address, order, DW', writer: 'driver' },
  { name: 'PQA', offset: VTD_PQA, width: 2, unit: 'byte address, order', writer: 'driver' },
  { name: 'GSTS', offset: VTD_GSTS, width: 1, unit: 'GCMD_*', writer: 'hardware' },
  { name: 'PQH', offset: VTD_PQH, width: 1, unit: 'bytes', writer: 'event pump' },
  { name: 'PQT', offset: VTD_PQT, width: 1, unit: 'bytes', writer: 'hardware; driver while off' },
  { name: 'PRS', offset: VTD_PRS, width: 1, unit: 'PRS_*', writer: 'hardware sets, pump clears' },
  { name: 'PECTL', offset: VTD_PECTL, width: 1, unit: 'PECTL_*', writer: 'IP hardware, IM driver' },
  { name: 'FSTS', offset: VTD_FSTS, width: 1, unit: 'FSTS_*', writer: 'hardware sets, software clears' },
  { name: 'FECTL', offset: VTD_FECTL, width: 1, unit: 'PECTL_*', writer: 'IP hardware, IM software' },
  { name: 'ICS', offset: VTD_ICS, width: 1, unit: 'ICS_*', writer: 'hardware sets, software clears' },
  { name: 'IQH', offset: VTD_IQH, width: 1, unit: 'bytes', writer: 'hardware' },
  { name: 'IQERCD', offset: VTD_IQERCD, width: 2, unit: 'IQEI, ITESID, ICESID', writer: 'hardware' },
  { name: 'IQT', offset: VTD_IQT, width: 1, unit: 'bytes', writer: 'IQ_LOCK' },
  { name: 'IQ_LOCK', offset: VTD_IQ_LOCK, width: 1, unit: 'mutex', writer: 'who submits' },
  { name: 'IQ_PUT', offset: VTD_IQ_PUT, width: 1, unit: 'descriptors', writer: 'IQ_LOCK holder' },
  { name: 'IQ_ABORTED', offset: VTD_IQ_ABORTED, width: 1, unit: 'descriptors', writer: 'IQ_LOCK holder' },
  { name: 'IQ_ITE_SID', offset: VTD_IQ_ITE_SID, width: 1, unit: 'requester id', writer: 'IQ_LOCK holder' },
  { name: 'IQ_RECOVERED', offset: VTD_IQ_RECOVERED, width: 1, unit: 'errors', writer: 'IQ_LOCK holder' },
  { name: 'IQ_TIMEOUTS', offset: VTD_IQ_TIMEOUTS, width: 1, unit: 'errors', writer: 'IQ_LOCK holder' },
  { name: 'IQ_WAITERS', offset: VTD_IQ_WAITERS, width: 1, unit: 'threads', writer: 'who waits, by add' },
  { name: 'PASSES', offset: VTD_PASSES, width: 1, unit: 'passes', writer: 'pump' },
  { name: 'PASS_WAITERS', offset: VTD_PASS_WAITERS, width: 1, unit: 'threads', writer: 'who drains, by add' },
  { name: 'TABLES_USED', offset: VTD_TABLES_USED, width: 1, unit: 'PASID tables', writer: 'driver, by add' },
  { name: 'STATS', offset: VTD_STATS, width: VTD_STAT_NAMES.length, unit: 'counts', writer: 'hardware, plain' },
]);
