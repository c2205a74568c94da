import { FAULT_GRPID, FAULT_TOKEN, RESPONSE_SUCCESS, type ResponseCode } from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { Doorbell, LINE, type Words } from '@faultline/core/sync';
import { initPriPort, PriRequester, priPortWords, REQUEST_PASID_VALID } from '../pcie/index.ts';
import { bellRegions, initBells } from '../testing/arena-parts.ts';
import { during } from '../testing/during.ts';
import { FAKE_RECORDS, FakeReporter, type Reported } from '../testing/fake-reporter.ts';
import { completeInvalidation, type Received, takeReceived } from '../testing/received.ts';
import type { TlbListener } from './command-unit.ts';
import { ownTableAt } from './context-area.ts';
import { GuestQueues } from './guest-queues.test-help.ts';
import {
  COMMAND_WORDS,
  decodeCommand,
  EventPump,
  encodeSte,
  type FieldValues,
  initSmmu,
  initStallPort,
  type PumpOutcome,
  type SmmuConfig,
  SmmuDriver,
  SmmuHardware,
  SmmuOps,
  STE_TRANSLATE,
  StallPort,
  smmuAnnounceBase,
  smmuPriAnnounceBase,
  smmuWords,
  stallPortWords,
  type TranslationMemory,
  writeStream,
} from './index.ts';
import {
  CMDQ_ENTRIES,
  CMDQ_PROD,
  commandQueueBase,
  SMMU_CONTEXT_LOG2,
  SMMU_CONTEXTS,
  SMMU_CR0,
  SMMU_CR2,
  SMMU_EVTQ,
  SMMU_EVTQ_CONS,
  SMMU_EVTQ_LOG2,
  SMMU_EVTQ_PROD,
  streamEntryAt,
} from './layout.ts';
import { CR0_CMDQEN, CR0_EVTQEN, CR0_PRIQEN, CR0_SMMUEN, CR2_RECINVSID } from './registers.ts';
import { initVirtual, VirtualArea, type VirtualConfig, VirtualEventRouter, virtualWords } from './virtual/index.ts';

const CREDITS = 32;
const BELLS = ['irq', 'hardware', 'wake', 'error'];

export interface RigPort {
  readonly streamId: number;
  readonly substreamId: number;
}

export interface RigConfig extends Partial<SmmuConfig> {
  readonly portCapacity?: number;
  /** Default: one port of stream 1, substream 5. */
  readonly portList?: readonly RigPort[];
  /** Requester ids of functions, each with one PRI port of 32 credits. Default: none, and no PRI queue unless `priQueueEntries` says so. */
  readonly functions?: readonly number[];
  readonly atcTimeoutTicks?: number;
  /** Present: a virtual side, whose masters are devices 0 to streams - 1 with the same numbers as StreamIDs; events go to {@link Rig.guests}. */
  readonly virtual?: Partial<VirtualConfig>;
  readonly tlb?: TlbListener;
  readonly memory?: TranslationMemory;
  /** Default: all on, streams 0 to 7 translate, stall, take 16 substreams and belong to device 10 + stream. */
  readonly off?: boolean;
}

/** A whole SMMU on one thread: ports, hardware, pump and a fake core, stepped by hand. */
export class Rig {
  readonly words: Words;
  readonly base: number;
  readonly irq: Doorbell;
  readonly hardwareBell: Doorbell;
  readonly wakeBell: Doorbell;
  readonly ports: StallPort[];
  /** The functions' ends of their PRI ports. */
  readonly functions: PriRequester[];
  readonly errorIrq: Doorbell;
  readonly hw: SmmuHardware;
  readonly ops: SmmuOps[];
  readonly driver: SmmuDriver;
  readonly reporter: FakeReporter;
  readonly pump: EventPump;
  readonly notes: PumpOutcome[] = [];
  /** Used with {@link RigConfig.virtual}. */
  readonly area: VirtualArea;
  readonly guests: GuestQueues;
  readonly router: VirtualEventRouter;
  /** A page of 4 KiB of nobody's, aligned. */
  readonly pageAt: number;
  tick = 1000;

  constructor(config: RigConfig = {}) {
    const portList = config.portList ?? [{ streamId: 1, substreamId: 5 }];
    const capacity = config.portCapacity ?? 64;
    const functions = config.functions ?? [];
    const smmu: SmmuConfig = {
      eventQueueEntries: 16,
      commandQueueEntries: 64,
      commandQueues: 2,
      stallMax: 256,
      streams: 8,
      ports: portList.length,
      priPorts: functions.length,
      ...(functions.length > 0 ? { priQueueEntries: 16 } : {}),
      ...pick(config),
    };
    const virtual = (groupsAt: number): VirtualConfig => ({
      masters: Array.from({ length: smmu.streams }, (_, i) => ({ streamId: i, groupMutex: groupsAt + i * LINE })),
      ...{ domains: 4, vsmmus: 2, idBlocks: 2, ...config.virtual },
    });
    const plan = planArena([
      { name: 'smmu', words: smmuWords(smmu) },
      ...bellRegions(BELLS),
      { name: 'records', words: FAKE_RECORDS },
      { name: 'spare', words: LINE },
      { name: 'groups', words: smmu.streams * LINE },
      { name: 'virtual', words: virtualWords(virtual(LINE)) },
      { name: 'page', words: 2048 },
      ...portList.map((_, i) => ({ name: `port${i}`, words: stallPortWords(capacity) })),
      ...functions.map((_, i) => ({ name: `pri${i}`, words: priPortWords(CREDITS) })),
    ]);
    const arena = Arena.create(plan);
    const words = arena.words;
    this.words = words;
    this.base = arena.base('smmu');
    initSmmu(words, this.base, smmu);
    initBells(arena, BELLS);
    this.irq = new Doorbell(words, arena.base('irq'));
    this.hardwareBell = new Doorbell(words, arena.base('hardware'));
    this.wakeBell = new Doorbell(words, arena.base('wake'));
    initVirtual(words, arena.base('virtual'), virtual(arena.base('groups')));
    this.area = new VirtualArea(words, arena.base('virtual'));
    this.pageAt = Math.ceil(arena.base('page') / 1024) * 1024;
    this.errorIrq = new Doorbell(words, arena.base('error'));
    functions.forEach((rid, port) => {
      initPriPort(words, arena.base(`pri${port}`), {
        port,
        rid,
        credits: CREDITS,
        wakeAt: arena.base('wake'),
        announceBase: smmuPriAnnounceBase(words, this.base),
        doorbellBase: arena.base('hardware'),
      });
    });
    portList.forEach((port, i) => {
      initStallPort(words, arena.base(`port${i}`), {
        capacity,
        port: i,
        ...port,
        wakeAt: arena.base('wake'),
        announceBase: smmuAnnounceBase(words, this.base),
        doorbellBase: arena.base('hardware'),
      });
    });
    const priPorts = functions.map((_, i) => arena.base(`pri${i}`));
    this.functions = priPorts.map((base) => new PriRequester(words, base));
    if (config.off !== true) {
      for (let stream = 0; stream < smmu.streams; stream++)
        writeStream(words, this.base, stream, {
          config: STE_TRANSLATE,
          stall: true,
          substreams: 16,
          device: 10 + stream,
        });
      this.enable();
    }
    const bases = portList.map((_, i) => arena.base(`port${i}`));
    this.ports = bases.map((base) => new StallPort(words, base));
    this.hw = new SmmuHardware(words, this.base, {
      ports: bases,
      priPorts,
      irq: this.irq,
      errorIrq: this.errorIrq,
      ...(config.atcTimeoutTicks === undefined ? {} : { atcTimeoutTicks: config.atcTimeoutTicks }),
      clock: () => this.tick,
      ...(config.virtual === undefined ? {} : { virtual: this.area }),
      ...(config.tlb === undefined ? {} : { tlb: config.tlb }),
      ...(config.memory === undefined ? {} : { memory: config.memory }),
    });
    this.hw.pump(1); // makes the switches effective
    const queues = Array.from({ length: smmu.commandQueues }, (_, q) => q);
    this.ops = queues.map(
      (q) => new SmmuOps(words, this.base, q, { hardwareDoorbell: this.hardwareBell, timeoutMs: 300 }),
    );
    this.driver = new SmmuDriver(words, this.base, {
      ops: this.ops[smmu.commandQueues - 1],
      hardwareDoorbell: this.hardwareBell,
      timeoutMs: 1000,
    });
    this.reporter = new FakeReporter(words, arena.base('records'));
    this.guests = new GuestQueues(words);
    this.router = new VirtualEventRouter(this.area, { id: 2, spins: 0 }, this.guests, arena.base('spare') + 16);
    this.pump = new EventPump(words, this.base, {
      reporter: this.reporter,
      ...(config.virtual === undefined ? {} : { router: this.router }),
      ops: this.ops[0],
      onEvent: (outcome) => this.notes.push(outcome),
    });
    this.spareAt = arena.base('spare');
  }

  /** 16 words that nobody uses. */
  readonly spareAt: number;

  /** Switches everything on, from the hardware's next pump. */
  enable(): void {
    const pri = this.functions.length > 0 ? CR0_PRIQEN : 0;
    Atomics.store(this.words, this.base + SMMU_CR0, CR0_SMMUEN | CR0_EVTQEN | CR0_CMDQEN | pri);
    Atomics.store(this.words, this.base + SMMU_CR2, CR2_RECINVSID);
  }

  /** Posts `count` faults on a port and publishes them; page numbers from `page` on. */
  post(port: number, count: number, page: number = 0x1000, perm: number = 2): void {
    for (let i = 0; i < count; i++) this.ports[port].post(page + i, 0, perm, this.tick);
    this.ports[port].publish();
  }

  /** Sends one request of a function. `pasid` -1: none. */
  request(func: number, flags: number, pasid: number, prgi: number, page: number = 0x1000): void {
    const withPasid = pasid < 0 ? 0 : REQUEST_PASID_VALID;
    this.functions[func].post(page, 0, flags | withPasid, Math.max(0, pasid), prgi, this.tick);
    this.functions[func].publish();
  }

  /** What a function has been sent since the last time. */
  received(func: number): Received[] {
    return takeReceived(this.words, this.functions[func]);
  }

  /** A function completes every invalidation it is sent. @returns how many. */
  complete(func: number): number {
    const itags = this.received(func).filter((each) => each.invalidate === true);
    for (const { prgi } of itags) completeInvalidation(this.functions[func], prgi, 0);
    return itags.length;
  }

  /** Stream table entry `streamId`, as the hardware will read it at its next CFGI. */
  setSte(streamId: number, values: FieldValues): void {
    encodeSte(this.words, streamEntryAt(this.words, this.base, streamId), values);
  }

  /** Word offset of stream `streamId`'s own table of contexts. */
  contextsAt(streamId: number): number {
    const area = this.base + this.words[this.base + SMMU_CONTEXTS];
    return ownTableAt(area, streamId, this.words[this.base + SMMU_CONTEXT_LOG2]);
  }

  /** Commands that queue `queue` has been given, from the `from`th on: name and fields that are not 0. */
  commands(queue: number, from: number = 0): { name: string; [field: string]: unknown }[] {
    const at = commandQueueBase(this.words, this.base, queue);
    const prod = Atomics.load(this.words, at + CMDQ_PROD) & 0x7fffff;
    return Array.from({ length: prod - from }, (_, i) => {
      const { name, values } = decodeCommand(this.words, at + CMDQ_ENTRIES + ((from + i) % 64) * COMMAND_WORDS);
      const set = Object.entries(values).filter(
        ([key, value]) => value !== 0 && key !== 'op' && !key.startsWith('msi'),
      );
      return { name, ...Object.fromEntries(set) };
    });
  }

  answer(fault: Pick<Reported, 'token' | 'grpid'>, code: ResponseCode = RESPONSE_SUCCESS): void {
    this.words[this.spareAt + FAULT_TOKEN] = fault.token;
    this.words[this.spareAt + FAULT_GRPID] = fault.grpid;
    this.ops[0].pageResponse(this.spareAt, code);
  }

  /** Answers everything reported so far, and lets the hardware see it. */
  answerAll(code: ResponseCode = RESPONSE_SUCCESS): number {
    const faults = this.reporter.take();
    for (const fault of faults) this.answer(fault, code);
    this.ops[0].flushResponses();
    return faults.length;
  }

  results(port: number): number[] {
    return Array.from({ length: this.ports[port].posted }, (_, slot) => this.ports[port].result(slot));
  }

  /** Runs the hardware while a promise of the driver's is under way. */
  during<T>(promise: Promise<T>): Promise<T> {
    return during(promise, () => {
      this.hw.pump(64);
      this.pump.pump(64);
    });
  }

  get prod(): number {
    return Atomics.load(this.words, this.base + SMMU_EVTQ_PROD);
  }

  get cons(): number {
    return Atomics.load(this.words, this.base + SMMU_EVTQ_CONS);
  }

  /** Word offset of event queue entry `slot`. */
  entry(slot: number): number {
    return this.base + this.words[this.base + SMMU_EVTQ] + slot * 8;
  }

  /** Puts a record into the event queue as broken hardware might. */
  inject(record: readonly number[]): void {
    const log2 = this.words[this.base + SMMU_EVTQ_LOG2];
    const at = this.entry(this.prod & ((1 << log2) - 1));
    record.forEach((word, i) => {
      this.words[at + i] = word;
    });
    Atomics.store(this.words, this.base + SMMU_EVTQ_PROD, (this.prod + 1) & ((2 << log2) - 1));
  }
}

function pick(config: RigConfig): Partial<SmmuConfig> {
  const {
    portCapacity: _c,
    portList: _l,
    off: _o,
    functions: _f,
    atcTimeoutTicks: _a,
    virtual: _v,
    tlb: _t,
    memory: _m,
    ...smmu
  } = config;
  return smmu;
}
