import { checkInteger, checkPowerOfTwo, IommuError } from '@faultline/core/errors';
import { checkRegion, defineLayout, type Layout } from '@faultline/core/memory';
import { LINE, type Words } from '@faultline/core/sync';
import { announceWords } from '../queue/announce.ts';
import { COMMAND_WORDS } from './commands.ts';
import { DTE_WORDS, GCR3_TABLE_WORDS } from './dte.ts';
import { EVENT_ENTRY_WORDS } from './event-log.ts';
import { PPR_ENTRY_WORDS } from './ppr-log.ts';
import {
  EFR_GT,
  EFR_HI_BLK_STOP_MRK,
  EFR_HI_GIO,
  EFR_HI_PPR_AUTO_RSP,
  EFR_HI_PPR_EARLY,
  EFR_IA,
  EFR_PPR,
  MAX_RING_ENTRIES,
  MIN_RING_ENTRIES,
} from './registers.ts';
import { AMD_STAT_NAMES, type AmdStatName } from './stats.ts';

// One AMD IOMMU's shared words: registers, rings, tables, announce bitmap. Offsets are from the IOMMU's base.
//
// Registers that software writes are plain storage here, while real ones are seen write by write. CONTROL_WRITES stands for that: software
// adds to it after each write, and the hardware stores into CONTROL_SEEN the count that it has acted upon. The *_STARTS words count how
// often a ring's enable bit went from 0 to 1, so that off and on again between two looks is not missed. See control.ts.

/** First line: written before sharing, read only from then on. */
export const AMD_READY = 0;
export const AMD_DEVICES = 1;
export const AMD_PORTS = 2;
export const AMD_GCR3_COUNT = 3;
export const AMD_EFR = 4; // two words
export const AMD_PPR_ENTRIES = 6;
export const AMD_EVT_ENTRIES = 7;
export const AMD_CMD_ENTRIES = 8;
export const AMD_ANNOUNCE = 9; // offsets of the variable parts
export const AMD_DRIVER_TABLE = 10;
export const AMD_DEVTAB = 11; // from here on: 4 KiB aligned
export const AMD_GCR3 = 12;
export const AMD_CMDBUF = 13;
export const AMD_EVTLOG = 14;
export const AMD_PPRLOG = 15;

/** Registers that software writes and the hardware reads when CONTROL_WRITES has moved. */
export const AMD_DEVTAB_BASE: number = LINE; // two words each
export const AMD_CMD_BASE: number = LINE + 2;
export const AMD_EVT_BASE: number = LINE + 4;
export const AMD_PPR_BASE: number = LINE + 6;
export const AMD_PPR_AUTO_RESPONSE: number = LINE + 8;
export const AMD_PPR_EARLY: number = LINE + 9;
export const AMD_CONTROL: number = LINE + 10; // two words
export const AMD_CMD_STARTS: number = LINE + 12;
export const AMD_EVT_STARTS: number = LINE + 13;
export const AMD_PPR_STARTS: number = LINE + 14;
export const AMD_CONTROL_WRITES: number = LINE + 15;

export const AMD_CONTROL_SEEN: number = 2 * LINE;
export const AMD_STATUS: number = 3 * LINE;
export const AMD_CMD_HEAD: number = 4 * LINE;
export const AMD_CMD_TAIL: number = 5 * LINE;
export const AMD_CMD_SERIAL: number = 5 * LINE + 1; // data of the last COMPLETION_WAIT; whoever has CMD_LOCK
export const AMD_CMD_RESTART: number = 5 * LINE + 2; // CONTROL_WRITES of the last restart; whoever has CMD_LOCK
export const AMD_CMD_LOCK: number = 6 * LINE; // mutex: the command buffer's tail and free entries, and the two words above
export const AMD_CMD_PARKED: number = 7 * LINE; // 1 while the lock's holder may sleep on CMD_HEAD
export const AMD_CMD_STORE: number = 8 * LINE; // two words: what the last COMPLETION_WAIT stored
export const AMD_EVT_HEAD: number = 9 * LINE;
export const AMD_EVT_TAIL: number = 10 * LINE;
export const AMD_PPR_HEAD: number = 11 * LINE;
export const AMD_PPR_TAIL: number = 12 * LINE;
export const AMD_PPR_PASSED: number = 13 * LINE; // PPR entries that the pump is done with, since the start, wrapping
export const AMD_PPR_FENCES: number = 14 * LINE; // who waits for PASSED to move
export const AMD_STATS: number = 15 * LINE;
export const AMD_FIXED: number = 16 * LINE;

/** What the driver knows of a device id: a table beside the hardware's. */
export const DRIVER_DEVICE = 0; // index in the core's device table + 1, 0: no driver
export const DRIVER_MAX_PASIDS = 1; // PASIDs 1 to this less one may be used
export const DRIVER_WORDS = 4;

export const amdLayout: Layout = defineLayout('amd-iommu', [
  { name: 'HEADER', offset: 0, width: 16, unit: 'sizes and offsets', writer: 'init' },
  { name: 'REGISTERS', offset: AMD_DEVTAB_BASE, width: 10, unit: 'as in MMIO_REGISTERS', writer: 'software' },
  { name: 'CONTROL', offset: AMD_CONTROL, width: 2, unit: 'CONTROL_*', writer: 'software' },
  { name: 'STARTS', offset: AMD_CMD_STARTS, width: 3, unit: 'starts', writer: 'software' },
  { name: 'CONTROL_WRITES', offset: AMD_CONTROL_WRITES, width: 1, unit: 'writes', writer: 'software' },
  { name: 'CONTROL_SEEN', offset: AMD_CONTROL_SEEN, width: 1, unit: 'writes', writer: 'hardware' },
  { name: 'STATUS', offset: AMD_STATUS, width: 1, unit: 'STATUS_*', writer: 'both, by or and and' },
  { name: 'CMD_HEAD', offset: AMD_CMD_HEAD, width: 1, unit: 'bytes', writer: 'hardware' },
  { name: 'CMD_TAIL', offset: AMD_CMD_TAIL, width: 1, unit: 'bytes', writer: 'holder of CMD_LOCK' },
  { name: 'CMD_SERIAL', offset: AMD_CMD_SERIAL, width: 1, unit: 'waits', writer: 'holder of CMD_LOCK' },
  { name: 'CMD_RESTART', offset: AMD_CMD_RESTART, width: 1, unit: 'writes', writer: 'holder of CMD_LOCK' },
  { name: 'CMD_LOCK', offset: AMD_CMD_LOCK, width: 1, unit: 'mutex', writer: 'who issues' },
  { name: 'CMD_PARKED', offset: AMD_CMD_PARKED, width: 1, unit: '1 while it may sleep', writer: 'holder of CMD_LOCK' },
  { name: 'CMD_STORE', offset: AMD_CMD_STORE, width: 2, unit: 'waits', writer: 'hardware' },
  { name: 'EVT_HEAD', offset: AMD_EVT_HEAD, width: 1, unit: 'bytes', writer: 'event pump' },
  { name: 'EVT_TAIL', offset: AMD_EVT_TAIL, width: 1, unit: 'bytes', writer: 'hardware' },
  { name: 'PPR_HEAD', offset: AMD_PPR_HEAD, width: 1, unit: 'bytes', writer: 'event pump' },
  { name: 'PPR_TAIL', offset: AMD_PPR_TAIL, width: 1, unit: 'bytes', writer: 'hardware' },
  { name: 'PPR_PASSED', offset: AMD_PPR_PASSED, width: 1, unit: 'entries', writer: 'event pump' },
  { name: 'PPR_FENCES', offset: AMD_PPR_FENCES, width: 1, unit: 'waiters', writer: 'who fences, by add' },
  { name: 'STATS', offset: AMD_STATS, width: AMD_STAT_NAMES.length, unit: 'counts', writer: 'hardware, plain' },
]);

export interface AmdConfig {
  /** Entries of the PPR log, a power of two, 256 to 32768: all but one can be used. */
  readonly pprEntries: number;
  /** Entries of the event log, likewise. */
  readonly eventEntries: number;
  /** Entries of the command buffer, likewise. */
  readonly commandEntries: number;
  /** Entries of the device table, device ids 0 to devices - 1; 1 to 65536. */
  readonly devices: number;
  /** PRI ports, 1 to 65536. */
  readonly ports: number;
  /** GCR3 tables of 512 PASIDs, one for each device that uses PASIDs; 0 to 65536. */
  readonly gcr3Tables: number;
}

interface Parts {
  readonly announce: number;
  readonly driver: number;
  readonly aligned: number; // where the page-aligned parts may begin
  readonly pages: readonly number[]; // words of each: device table, GCR3 tables, command buffer, event log, PPR log
  readonly words: number;
}

const PAGE_WORDS = 1024;
const PASID_BITS = 9; // one level of GCR3 table
const EFR_HIGH = EFR_HI_PPR_EARLY | EFR_HI_PPR_AUTO_RSP | EFR_HI_BLK_STOP_MRK | EFR_HI_GIO;

function pageWords(words: number): number {
  return Math.ceil(words / PAGE_WORDS) * PAGE_WORDS;
}

function planParts(call: string, config: AmdConfig): Parts {
  checkPowerOfTwo(call, 'pprEntries', config.pprEntries, MIN_RING_ENTRIES, MAX_RING_ENTRIES);
  checkPowerOfTwo(call, 'eventEntries', config.eventEntries, MIN_RING_ENTRIES, MAX_RING_ENTRIES);
  checkPowerOfTwo(call, 'commandEntries', config.commandEntries, MIN_RING_ENTRIES, MAX_RING_ENTRIES);
  checkInteger(call, 'devices', config.devices, 1, 65536);
  checkInteger(call, 'ports', config.ports, 1, 65536);
  checkInteger(call, 'gcr3Tables', config.gcr3Tables, 0, 65536);
  const announce = AMD_FIXED;
  const driver = announce + announceWords(config.ports);
  const aligned = driver + config.devices * DRIVER_WORDS;
  const pages = [
    pageWords(config.devices * DTE_WORDS),
    config.gcr3Tables * GCR3_TABLE_WORDS,
    config.commandEntries * COMMAND_WORDS,
    config.eventEntries * EVENT_ENTRY_WORDS,
    config.pprEntries * PPR_ENTRY_WORDS,
  ];
  // The base is on a line, not on a page: up to a page less a line goes to waste.
  const words = pages.reduce((sum, part) => sum + part, Math.ceil(aligned / LINE) * LINE + PAGE_WORDS);
  return { announce, driver, aligned, pages, words };
}

/** Words an AMD IOMMU needs, a whole number of lines. @throws IommuError EINVAL naming the field. */
export function amdWords(config: AmdConfig): number {
  return planParts('amdWords', config).words;
}

/** Lays an IOMMU out at `base`, before it is shared: all off, as after reset. @throws IommuError EINVAL naming the field. */
export function initAmd(words: Words, base: number, config: AmdConfig): void {
  const parts = planParts('initAmd', config);
  checkRegion('initAmd', words, base, parts.words);
  words.fill(0, base, base + parts.words);
  words[base + AMD_DEVICES] = config.devices;
  words[base + AMD_PORTS] = config.ports;
  words[base + AMD_GCR3_COUNT] = config.gcr3Tables;
  words[base + AMD_PPR_ENTRIES] = config.pprEntries;
  words[base + AMD_EVT_ENTRIES] = config.eventEntries;
  words[base + AMD_CMD_ENTRIES] = config.commandEntries;
  words[base + AMD_EFR] = EFR_PPR | EFR_GT | EFR_IA; // GLXSup 0
  words[base + AMD_EFR + 1] = EFR_HIGH | (PASID_BITS - 1);
  words[base + AMD_ANNOUNCE] = parts.announce;
  words[base + AMD_DRIVER_TABLE] = parts.driver;
  let at = pageWords(base + parts.aligned) - base;
  [AMD_DEVTAB, AMD_GCR3, AMD_CMDBUF, AMD_EVTLOG, AMD_PPRLOG].forEach((offset, i) => {
    words[base + offset] = at;
    at += parts.pages[i];
  });
  words[base + AMD_READY] = 1;
}

/** @throws IommuError EINVAL when no IOMMU was laid out at `base`. */
export function checkAmd(words: Words, base: number, call: string): void {
  if (words[base + AMD_READY] !== 1)
    throw new IommuError('EINVAL', call, 'base', base, 'no AMD IOMMU was laid out here');
}

/** Base of the announce bitmap, for PriPortConfig. */
export function amdAnnounceBase(words: Words, base: number): number {
  checkAmd(words, base, 'amdAnnounceBase');
  return base + words[base + AMD_ANNOUNCE];
}

/** Word offset of a device's table entry. @throws IommuError ENODEV outside the table. */
export function deviceEntryAt(words: Words, base: number, deviceId: number): number {
  checkAmd(words, base, 'deviceEntryAt');
  if (!Number.isInteger(deviceId) || deviceId < 0 || deviceId >= words[base + AMD_DEVICES])
    throw new IommuError('ENODEV', 'deviceEntryAt', 'deviceId', deviceId, 'outside the device table');
  return base + words[base + AMD_DEVTAB] + deviceId * DTE_WORDS;
}

/** Word offset of what the driver keeps of a device id: DRIVER_*. The id is inside the table. */
export function driverEntryAt(words: Words, base: number, deviceId: number): number {
  return base + words[base + AMD_DRIVER_TABLE] + deviceId * DRIVER_WORDS;
}

/** Word offset of GCR3 table `table`: 4 KiB aligned. */
export function gcr3TableAt(words: Words, base: number, table: number): number {
  return base + words[base + AMD_GCR3] + table * GCR3_TABLE_WORDS;
}

/** Reads the hardware's statistics. Exact once the hardware is idle. */
export function readAmdStats(words: Words, base: number): Record<AmdStatName, number> {
  const stats = {} as Record<AmdStatName, number>;
  AMD_STAT_NAMES.forEach((name, i) => {
    stats[name] = Atomics.load(words, base + AMD_STATS + i) >>> 0;
  });
  return stats;
}
