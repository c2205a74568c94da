import { checkInteger, IommuError } from '@faultline/core/errors';
import { alignLine, checkRegion, defineLayout, type Layout } from '@faultline/core/memory';
import { LINE, type Words } from '@faultline/core/sync';
import { PORTS_PER_ANNOUNCE } from '../smmu-v3/stall-port.ts';
import { FAULT_RECORD_WORDS } from './fault-records.ts';
import { DESCRIPTOR_WORDS, NARROW_WORDS } from './invalidations.ts';
import { CONTEXT_WORDS, DIRECTORY_ENTRY_WORDS, PASIDS_PER_TABLE } from './tables.ts';

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
const HEADER_WORDS = 20;

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
export const VTD_IQ_WAITERS: number = 14 * LINE; // who waits for IQH to move
export const VTD_PASSES: number = 15 * LINE; // passes of the page request handler, wrapping
export const VTD_PASS_WAITERS: number = 16 * LINE; // who waits for PASSES to move
export const VTD_STATS: number = 17 * LINE;
export const VTD_FIXED: number = 18 * LINE;

/** A thread's line: where its waits complete, and what became of its descriptors. */
export const THREAD_STATUS = 0; // data of the last wait that completed; the hardware's
export const THREAD_BAD: number = LINE; // descriptors refused; the lock's holder
export const THREAD_BAD_AT: number = LINE + 1; // position of the last of them, in the count of IQ_PUT
export const THREAD_WORDS: number = 2 * LINE;

/** What stands at a RID in the device table: index into the core's device table + 1, 0: no driver. */
export const NO_DEVICE = 0;

const PAGE_WORDS = 1024;

/** Hardware statistics, u32, one writer: the hardware. */
export const VTD_STAT_NAMES = [
  'requests', // page requests taken from the ports
  'queued', // of these, written into the page request queue
  'autoSuccess', // answered Success by the hardware: overflow
  'autoInvalid', // answered Invalid by the hardware: tables
  'dropped', // not answered: neither queued nor last, or a stop marker that was not queued
  'overflows', // times PRO was set
  'tableErrors', // requests that met a table error
  'faultsRecorded', // of these, said in a fault record
  'faultsLost', // of these, found no record free
  'implicitInvalidations', // page-selective invalidations before a descriptor is written
  'descriptors', // invalidation queue descriptors taken
  'responses', // of these, page group responses
  'strayResponses', // of these, for a requester or index that no port has, or that takes no more
  'invalidations', // cache invalidations, device-TLBs included
  'deviceTlb', // of these, sent to devices
  'waits', // wait descriptors completed
  'drains', // of these, with PD
  'abortedWaits', // given up by an invalidation time-out
  'queueErrors', // IQE raised
  'timeouts', // ITE raised
  'completionErrors', // ICE raised
  'interrupts', // page request events
  'faultEvents', // fault events
  'peakQueued', // most requests in the queue
] as const;
export type VtdStatName = (typeof VTD_STAT_NAMES)[number];
export const STAT_REQUESTS = 0;
export const STAT_QUEUED = 1;
export const STAT_AUTO_SUCCESS = 2;
export const STAT_AUTO_INVALID = 3;
export const STAT_DROPPED = 4;
export const STAT_OVERFLOWS = 5;
export const STAT_TABLE_ERRORS = 6;
export const STAT_FAULTS_RECORDED = 7;
export const STAT_FAULTS_LOST = 8;
export const STAT_IMPLICIT = 9;
export const STAT_DESCRIPTORS = 10;
export const STAT_RESPONSES = 11;
export const STAT_STRAYS = 12;
export const STAT_INVALIDATIONS = 13;
export const STAT_DEVICE_TLB = 14;
export const STAT_WAITS = 15;
export const STAT_DRAINS = 16;
export const STAT_ABORTED = 17;
export const STAT_QUEUE_ERRORS = 18;
export const STAT_TIMEOUTS = 19;
export const STAT_COMPLETION_ERRORS = 20;
export const STAT_INTERRUPTS = 21;
export const STAT_FAULT_EVENTS = 22;
export const STAT_PEAK = 23;

export const vtdLayout: Layout = defineLayout('vtd', [
  { name: 'HEADER', offset: 0, width: HEADER_WORDS, unit: 'sizes and offsets', writer: 'init' },
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
  { name: 'IQ_WAITERS', offset: VTD_IQ_WAITERS, width: 1, unit: 'threads', writer: 'who waits, by add' },
  { name: 'PASSES', offset: VTD_PASSES, width: 1, unit: 'passes', writer: 'pump' },
  { name: 'PASS_WAITERS', offset: VTD_PASS_WAITERS, width: 1, unit: 'threads', writer: 'who drains, by add' },
  { name: 'STATS', offset: VTD_STATS, width: VTD_STAT_NAMES.length, unit: 'counts', writer: 'hardware, plain' },
]);

export interface VtdConfig {
  /** Page request queue: 2^order pages of 4 KB, 128 descriptors each, one of them always empty. 0 to 7; Linux takes 4. */
  readonly requestOrder: number;
  /** Invalidation queue: 2^order pages of 4 KB. 0 to 7; Linux takes 1. */
  readonly invalidationOrder: number;
  /** Descriptors of 256 bits, as scalable mode and page group responses need. Default true. */
  readonly wideDescriptors?: boolean;
  /** Entries of the context table, RIDs 0 to rids - 1; 1 to 65536. */
  readonly rids: number;
  /** Width of PASIDs, 13 to 20 bits: the size of each PASID directory. Default 13. */
  readonly pasidBits?: number;
  /** PASID tables, of 64 PASIDs of one device each. Default: one for each RID. */
  readonly pasidTables?: number;
  /** PRI ports, 1 to 65536. */
  readonly ports: number;
  /** Threads that put descriptors into the invalidation queue, numbered from 0; 1 to 8192. */
  readonly threads: number;
  /** Fault recording registers, 1 to 256. Default 8. */
  readonly faultRecords?: number;
}

interface Parts {
  readonly offsets: readonly number[]; // of the variable parts, ANNOUNCE first
  readonly words: number;
}

/** @param base where the unit starts: the parts from CONTEXT on are aligned to pages of 4 KB of the memory itself. */
function planParts(call: string, config: VtdConfig, base: number): Parts {
  const pasidBits = config.pasidBits ?? 13;
  checkInteger(call, 'requestOrder', config.requestOrder, 0, 7);
  checkInteger(call, 'invalidationOrder', config.invalidationOrder, 0, 7);
  checkInteger(call, 'rids', config.rids, 1, 65536);
  checkInteger(call, 'pasidBits', pasidBits, 13, 20);
  checkInteger(call, 'pasidTables', config.pasidTables ?? config.rids, 1, 2 ** 20);
  checkInteger(call, 'ports', config.ports, 1, 65536);
  checkInteger(call, 'threads', config.threads, 1, 8192);
  checkInteger(call, 'faultRecords', config.faultRecords ?? 8, 1, 256);
  const plain = [
    Math.ceil(config.ports / PORTS_PER_ANNOUNCE) * LINE,
    (config.faultRecords ?? 8) * FAULT_RECORD_WORDS,
    config.rids,
    config.threads * THREAD_WORDS,
    2 ** config.invalidationOrder * (PAGE_WORDS / NARROW_WORDS), // enough for either width
  ];
  const paged = [
    config.rids * CONTEXT_WORDS,
    config.rids * directoryWords(pasidBits),
    (config.pasidTables ?? config.rids) * PAGE_WORDS,
    2 ** config.requestOrder * PAGE_WORDS,
    2 ** config.invalidationOrder * PAGE_WORDS,
  ];
  const offsets: number[] = [];
  let at = VTD_FIXED;
  for (const words of plain) {
    offsets.push(at);
    at += alignLine(words);
  }
  at = Math.ceil((base + at) / PAGE_WORDS) * PAGE_WORDS - base;
  for (const words of paged) {
    offsets.push(at);
    at += Math.ceil(words / PAGE_WORDS) * PAGE_WORDS;
  }
  return { offsets, words: at };
}

/** Directories start on a page, each. */
export function directoryWords(pasidBits: number): number {
  return Math.max(PAGE_WORDS, (2 ** pasidBits / PASIDS_PER_TABLE) * DIRECTORY_ENTRY_WORDS);
}

/** Words a unit needs, wherever it is laid out. @throws IommuError EINVAL naming the field. */
export function vtdWords(config: VtdConfig): number {
  return planParts('vtdWords', config, 0).words + PAGE_WORDS;
}

/** Lays a unit out at `base`, before it is shared: all off, as after reset. @throws IommuError EINVAL naming the field. */
export function initVtd(words: Words, base: number, config: VtdConfig): void {
  const parts = planParts('initVtd', config, base);
  checkRegion('initVtd', words, base, parts.words);
  words.fill(0, base, base + parts.words);
  words[base + VTD_PRQ_ORDER] = config.requestOrder;
  words[base + VTD_IQ_ORDER] = config.invalidationOrder;
  words[base + VTD_IQ_WIDE] = config.wideDescriptors === false ? 0 : 1;
  words[base + VTD_RIDS] = config.rids;
  words[base + VTD_PASID_BITS] = config.pasidBits ?? 13;
  words[base + VTD_PORTS] = config.ports;
  words[base + VTD_THREADS] = config.threads;
  words[base + VTD_FAULT_RECORDS] = config.faultRecords ?? 8;
  words[base + VTD_TABLE_COUNT] = config.pasidTables ?? config.rids;
  parts.offsets.forEach((offset, i) => {
    words[base + VTD_ANNOUNCE + i] = offset;
  });
  words[base + VTD_READY] = 1;
}

/** @throws IommuError EINVAL when no unit was laid out at `base`. */
export function checkVtd(words: Words, base: number, call: string): void {
  if (words[base + VTD_READY] !== 1)
    throw new IommuError('EINVAL', call, 'base', base, 'no VT-d unit was laid out here');
}

/** Base of the announce bitmap, for PriPortConfig. */
export function vtdAnnounceBase(words: Words, base: number): number {
  checkVtd(words, base, 'vtdAnnounceBase');
  return base + words[base + VTD_ANNOUNCE];
}

/** Bytes of the page request queue. */
export function requestQueueBytes(words: Words, base: number): number {
  return 4096 << words[base + VTD_PRQ_ORDER];
}

/** Words of a descriptor in the unit's invalidation queue. */
export function descriptorWords(words: Words, base: number): number {
  return words[base + VTD_IQ_WIDE] === 1 ? DESCRIPTOR_WORDS : NARROW_WORDS;
}

/** Word offset of the status line of thread `thread`. @throws IommuError EINVAL when there is no such thread. */
export function threadLineAt(words: Words, base: number, thread: number): number {
  checkVtd(words, base, 'threadLineAt');
  checkInteger('threadLineAt', 'thread', thread, 0, words[base + VTD_THREADS] - 1);
  return base + words[base + VTD_THREAD_LINES] + thread * THREAD_WORDS;
}

/** Word offset of a requester's entry in the device table. @throws IommuError ENODEV outside the tables. */
export function deviceEntryAt(words: Words, base: number, rid: number): number {
  checkVtd(words, base, 'deviceEntryAt');
  if (!Number.isInteger(rid) || rid < 0 || rid >= words[base + VTD_RIDS])
    throw new IommuError('ENODEV', 'deviceEntryAt', 'rid', rid, 'outside the context table');
  return base + words[base + VTD_DEVICES] + rid;
}

/** Reads the hardware's statistics. Exact once the hardware is idle. */
export function readVtdStats(words: Words, base: number): Record<VtdStatName, number> {
  const stats = {} as Record<VtdStatName, number>;
  VTD_STAT_NAMES.forEach((name, i) => {
    stats[name] = Atomics.load(words, base + VTD_STATS + i) >>> 0;
  });
  return stats;
}
