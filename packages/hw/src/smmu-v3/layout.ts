import { checkInteger, checkPowerOfTwo, IommuError } from '@faultline/core/errors';
import { alignLine, defineLayout, type Layout } from '@faultline/core/memory';
import { LINE, type Words } from '@faultline/core/sync';
import { announceWord, announceWords } from '../queue/announce.ts';
import type { FieldValues } from '../record/fields.ts';
import { COMMAND_WORDS } from './commands.ts';
import { contextAreaWords, initContextArea, planContexts, uniformEntry } from './context-area.ts';
import { EVENT_WORDS } from './events.ts';
import { IDR_DEFAULTS, IDR5, writeIdrs } from './id-registers.ts';
import { PRIQ_RECORD_WORDS } from './priq-records.ts';
import { STE_RECORD_WORDS } from './ste.ts';

// One SMMU's shared words: registers, queues, stream table, announce bitmap. Offsets are from the SMMU's base.

/** First line: written before sharing, read only from then on. */
export const SMMU_READY = 0;
export const SMMU_EVTQ_LOG2 = 1;
export const SMMU_CMDQ_LOG2 = 2;
export const SMMU_CMDQ_COUNT = 3;
export const SMMU_STREAMS = 4;
export const SMMU_PORTS = 5;
export const SMMU_CONTEXT_LOG2 = 6; // descriptors in a stream's own table, log2
export const SMMU_ANNOUNCE = 7; // offsets of the variable parts
export const SMMU_STRTAB = 8;
export const SMMU_EVTQ = 9;
export const SMMU_CMDQ = 10;
export const SMMU_CMDQ_STRIDE = 11;
export const SMMU_CMD_ANNOUNCE = 12;
export const SMMU_PRIQ_LOG2 = 13; // NO_PRIQ: there is none
export const SMMU_PRIQ = 14;
export const SMMU_PRI_ANNOUNCE = 15;
export const SMMU_PRI_PORTS = 16;
export const SMMU_CONTEXTS = 17; // context-area.ts
export const SMMU_IDRS = 20; // four registers: id-registers.ts
export const SMMU_IDR5: number = SMMU_IDRS + IDR5;

/** SMMU_PRIQ_LOG2 of an SMMU without PRI. */
export const NO_PRIQ = -1;

export const SMMU_CR0: number = LINE;
export const SMMU_CR2: number = LINE + 1;
export const SMMU_CR0ACK: number = 2 * LINE;
export const SMMU_GERROR: number = 3 * LINE;
export const SMMU_GERRORN: number = 4 * LINE;
export const SMMU_EVTQ_PROD: number = 5 * LINE;
export const SMMU_EVTQ_CONS: number = 6 * LINE;
export const SMMU_EVTQ_HELD: number = 7 * LINE; // 1 while the hardware holds a stall back for want of an entry
export const SMMU_EVTQ_PASSED: number = 8 * LINE; // records that the pump is done with, since the start, wrapping
export const SMMU_EVTQ_FENCES: number = 9 * LINE; // who waits for PASSED to move
export const SMMU_STATS: number = 10 * LINE;
export const SMMU_PRIQ_PROD: number = 11 * LINE;
export const SMMU_PRIQ_CONS: number = 12 * LINE;
export const SMMU_PRIQ_PASSED: number = 13 * LINE; // records that the PRI pump is done with, since the start, wrapping
export const SMMU_PRIQ_FENCES: number = 14 * LINE; // who waits for PRIQ_PASSED to move
export const SMMU_PRIQ_IRQ_CFG2: number = 15 * LINE;
export const SMMU_FIXED: number = 16 * LINE;

/** A command queue's words, from its own base. */
export const CMDQ_PROD = 0; // the issuing thread's
export const CMDQ_CONS: number = LINE; // the hardware's
export const CMDQ_PARKED: number = 2 * LINE; // 1 while the issuing thread may sleep on CONS
export const CMDQ_MSI: number = 3 * LINE; // where this queue's CMD_SYNC completes; the hardware's
export const CMDQ_ENTRIES: number = 4 * LINE;

/** A stream table entry: the 16 words of the STE (ste.ts), which the driver writes and the hardware keeps until it is told to read them
 * anew; then what software keeps beside it, on the same line. */
export const STE_WORD = 0; // V, Config and what else is in bits 31:0
export const STE_PPAR_WORD = 2; // PPAR is bit 82
export const STE_PPAR_BIT: number = 1 << 18;
export const STE_MASTER: number = STE_RECORD_WORDS; // device index + 1 of the stream's driver, 0 for none
export const STE_WORDS: number = LINE;

/** Hardware statistics, u32, one writer: the hardware. */
export const STAT_NAMES = [
  'stalls', // stall records written
  'events', // all records written
  'retried', // stalls resumed by RESUME(retry)
  'aborted', // stalls resumed by RESUME(abort or terminate)
  'terminated', // accesses ended by the hardware: bad or blocked stream, STALL_TERM, SMMU off
  'bypassed', // accesses of bypass streams: sent back at once to go on untranslated
  'heldForEntry', // times a stall had to wait for an event queue entry
  'heldForTag', // times a stall had to wait for a stall tag
  'overflows', // times OVFLG was toggled
  'dropped', // records discarded: never those of stalls
  'strays', // RESUME that matched no stall: ignored
  'commands', // commands consumed
  'syncs', // of these, CMD_SYNC
  'invalidations', // of these, TLB and ATC invalidations
  'commandErrors', // illegal commands
  'interrupts', // event queue interrupts
  'peakStalls', // most stalls outstanding at the end of a pump
  'pageRequests', // page requests and stop markers recorded
  'priOverflows', // times the PRI queue's OVFLG was toggled
  'priLost', // requests without Last and stop markers that were discarded in silence
  'autoSuccess', // requests discarded and answered Success: an overflow
  'autoFailure', // requests discarded and answered Response Failure
  'priInterrupts', // PRI queue interrupts
  'priResponses', // CMD_PRI_RESP sent on
  'priStrays', // CMD_PRI_RESP for nobody, or for an endpoint that takes none
  'atcInvalidations', // invalidation requests sent to endpoints
  'atcTimeouts', // of these, not completed in time
  'globalErrors', // times a GERROR bit was toggled
] as const;
export type StatName = (typeof STAT_NAMES)[number];
export const STAT_STALLS = 0;
export const STAT_EVENTS = 1;
export const STAT_RETRIED = 2;
export const STAT_ABORTED = 3;
export const STAT_TERMINATED = 4;
export const STAT_BYPASSED = 5;
export const STAT_HELD_ENTRY = 6;
export const STAT_HELD_TAG = 7;
export const STAT_OVERFLOWS = 8;
export const STAT_DROPPED = 9;
export const STAT_STRAYS = 10;
export const STAT_COMMANDS = 11;
export const STAT_SYNCS = 12;
export const STAT_INVALIDATIONS = 13;
export const STAT_COMMAND_ERRORS = 14;
export const STAT_INTERRUPTS = 15;
export const STAT_PEAK = 16;
export const STAT_PAGE_REQUESTS = 17;
export const STAT_PRI_OVERFLOWS = 18;
export const STAT_PRI_LOST = 19;
export const STAT_AUTO_SUCCESS = 20;
export const STAT_AUTO_FAILURE = 21;
export const STAT_PRI_INTERRUPTS = 22;
export const STAT_PRI_RESPONSES = 23;
export const STAT_PRI_STRAYS = 24;
export const STAT_ATC_INVALIDATIONS = 25;
export const STAT_ATC_TIMEOUTS = 26;
export const STAT_GLOBAL_ERRORS = 27;

export const smmuLayout: Layout = defineLayout('smmu-v3', [
  { name: 'HEADER', offset: 0, width: 24, unit: 'sizes and offsets', writer: 'init' },
  { name: 'CR0', offset: SMMU_CR0, width: 1, unit: 'CR0_*', writer: 'driver' },
  { name: 'CR2', offset: SMMU_CR2, width: 1, unit: 'CR2_*', writer: 'driver' },
  { name: 'CR0ACK', offset: SMMU_CR0ACK, width: 1, unit: 'CR0_*', writer: 'hardware' },
  { name: 'GERROR', offset: SMMU_GERROR, width: 1, unit: 'GERROR_*', writer: 'hardware' },
  { name: 'GERRORN', offset: SMMU_GERRORN, width: 1, unit: 'GERROR_*', writer: 'driver' },
  { name: 'EVTQ_PROD', offset: SMMU_EVTQ_PROD, width: 1, unit: 'index, wrap, OVFLG', writer: 'hardware' },
  { name: 'EVTQ_CONS', offset: SMMU_EVTQ_CONS, width: 1, unit: 'index, wrap, OVACKFLG', writer: 'event pump' },
  {
    name: 'EVTQ_HELD',
    offset: SMMU_EVTQ_HELD,
    width: 1,
    unit: '1 while a stall waits for an entry',
    writer: 'hardware',
  },
  { name: 'EVTQ_PASSED', offset: SMMU_EVTQ_PASSED, width: 1, unit: 'records', writer: 'event pump' },
  { name: 'EVTQ_FENCES', offset: SMMU_EVTQ_FENCES, width: 1, unit: 'waiters', writer: 'who fences, by add' },
  { name: 'STATS', offset: SMMU_STATS, width: STAT_NAMES.length, unit: 'counts', writer: 'hardware, plain' },
  { name: 'PRIQ_PROD', offset: SMMU_PRIQ_PROD, width: 1, unit: 'index, wrap, OVFLG', writer: 'hardware' },
  { name: 'PRIQ_CONS', offset: SMMU_PRIQ_CONS, width: 1, unit: 'index, wrap, OVACKFLG', writer: 'PRI pump' },
  { name: 'PRIQ_PASSED', offset: SMMU_PRIQ_PASSED, width: 1, unit: 'records', writer: 'PRI pump' },
  { name: 'PRIQ_FENCES', offset: SMMU_PRIQ_FENCES, width: 1, unit: 'waiters', writer: 'who fences, by add' },
  { name: 'PRIQ_IRQ_CFG2', offset: SMMU_PRIQ_IRQ_CFG2, width: 1, unit: 'PRIQ_IRQ_LO', writer: 'driver' },
]);

export interface SmmuConfig {
  /** Entries of 32 bytes, a power of two, 1 to 2^19. */
  readonly eventQueueEntries: number;
  /** Entries of 16 bytes in each command queue, a power of two, 2 to 2^18. */
  readonly commandQueueEntries: number;
  /** Command queues: one for each thread that issues commands, 1 to 8192. */
  readonly commandQueues: number;
  /** IDR5.STALL_MAX: stalls outstanding at most, 1 to 65535. */
  readonly stallMax: number;
  /** Entries of the stream table, StreamIDs 0 to streams - 1; 1 to 65536. */
  readonly streams: number;
  /** Stall ports, 1 to 65536. */
  readonly ports: number;
  /** Entries of 16 bytes of the PRI queue, a power of two, 1 to 2^19. Default: no PRI (IDR0.PRI = 0). */
  readonly priQueueEntries?: number;
  /** PRI ports, 0 to 65536. Default 0. */
  readonly priPorts?: number;
  /** Context descriptors in the table that each stream has of its own, log2, 0 to 10 (a linear table's most, as in Linux). Default 0. */
  readonly contextLog2?: number;
  /** Fields of the identification registers that differ from {@link IDR_DEFAULTS}. STALL_MAX, PRI and the sizes of queues and
   * StreamIDs follow from this configuration. */
  readonly identification?: FieldValues;
}

interface Parts {
  readonly announce: number;
  readonly commandAnnounce: number;
  readonly strtab: number;
  readonly evtq: number;
  readonly cmdq: number;
  readonly cmdqStride: number;
  readonly priAnnounce: number;
  readonly priq: number;
  readonly contexts: number;
  readonly words: number;
}

function planParts(call: string, config: SmmuConfig): Parts {
  checkPowerOfTwo(call, 'eventQueueEntries', config.eventQueueEntries, 1, 2 ** 19);
  checkPowerOfTwo(call, 'commandQueueEntries', config.commandQueueEntries, 2, 2 ** 18);
  checkInteger(call, 'commandQueues', config.commandQueues, 1, 8192);
  checkInteger(call, 'stallMax', config.stallMax, 1, 65535);
  checkInteger(call, 'streams', config.streams, 1, 65536);
  checkInteger(call, 'ports', config.ports, 1, 65536);
  checkInteger(call, 'priPorts', config.priPorts ?? 0, 0, 65536);
  checkInteger(call, 'contextLog2', config.contextLog2 ?? 0, 0, 10);
  if (config.priQueueEntries !== undefined)
    checkPowerOfTwo(call, 'priQueueEntries', config.priQueueEntries, 1, 2 ** 19);
  const announce = SMMU_FIXED;
  const commandAnnounce = announce + announceWords(config.ports);
  const strtab = commandAnnounce + announceWords(config.commandQueues);
  const evtq = strtab + config.streams * STE_WORDS;
  const cmdq = evtq + alignLine(config.eventQueueEntries * EVENT_WORDS);
  const cmdqStride = CMDQ_ENTRIES + alignLine(config.commandQueueEntries * COMMAND_WORDS);
  const priAnnounce = cmdq + config.commandQueues * cmdqStride;
  const priq = priAnnounce + announceWords(config.priPorts ?? 0);
  const contexts = priq + alignLine((config.priQueueEntries ?? 0) * PRIQ_RECORD_WORDS);
  const words = contexts + contextAreaWords(config.streams, config.contextLog2 ?? 0);
  return { announce, commandAnnounce, strtab, evtq, cmdq, cmdqStride, priAnnounce, priq, contexts, words };
}

/** Words an SMMU needs, a whole number of lines. @throws IommuError EINVAL naming the field. */
export function smmuWords(config: SmmuConfig): number {
  return planParts('smmuWords', config).words;
}

/** Lays an SMMU out at `base`, before it is shared: all off, as after reset. @throws IommuError EINVAL naming the field. */
export function initSmmu(words: Words, base: number, config: SmmuConfig): void {
  const parts = planParts('initSmmu', config);
  checkInteger('initSmmu', 'base', base, LINE, words.length - parts.words);
  words.fill(0, base, base + parts.words);
  words[base + SMMU_EVTQ_LOG2] = Math.log2(config.eventQueueEntries);
  words[base + SMMU_CMDQ_LOG2] = Math.log2(config.commandQueueEntries);
  words[base + SMMU_CMDQ_COUNT] = config.commandQueues;
  words[base + SMMU_STREAMS] = config.streams;
  words[base + SMMU_PORTS] = config.ports;
  words[base + SMMU_CONTEXT_LOG2] = config.contextLog2 ?? 0;
  words[base + SMMU_ANNOUNCE] = parts.announce;
  words[base + SMMU_CMD_ANNOUNCE] = parts.commandAnnounce;
  words[base + SMMU_STRTAB] = parts.strtab;
  words[base + SMMU_EVTQ] = parts.evtq;
  words[base + SMMU_CMDQ] = parts.cmdq;
  words[base + SMMU_CMDQ_STRIDE] = parts.cmdqStride;
  words[base + SMMU_PRI_ANNOUNCE] = parts.priAnnounce;
  words[base + SMMU_PRI_PORTS] = config.priPorts ?? 0;
  words[base + SMMU_PRIQ] = parts.priq;
  words[base + SMMU_PRIQ_LOG2] = config.priQueueEntries === undefined ? NO_PRIQ : Math.log2(config.priQueueEntries);
  words[base + SMMU_CONTEXTS] = planContexts(base, parts.contexts);
  writeIdrs(words, base + SMMU_IDRS, identificationOf(config));
  initContextArea(words, base + words[base + SMMU_CONTEXTS]);
  words[base + SMMU_READY] = 1;
}

function identificationOf(config: SmmuConfig): FieldValues {
  return {
    ...IDR_DEFAULTS,
    stallMax: config.stallMax,
    sidSize: Math.ceil(Math.log2(config.streams)),
    pri: config.priQueueEntries === undefined ? 0 : 1,
    priqs: config.priQueueEntries === undefined ? 0 : 19,
    ...config.identification,
  };
}

/** @throws IommuError EINVAL when no SMMU was laid out at `base`. */
export function checkSmmu(words: Words, base: number, call: string): void {
  if (words[base + SMMU_READY] !== 1) throw new IommuError('EINVAL', call, 'base', base, 'no SMMU was laid out here');
}

/** Base of the announce bitmap, for {@link StallPortConfig}. */
export function smmuAnnounceBase(words: Words, base: number): number {
  checkSmmu(words, base, 'smmuAnnounceBase');
  return base + words[base + SMMU_ANNOUNCE];
}

/** Base of the PRI ports' announce bitmap, for PriPortConfig. */
export function smmuPriAnnounceBase(words: Words, base: number): number {
  checkSmmu(words, base, 'smmuPriAnnounceBase');
  return base + words[base + SMMU_PRI_ANNOUNCE];
}

/** Base of command queue `queue`. @throws IommuError EINVAL when there is no such queue. */
export function commandQueueBase(words: Words, base: number, queue: number): number {
  checkSmmu(words, base, 'commandQueueBase');
  checkInteger('commandQueueBase', 'queue', queue, 0, words[base + SMMU_CMDQ_COUNT] - 1);
  return base + words[base + SMMU_CMDQ] + queue * words[base + SMMU_CMDQ_STRIDE];
}

/** Word offset of the announce word that covers command queue `queue`. */
export function commandAnnounceAt(words: Words, base: number, queue: number): number {
  return announceWord(base + words[base + SMMU_CMD_ANNOUNCE], queue);
}

/** Word offset of stream `streamId`'s table entry. @throws IommuError ENODEV outside the table. */
export function streamEntryAt(words: Words, base: number, streamId: number): number {
  checkSmmu(words, base, 'streamEntryAt');
  if (!Number.isInteger(streamId) || streamId < 0 || streamId >= words[base + SMMU_STREAMS])
    throw new IommuError('ENODEV', 'streamEntryAt', 'streamId', streamId, 'outside the stream table');
  return base + words[base + SMMU_STRTAB] + streamId * STE_WORDS;
}

export interface StreamConfig {
  /** STE_ABORT, STE_BYPASS or STE_TRANSLATE. */
  readonly config: number;
  /** Whether faults stall; without, they end the access and leave a droppable record. */
  readonly stall: boolean;
  /** SubstreamIDs below this may be used, rounded up to a power of two; 0 and 1: none. 0 to 2^20. */
  readonly substreams: number;
  /** Index into the core's device table. */
  readonly device: number;
  /** PRG Response PASID Required of the function's PRI status (STE.PPAR). Default false. */
  readonly pasidInResponses?: boolean;
}

/** Writes a stream table entry whose substreams all share one context: descriptors that the SMMU comes with (context-area.ts), so that no
 * table has to be filled. Before the hardware is opened that is all; later the hardware must be told (CMD_CFGI_STE, CMD_SYNC). */
export function writeStream(words: Words, base: number, streamId: number, stream: StreamConfig): void {
  const at = streamEntryAt(words, base, streamId);
  checkInteger('writeStream', 'substreams', stream.substreams, 0, 2 ** 20);
  checkInteger('writeStream', 'device', stream.device, 0, 2 ** 31 - 2);
  const ste = uniformEntry(base + words[base + SMMU_CONTEXTS], stream);
  for (let i = STE_RECORD_WORDS - 1; i >= 0; i--) Atomics.store(words, at + i, ste[i]); // V goes last
  Atomics.store(words, at + STE_MASTER, stream.device + 1);
}

/** Reads the hardware's statistics. Exact once the hardware is idle. */
export function readSmmuStats(words: Words, base: number): Record<StatName, number> {
  const stats = {} as Record<StatName, number>;
  STAT_NAMES.forEach((name, i) => {
    stats[name] = Atomics.load(words, base + SMMU_STATS + i) >>> 0;
  });
  return stats;
}
