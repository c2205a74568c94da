import { checkInteger, IommuError } from '@faultline/core/errors';
import { alignLine, checkRegion } from '@faultline/core/memory';
import type { Words } from '@faultline/core/sync';
import { announceWords } from '../queue/announce.ts';
import type { FieldValues } from '../record/fields.ts';
import { CAPABILITY_DEFAULTS, writeCapabilities } from './capabilities.ts';
import { FAULT_RECORD_WORDS } from './fault-records.ts';
import { DESCRIPTOR_WORDS, NARROW_WORDS } from './invalidations.ts';
import {
  iotlbRegionWords,
  THREAD_WORDS,
  VTD_ANNOUNCE,
  VTD_CAP,
  VTD_DEVICES,
  VTD_FAULT_RECORDS,
  VTD_FIXED,
  VTD_IOTLB,
  VTD_IQ_ORDER,
  VTD_IQ_WIDE,
  VTD_PASID_BITS,
  VTD_PORTS,
  VTD_PRQ_ORDER,
  VTD_READY,
  VTD_RIDS,
  VTD_STATS,
  VTD_TABLE_COUNT,
  VTD_THREAD_LINES,
  VTD_THREADS,
  VTD_WALKERS,
} from './layout.ts';
import { VTD_STAT_NAMES, type VtdStatName } from './stats.ts';
import { CONTEXT_WORDS, DIRECTORY_ENTRY_WORDS, PASIDS_PER_TABLE } from './tables.ts';

// Laying a unit out, and finding one's way in it.

const PAGE_WORDS = 1024;

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
  /** Threads that translate devices' accesses (Remapper), numbered from 0; 0 to 4096. Default 0. */
  readonly walkers?: number;
  /** Fault recording registers, 1 to 256. Default 8. */
  readonly faultRecords?: number;
  /** CAPABILITY_FIELDS, over CAPABILITY_DEFAULTS; NFR, PSS and SMTS go by the sizes above. CM is not modelled. */
  readonly capabilities?: FieldValues;
}

interface Parts {
  readonly offsets: readonly number[]; // of the variable parts, ANNOUNCE first
  readonly iotlb: number;
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
  checkInteger(call, 'walkers', config.walkers ?? 0, 0, 4096);
  checkInteger(call, 'faultRecords', config.faultRecords ?? 8, 1, 256);
  const plain = [
    announceWords(config.ports),
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
  const iotlb = at;
  at += alignLine(iotlbRegionWords(config.walkers ?? 0));
  at = Math.ceil((base + at) / PAGE_WORDS) * PAGE_WORDS - base;
  for (const words of paged) {
    offsets.push(at);
    at += Math.ceil(words / PAGE_WORDS) * PAGE_WORDS;
  }
  return { offsets, iotlb, words: at };
}

/** Directories start on a page, each. */
export function directoryWords(pasidBits: number): number {
  return Math.max(PAGE_WORDS, (2 ** pasidBits / PASIDS_PER_TABLE) * DIRECTORY_ENTRY_WORDS);
}

/** Words a unit needs, wherever it is laid out. @throws IommuError EINVAL naming the field. */
export function vtdWords(config: VtdConfig): number {
  return planParts('vtdWords', config, 0).words + PAGE_WORDS;
}

/** Lays a unit out at `base`, before it is shared: all off, as after reset.
 * @throws IommuError EINVAL naming the field, ENOENT for a capability that there is not */
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
  words[base + VTD_IOTLB] = parts.iotlb;
  words[base + VTD_WALKERS] = config.walkers ?? 0;
  words[base + VTD_TABLE_COUNT] = config.pasidTables ?? config.rids;
  writeCapabilities(words, base + VTD_CAP, {
    ...CAPABILITY_DEFAULTS,
    nfr: words[base + VTD_FAULT_RECORDS] - 1,
    pss: words[base + VTD_PASID_BITS] - 1,
    smts: words[base + VTD_IQ_WIDE],
    ...config.capabilities,
  });
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
