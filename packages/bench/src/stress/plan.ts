import { actorRegions, hostDoorbellBase, initActorRegions } from '@faultline/core/actor';
import { FAULT_PERM_READ, FAULT_PERM_WRITE, type IopfConfig, initIopf, iopfRegions } from '@faultline/core/iopf';
import { Arena, planArena, type RegionSpec } from '@faultline/core/memory';
import { doorbellWords, initDoorbell } from '@faultline/core/sync';
import { histogramWords, initHistogram } from '@faultline/core/trace';
import { admissionWords, deviceResultWords, initDeviceResults } from '@faultline/hw/accelerator';
import { initMm, Mm, type MmConfig, mmWords, noNotifier } from '@faultline/hw/mm';
import { initIommufd, iommufdRegions } from '@faultline/iommufd';
import {
  initTrace,
  type TraceOrder,
  type TracePlace,
  type TraceSizes,
  tracePlace,
  traceRegions,
} from '../perfetto/place.ts';
import { commandsInFlight, type StressParameters } from '../scenario/parameters.ts';
import { CTL_WORDS } from './control.ts';
import { allDevices, type FamilySizes, portBaseOf, portPlaces } from './family/family.ts';
import { HOSTILE_PAGES, HOSTILE_PORT_CREDITS } from './family/hostile.ts';
import { LAYOUTS } from './family/layouts.ts';
import { STAMPS_REGION, type StampPlace, stampsWords } from './stages/stamps.ts';
import { SUMS_REGION, sumsWords } from './stages/sums.ts';
import { initTally, TALLY_REGION, tallyWords } from './tally.ts';
import { initLedger, LEDGER_REGION, type LedgerPlace, ledgerWords } from './translation-ledger.ts';
import { machineConfig } from './user-space/machine.ts';
import { initReaders, READERS_REGION, readersWords } from './user-space/reader-books.ts';

export const MAILBOX_ENTRIES = 64;
/** The two hosts: the hardware's, and the one whose interrupt thread reports. */
export const HOSTS = 2;
export const HARDWARE_HOST = 1;
export const INTERRUPT_HOST = 2;
/** Windows that a device thread uses in turn before it gives their pages back. */
export const WINDOWS = 2;
/** First page of the shared address space: where a 64-bit process has its heap. */
export const FIRST_PAGE: number = 0x7f000000000 / 4096 + 0x10000;

/** Who has which thread id and number among those that issue commands. Ids up to `controlThreads` take part in RCU and in the books. */
export interface Crew {
  readonly handlers: number;
  /** Worker threads that run device threads. */
  readonly deviceWorkers: number;
  readonly controlThreads: number;
}

/** What a run has that is not one of accelerators. */
export interface PlanParts {
  /** Regions of its own. */
  readonly regions?: readonly RegionSpec[];
  /** Entry of the workers on the device side, and what they are told besides DeviceData. */
  readonly deviceWorker?: URL;
  readonly deviceData?: object;
  /** PASIDs are attached as they turn up (replay/run/attach-orders.ts). */
  readonly takesAttachOrders?: boolean;
  /** Set where threads record what they do. */
  readonly trace?: TraceOrder;
}

export interface Plan {
  readonly parameters: StressParameters;
  /** Device threads of the largest cell. */
  readonly maxThreads: number;
  readonly crew: Crew;
  readonly iopf: IopfConfig;
  readonly family: FamilySizes;
  readonly mm: MmConfig;
  readonly parts: PlanParts;
}

export function crewOf(parameters: StressParameters): Crew {
  const { handlers, threadsPerWorker } = parameters;
  const maxThreads = Math.max(...parameters.threads);
  return { handlers, deviceWorkers: Math.ceil(maxThreads / threadsPerWorker), controlThreads: HOSTS + handlers };
}

/** Handler i of 0.. has this thread id; it is issuer i + 1, the interrupt host is issuer 0. */
export function handlerId(handler: number): number {
  return HOSTS + 1 + handler;
}
export function deviceWorkerId(crew: Crew, worker: number): number {
  return crew.controlThreads + 1 + worker;
}
/** The main thread, where it lays areas out. */
export function mainId(crew: Crew): number {
  return crew.controlThreads + 1 + crew.deviceWorkers;
}
export function deviceWorkerIssuer(crew: Crew, worker: number): number {
  return crew.handlers + 1 + worker;
}
/** Threads that issue commands. */
export function issuersOf(crew: Crew): number {
  return crew.handlers + 1 + crew.deviceWorkers;
}

/** Pages of the address space: two windows a thread, and what the device that misbehaves has. */
function pagesOf(parameters: StressParameters, threads: number): number {
  return threads * parameters.pagesPerJob * WINDOWS + (parameters.misbehave === undefined ? 0 : HOSTILE_PAGES);
}

export function makePlan(parameters: StressParameters, parts: PlanParts = {}): Plan {
  const maxThreads = Math.max(...parameters.threads);
  const crew = crewOf(parameters);
  const hostile = parameters.misbehave !== undefined;
  const outstanding =
    Math.min(parameters.stallMax, maxThreads * parameters.pagesPerJob) + (hostile ? 2 * HOSTILE_PORT_CREDITS : 0);
  const family: FamilySizes = {
    devices: parameters.devices,
    threads: maxThreads,
    pagesPerJob: parameters.pagesPerJob,
    groupPages: parameters.groupPages,
    hostile,
    commands: parameters.atc ? commandsInFlight(parameters) : 0,
    queueEntries: parameters.queueEntries,
    stallMax: parameters.stallMax,
    issuers: issuersOf(crew),
  };
  return {
    parameters,
    maxThreads,
    crew,
    iopf: {
      devices: allDevices(family),
      domains: 4,
      threads: crew.controlThreads,
      // Two objects a group where the last request is copied; and what the threads' caches keep from one another.
      requests: Math.min(65535, 2 * outstanding + 64 * crew.controlThreads),
      workEntries: 2 ** Math.ceil(Math.log2(Math.max(64, outstanding))),
      sharing: parameters.sharing,
      checked: false,
    },
    family,
    mm: {
      frames: pagesOf(parameters, maxThreads),
      areas: maxThreads + (hostile ? 1 : 0),
      threads: mainId(crew),
    },
    parts,
  };
}

function regionsOf(plan: Plan): RegionSpec[] {
  const { crew, family, mm, maxThreads, parameters } = plan;
  const actors = actorRegions(HOSTS, MAILBOX_ENTRIES, crew.controlThreads);
  const named = new Set(actors.map((region) => region.name));
  return [
    ...actors,
    ...faultPathRegions(plan).filter((region) => !named.has(region.name)),
    { name: 'control', words: CTL_WORDS },
    { name: 'wake', words: wakes(plan) * doorbellWords() },
    { name: 'admission', words: admissionWords(maxThreads) },
    { name: 'results', words: maxThreads * deviceResultWords() },
    { name: 'histograms', words: maxThreads * histogramWords() },
    { name: 'mm', words: mmWords(mm) },
    ...(parameters.handler === 'iommufd' ? [{ name: READERS_REGION, words: readersWords(crew.handlers) }] : []),
    ...(isTallied(parameters) ? [{ name: TALLY_REGION, words: tallyWords(crew.controlThreads) }] : []),
    ...(parameters.atc ? [{ name: LEDGER_REGION, words: ledgerWords(mm.frames, maxThreads) }] : []),
    ...stageRegions(plan),
    ...LAYOUTS[parameters.iommu].regions(family),
    ...(plan.parts.regions ?? []),
    ...(plan.parts.trace === undefined ? [] : traceRegions(traceSizes(plan))),
  ];
}

function stageRegions({ parameters, mm, maxThreads }: Plan): RegionSpec[] {
  if (parameters.stages !== true) return [];
  return [
    { name: STAMPS_REGION, words: stampsWords(mm.frames) },
    { name: SUMS_REGION, words: maxThreads * sumsWords() },
  ];
}

/** Where faults are stamped, in runs that measure their stages. */
export function stampPlace({ parameters, mm }: Plan): StampPlace | undefined {
  return parameters.stages === true ? { firstPage: FIRST_PAGE, pages: mm.frames } : undefined;
}

function traceSizes({ crew, maxThreads, mm, parameters }: Plan): TraceSizes {
  return {
    controlThreads: crew.controlThreads,
    deviceThreads: maxThreads,
    pages: mm.frames,
    queueEntries: parameters.queueEntries,
  };
}

/** Where threads record what they do, undefined: they do not. */
export function tracesOf(arena: Arena, plan: Plan): TracePlace | undefined {
  const { trace } = plan.parts;
  return trace && tracePlace(arena, traceSizes(plan), FIRST_PAGE, trace);
}

/** The fault path's regions, with those of the machine that stands on it where user space handles faults. */
function faultPathRegions({ iopf, parameters }: Plan): RegionSpec[] {
  return parameters.handler === 'iommufd' ? iommufdRegions(machineConfig(iopf)) : iopfRegions(iopf);
}

function initFaultPath(arena: Arena, { iopf, parameters }: Plan): void {
  if (parameters.handler === 'iommufd') initIommufd(arena, machineConfig(iopf));
  else initIopf(arena, iopf);
}

/** Whether the core's books do not say enough: of groups, or of whose they are. */
export function isTallied({ groupPages, misbehave }: StressParameters): boolean {
  return groupPages > 1 || misbehave !== undefined;
}

/** Doorbells of device workers; the last one is the hostile device's. */
function wakes({ crew, family }: Plan): number {
  return crew.deviceWorkers + (family.hostile ? 1 : 0);
}

export function makeArena(plan: Plan): Arena {
  return Arena.create(planArena(regionsOf(plan)));
}

/** Shared memory of a run, in bytes. */
export function arenaBytes(parameters: StressParameters): number {
  return planArena(regionsOf(makePlan(parameters))).totalWords * Int32Array.BYTES_PER_ELEMENT;
}

/** Number of the device that misbehaves, 0: none. */
export function hostileDevice({ family }: Plan): number {
  return family.hostile ? allDevices(family) : 0;
}

/** Devices that are attached while a cell runs, from 1 to this: one that is to misbehave after PRI-off has been taken off before. */
export function servedDevices(plan: Plan): number {
  const { parameters, family } = plan;
  return parameters.misbehave === 'requestsAfterPriOff' ? family.devices : allDevices(family);
}

/** Where uses of cached translations are checked. */
export function ledgerPlace(arena: Arena, plan: Plan): LedgerPlace {
  return { base: arena.base(LEDGER_REGION), firstPage: FIRST_PAGE, pages: plan.mm.frames };
}

export function portBase(arena: Arena, plan: Plan, thread: number): number {
  return portBaseOf(portPlaces(arena, plan.family, false), thread);
}
export function wakeBase(arena: Arena, worker: number): number {
  return arena.base('wake') + worker * doorbellWords();
}
export function resultBase(arena: Arena, thread: number): number {
  return arena.base('results') + thread * deviceResultWords();
}
export function histogramBase(arena: Arena, thread: number): number {
  return arena.base('histograms') + thread * histogramWords();
}
/** Lays everything out anew for one cell of `threads` device threads. No thread is in a cell now. */
export function initCell(arena: Arena, plan: Plan, threads: number): void {
  const { words } = arena;
  const { crew, family, mm, maxThreads, parameters } = plan;
  for (const { name, words: size } of actorRegions(HOSTS, MAILBOX_ENTRIES, crew.controlThreads))
    words.fill(0, arena.base(name), arena.base(name) + size);
  initFaultPath(arena, plan);
  initActorRegions(arena, HOSTS, MAILBOX_ENTRIES, crew.controlThreads);
  initMm(words, arena.base('mm'), mm);
  words.fill(0, arena.base('wake'), arena.base('wake') + arena.sizeWords('wake'));
  for (let worker = 0; worker < wakes(plan); worker++) initDoorbell(words, wakeBase(arena, worker));
  words.fill(0, arena.base('admission'), arena.base('admission') + arena.sizeWords('admission'));
  for (let thread = 0; thread < maxThreads; thread++) {
    initDeviceResults(words, resultBase(arena, thread));
    initHistogram(words, histogramBase(arena, thread));
  }
  LAYOUTS[parameters.iommu].init(arena, family, {
    threads,
    wakeOf: (thread) =>
      wakeBase(arena, thread === threads ? crew.deviceWorkers : Math.floor(thread / parameters.threadsPerWorker)),
    hardwareDoorbell: hostDoorbellBase(arena, HARDWARE_HOST),
  });
  if (parameters.handler === 'iommufd') initReaders(arena);
  if (isTallied(parameters)) initTally(arena);
  if (parameters.atc) initLedger(arena);
  const traces = tracesOf(arena, plan);
  if (traces !== undefined) initTrace(words, traces);
  for (const { name, words: size } of stageRegions(plan)) words.fill(0, arena.base(name), arena.base(name) + size);
  const mapper = new Mm(words, arena.base('mm'), { id: mainId(crew), spins: 0 }, noNotifier);
  const pages = parameters.pagesPerJob * WINDOWS;
  for (let thread = 0; thread < threads; thread++)
    mapper.addArea(FIRST_PAGE + thread * pages, pages, FAULT_PERM_READ | FAULT_PERM_WRITE);
  if (family.hostile) mapper.addArea(FIRST_PAGE + threads * pages, HOSTILE_PAGES, FAULT_PERM_READ | FAULT_PERM_WRITE);
}
