// The whole machine, a stage at a time: devices, SMMU, interrupt thread and handler take turns, on one thread or on one each, so that
// each stage's time can be told apart. All parts are those of a stress run; none ever waits for another.
import {
  allocDomain,
  attachDomain,
  DEVICE_PARAM,
  DEVICE_PARAM_LOCK,
  DEVICE_WORDS,
  FAULT_GRPID,
  FAULT_PERM_READ,
  FAULT_PERM_WRITE,
  FAULT_TOKEN,
  type FaultPath,
  type FaultReporter,
  type Generation,
  HANDLER_SVA,
  type HandlerPath,
  HandlerThread,
  type IopfConfig,
  IopfSystem,
  initIopf,
  iopfRegions,
  openFaultPath,
  PARAM_LOCK,
  PARAM_WORDS,
  RESPONSE_SUCCESS,
  WorkSink,
  WorkSource,
} from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import {
  type Clock,
  Doorbell,
  doorbellWords,
  initDoorbell,
  LINE,
  type ThreadSelf,
  TICKS_PER_MS,
} from '@faultline/core/sync';
import { histogramWords, initHistogram } from '@faultline/core/trace';
import {
  type DevicePort,
  DeviceThread,
  deviceResultWords,
  initDeviceResults,
  STEP_WAITING,
} from '@faultline/hw/accelerator';
import { initMm, Mm, type MmConfig, mmWords, noNotifier, PageScanner } from '@faultline/hw/mm';
import {
  CMD_SYNC,
  EventPump,
  initSmmu,
  initStallPort,
  RESUME_RETRY,
  type SmmuConfig,
  SmmuDriver,
  SmmuHardware,
  SmmuOps,
  StallPort,
  smmuAnnounceBase,
  smmuWords,
  stallPortWords,
} from '@faultline/hw/smmu-v3';
import { clockOf, nowNs } from '../stress/clock.ts';
import type { Pump, Reporter } from '../stress/family/family.ts';

const DEVICE = 1;
const PASID = 1;
const MM = 1;
const ASID = 1;
/** What a scanner takes at a time. */
const SCAN_CHUNK_PAGES = 64;
const FIRST_PAGE: number = 0x7f000000000 / 4096;
const COMMANDS = 2048;
/** That a device thread makes until it waits. */
const MOST_STEPS = 8;
const TIMEOUT_TICKS = 2 ** 30;
/** Most that a thread of a stress run does before it looks at something else: the host's budget, the handler's batch. */
const PUMP_BUDGET = 256;
export const HANDLER_BATCH = 16;
/** Records that the event pump takes before its batch ends (hw/smmu-v3/event-pump.ts). */
export const PUMP_BATCH = 64;

export interface MachineOrder {
  /** Undefined: reports go nowhere, and answers come from the driver alone. */
  readonly generation: Generation | undefined;
  readonly devices: number;
  readonly pagesPerJob: number;
}

/** Whose thread this is. `all`: there is but one. */
export const ROLES = ['all', 'device', 'hardware', 'interrupt', 'handler', 'other handler'] as const;
export type MachineRole = (typeof ROLES)[number];

function sizesOf({ devices, pagesPerJob }: MachineOrder): { iopf: IopfConfig; smmu: SmmuConfig; mm: MmConfig } {
  const faults = devices * pagesPerJob;
  const threads = ROLES.length;
  return {
    iopf: {
      ...{ devices: 1, domains: 2, threads, sharing: 'split', checked: false },
      requests: 2 * faults + 512,
      workEntries: 2 ** Math.ceil(Math.log2(faults)),
    },
    smmu: {
      ...{ eventQueueEntries: 2048, commandQueueEntries: COMMANDS, commandQueues: 3, streams: 2 },
      ...{ stallMax: faults, ports: devices },
    },
    mm: { frames: faults, areas: devices, threads },
  };
}

/** Shared words of a machine, laid out: before any thread opens it. */
export function layOutMachine(order: MachineOrder): Arena {
  const { devices, pagesPerJob } = order;
  const { iopf, smmu, mm } = sizesOf(order);
  const portWords = stallPortWords(pagesPerJob);
  const arena = Arena.create(
    planArena([
      ...iopfRegions(iopf),
      { name: 'smmu', words: smmuWords(smmu) },
      { name: 'ports', words: devices * portWords },
      { name: 'bells', words: 3 * doorbellWords() },
      { name: 'mm', words: mmWords(mm) },
      { name: 'results', words: devices * deviceResultWords() },
      { name: 'histograms', words: devices * histogramWords() },
      { name: 'stop', words: LINE },
      { name: 'turn', words: LINE },
    ]),
  );
  const { words } = arena;
  initIopf(arena, iopf);
  initSmmu(words, arena.base('smmu'), smmu);
  initMm(words, arena.base('mm'), mm);
  for (let bell = 0; bell < 3; bell++) initDoorbell(words, bellBase(arena, bell));
  const memory = new Mm(words, arena.base('mm'), { id: 1, spins: 0 }, noNotifier);
  for (let port = 0; port < devices; port++) {
    initStallPort(words, arena.base('ports') + port * portWords, {
      ...{ capacity: pagesPerJob, port, streamId: DEVICE, substreamId: PASID, wakeAt: bellBase(arena, DEVICE_BELL) },
      announceBase: smmuAnnounceBase(words, arena.base('smmu')),
      doorbellBase: bellBase(arena, HARDWARE_BELL),
    });
    initDeviceResults(words, arena.base('results') + port * deviceResultWords());
    initHistogram(words, arena.base('histograms') + port * histogramWords());
    memory.addArea(FIRST_PAGE + port * pagesPerJob, pagesPerJob, FAULT_PERM_READ | FAULT_PERM_WRITE);
  }
  return arena;
}

const HARDWARE_BELL = 0;
const INTERRUPT_BELL = 1;
const DEVICE_BELL = 2;
function bellBase(arena: Arena, bell: number): number {
  return arena.base('bells') + bell * doorbellWords();
}

/** What is put round a machine's parts as it is made: to measure what that costs. */
export interface MachineWatch {
  port(own: DevicePort, thread: number, clock: Clock): DevicePort;
  hardware(own: Pump, clock: Clock): Pump;
  events(own: Pump, clock: Clock): Pump;
  reporter(own: Reporter, system: IopfSystem, clock: Clock): Reporter;
  handler(own: HandlerPath, system: IopfSystem, clock: Clock): HandlerPath;
}

/** One thread's part of a machine. A stage is a fault for each page of each device. */
export class Machine {
  readonly arena: Arena;
  readonly faults: number;
  /** Whether a report takes the fault lock while it has the parameter lock. */
  readonly nestsLocks: boolean;
  readonly #threads: DeviceThread[];
  readonly #hardware: Pump;
  readonly #pump: Pump;
  readonly #driver: SmmuDriver;
  readonly #ops: SmmuOps;
  readonly #memory: Mm;
  readonly #scanner: PageScanner;
  readonly #order: MachineOrder;
  readonly #core: Core | undefined;
  readonly #nowhere: Nowhere | undefined;
  #tick = 0;

  constructor(
    order: MachineOrder,
    arena: Arena = layOutMachine(order),
    role: MachineRole = 'all',
    watch: MachineWatch | undefined = undefined,
  ) {
    const { generation, devices, pagesPerJob } = order;
    const { words } = arena;
    const self: ThreadSelf = { id: Math.max(1, ROLES.indexOf(role)), spins: 0 };
    const base = arena.base('smmu');
    const portWords = stallPortWords(pagesPerJob);
    const ports = Array.from({ length: devices }, (_, port) => arena.base('ports') + port * portWords);
    const clock = clockOf(nowNs());
    this.arena = arena;
    this.faults = devices * pagesPerJob;
    this.nestsLocks = generation === 'locked';
    this.#order = order;
    const memory = new Mm(words, arena.base('mm'), self, noNotifier);
    this.#memory = memory;
    this.#scanner = new PageScanner(memory, { pagesPerSecond: 1e9, chunkPages: SCAN_CHUNK_PAGES });
    this.#scanner.step(this.#tick);
    // Discarding is a stage of its own.
    const seen = {
      translate: (lo: number, hi: number, perm: number) => memory.translate(lo, hi, perm),
      discard: () => 0,
    };
    const portOf = (own: DevicePort, thread: number): DevicePort => watch?.port(own, thread, clock) ?? own;
    this.#threads = ports.map(
      (portBase, port) =>
        new DeviceThread(words, seen, portOf(new StallPort(words, portBase), port), {
          ...{ basePage: FIRST_PAGE + port * pagesPerJob, pagesPerJob, windows: 1, passes: 2 },
          ...{ perm: FAULT_PERM_READ | FAULT_PERM_WRITE, timeoutTicks: TIMEOUT_TICKS, clock, budgetAt: 0 },
          stopAt: arena.base('stop'),
          resultsAt: arena.base('results') + port * deviceResultWords(),
          histogramAt: arena.base('histograms') + port * histogramWords(),
        }),
    );
    const irq = new Doorbell(words, bellBase(arena, INTERRUPT_BELL));
    const hardwareDoorbell = new Doorbell(words, bellBase(arena, HARDWARE_BELL));
    const hardware = new SmmuHardware(words, base, { ports, irq, clock });
    this.#hardware = watch?.hardware(hardware, clock) ?? hardware;
    const ops = new SmmuOps(words, base, 0, { hardwareDoorbell });
    this.#ops = ops;
    this.#driver = new SmmuDriver(words, base, { ops, hardwareDoorbell });
    const answers = new SmmuOps(words, base, role === 'other handler' ? 2 : 1, { hardwareDoorbell });
    if (generation === undefined) this.#nowhere = new Nowhere(arena, this.faults, answers);
    else if (role !== 'device' && role !== 'hardware')
      this.#core = new Core(arena, generation, self, answers, memory, this.faults, watch && { ...watch, clock });
    const pump = new EventPump(words, base, { reporter: this.#core?.reporter ?? this.#nowhere ?? NO_REPORTER, ops });
    this.#pump = watch?.events(pump, clock) ?? pump;
  }

  /** The device's locks, once it is attached. */
  get locks(): { readonly param: number; readonly fault: number } | undefined {
    return this.#core?.locks;
  }

  /** Switches the SMMU on, and attaches the device: the interrupt thread's. Meanwhile somebody runs {@link hardware}. */
  async attach(): Promise<void> {
    await this.#driver.enable();
    await this.#driver.attachStream(DEVICE, DEVICE, { stall: true, substreams: PASID + 1 });
    this.#core?.attach();
  }

  /** {@link attach}, where this thread is the hardware's too. */
  async enable(): Promise<void> {
    const done = this.attach().then(() => true);
    const turn = (): Promise<false> => new Promise((resolve) => setImmediate(() => resolve(false)));
    while (!(await Promise.race([done, turn()]))) this.#hardware.pump(1);
  }

  /** All pages are absent. */
  discard(): void {
    const { devices, pagesPerJob } = this.#order;
    for (let port = 0; port < devices; port++) this.#memory.discard(FIRST_PAGE + port * pagesPerJob, pagesPerJob);
  }
  /** The page scanner takes all pages: leased ones only in a later round. */
  take(): void {
    for (let left = this.faults; left > 0; ) {
      this.#tick = (this.#tick + TICKS_PER_MS) | 0;
      left -= this.#scanner.step(this.#tick);
    }
  }
  /** Each device's first round: all pages are looked at, and asked for. */
  stall(): void {
    for (const thread of this.#threads)
      for (let steps = 0; thread.step() !== STEP_WAITING; steps++)
        if (steps === MOST_STEPS) throw new Error('Machine.stall: a window that should be absent is there');
  }
  /** The hardware writes records, or takes resume commands. @param budget of a turn */
  hardware(budget: number = PUMP_BUDGET): void {
    while (this.#hardware.pump(budget) !== 0);
  }
  /** The interrupt thread reports. @param budget of a turn */
  report(budget: number = PUMP_BUDGET): void {
    while (this.#pump.pump(budget) !== 0);
  }
  /** @param most groups of a batch: {@link HANDLER_BATCH} or 1 */
  handle(most: number = HANDLER_BATCH): void {
    if (this.#core === undefined) this.#nowhere?.answer(most);
    else this.#core.handle(most);
  }
  /** Writes an invalidation with its sync for each fault of a cycle, and waits for none. */
  notify(): void {
    for (let i = 0; i < this.faults; i++) {
      this.#ops.invalidateRange(ASID, FIRST_PAGE | 0, Math.floor(FIRST_PAGE / 2 ** 32), SCAN_CHUNK_PAGES);
      this.#ops.issue(CMD_SYNC, {});
      this.#ops.flushResponses();
    }
  }
  /** Answers all groups, youngest first, and handles none: each is at the end of what is listed. */
  answerBackwards(): void {
    this.#core?.answerBackwards();
  }
  /** Each device takes its answers. */
  collect(): void {
    for (const thread of this.#threads) thread.step();
  }
  /** Each device goes once over its window, all of which is there. */
  touch(): void {
    for (const thread of this.#threads) thread.step();
  }
}

/** The fault path as one thread has it. */
class Core {
  readonly path: FaultPath;
  readonly reporter: Reporter;
  readonly #system: IopfSystem;
  readonly #answers: SmmuOps;
  readonly #handlers: ReadonlyMap<number, HandlerThread>;
  readonly #all: WorkSource;

  constructor(
    arena: Arena,
    generation: Generation,
    self: ThreadSelf,
    answers: SmmuOps,
    memory: Mm,
    faults: number,
    watch?: Pick<MachineWatch, 'reporter' | 'handler'> & { readonly clock: Clock },
  ) {
    const system = new IopfSystem(arena, self);
    system.reader.online();
    const path = openFaultPath(generation, system, answers, new WorkSink(system));
    const source = (most: number): WorkSource => new WorkSource(system, self, 1, most);
    const mms = [undefined, memory];
    this.path = path;
    this.reporter = watch?.reporter(path, system, watch.clock) ?? path;
    const handled = watch?.handler(path, system, watch.clock) ?? path;
    this.#system = system;
    this.#answers = answers;
    this.#all = source(faults);
    this.#handlers = new Map(
      [HANDLER_BATCH, 1].map((most) => [
        most,
        new HandlerThread({ system, path: handled, ops: answers, work: source(most), mms }),
      ]),
    );
  }

  attach(): void {
    this.path.addDevice(DEVICE);
    attachDomain(this.#system, DEVICE, PASID, allocDomain(this.#system, { handler: HANDLER_SVA, mm: MM }));
  }

  get locks(): { readonly param: number; readonly fault: number } {
    const { words, devices, params } = this.#system;
    const deviceAt = devices + DEVICE * DEVICE_WORDS;
    return {
      param: deviceAt + DEVICE_PARAM_LOCK,
      fault: params.objects + words[deviceAt + DEVICE_PARAM] * PARAM_WORDS + PARAM_LOCK,
    };
  }

  handle(most: number): void {
    const handler = this.#handlers.get(most);
    while (handler?.step() !== 0);
  }

  answerBackwards(): void {
    const { batch } = this.#all;
    const groups = this.#all.take();
    for (let i = groups - 1; i >= 0; i--) this.path.respondGroup(batch[i], RESPONSE_SUCCESS);
    this.#answers.flushResponses();
    for (let i = 0; i < groups; i++) this.path.freeGroup(batch[i]);
    this.path.endBatch();
  }
}

/** Of a thread that reports nothing. */
const NO_REPORTER: FaultReporter = { prepareFault: () => 0, reportDeviceFault: () => 0, endBatch() {} };

/** In the core's place: keeps who is to be answered. */
class Nowhere implements FaultReporter {
  readonly #arena: Arena;
  readonly #answers: SmmuOps;
  readonly #record: number;
  readonly #waiting: Int32Array;
  #count = 0;

  constructor(arena: Arena, faults: number, answers: SmmuOps) {
    this.#arena = arena;
    this.#answers = answers;
    this.#record = arena.base('stop') + 1;
    this.#waiting = new Int32Array(faults * 2);
  }
  prepareFault(): number {
    return this.#record;
  }
  reportDeviceFault(recordAt: number): number {
    const { words } = this.#arena;
    this.#waiting[this.#count++] = words[recordAt + FAULT_TOKEN];
    this.#waiting[this.#count++] = words[recordAt + FAULT_GRPID];
    return 0;
  }
  endBatch(): void {}
  /** @param most answers between two flushes */
  answer(most: number): void {
    const length = this.#count;
    for (let at = 0; at < length; ) {
      const end = Math.min(length, at + 2 * most);
      for (; at < end; at += 2) this.#answers.resume(this.#waiting[at], this.#waiting[at + 1], RESUME_RETRY);
      this.#answers.flushResponses();
    }
    this.#count = 0;
  }
}
