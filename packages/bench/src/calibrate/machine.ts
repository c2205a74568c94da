// The whole machine on one thread: devices, SMMU, interrupt thread and handler take turns, a stage at a time, so that each stage's
// processor time can be told apart. All parts are those of a stress run; none ever waits for another.
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
  type FaultReporter,
  type Generation,
  HANDLER_SVA,
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
import { Doorbell, doorbellWords, initDoorbell, LINE, type ThreadSelf } from '@faultline/core/sync';
import { histogramWords, initHistogram } from '@faultline/core/trace';
import { DeviceThread, deviceResultWords, initDeviceResults, STEP_WAITING } from '@faultline/hw/accelerator';
import { initMm, Mm, mmWords, noNotifier } from '@faultline/hw/mm';
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

const DEVICE = 1;
const PASID = 1;
const MM = 1;
const ASID = 1;
/** What a scanner takes at a time. */
const INVALIDATED_PAGES = 64;
const SELF: ThreadSelf = { id: 1, spins: 0 };
const FIRST_PAGE: number = 0x7f000000000 / 4096;
const COMMANDS = 2048;
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

/** One fault per page of each device: all of a stage. */
export class OneThreadMachine {
  readonly arena: Arena;
  readonly faults: number;
  readonly devices: number;
  readonly #threads: DeviceThread[];
  readonly #hardware: SmmuHardware;
  readonly #pump: EventPump;
  readonly #driver: SmmuDriver;
  readonly #handle: (most: number) => void;
  readonly #answerBackwards: () => void;
  /** Whether a report takes the fault lock while it has the parameter lock. */
  readonly nestsLocks: boolean;
  /** The device's locks, where there is a core. */
  readonly locks: { readonly param: number; readonly fault: number } | undefined;
  readonly #discard: () => void;
  readonly #ops: SmmuOps;

  constructor({ generation, devices, pagesPerJob }: MachineOrder) {
    const faults = devices * pagesPerJob;
    const iopf: IopfConfig = {
      ...{ devices: 1, domains: 2, threads: 2, sharing: 'split', checked: false },
      requests: 2 * faults + 512,
      workEntries: 2 ** Math.ceil(Math.log2(faults)),
    };
    const smmu: SmmuConfig = {
      ...{ eventQueueEntries: 2048, commandQueueEntries: COMMANDS, commandQueues: 2, streams: 2 },
      ...{ stallMax: faults, ports: devices },
    };
    const mm = { frames: faults, areas: devices, threads: 2 };
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
      ]),
    );
    this.arena = arena;
    this.faults = faults;
    this.nestsLocks = generation === 'locked';
    this.devices = devices;
    const { words } = arena;
    const base = arena.base('smmu');
    const [hardwareBell, interruptBell, deviceBell] = [0, 1, 2].map((i) => arena.base('bells') + i * doorbellWords());
    initIopf(arena, iopf);
    initSmmu(words, base, smmu);
    initMm(words, arena.base('mm'), mm);
    for (const bell of [hardwareBell, interruptBell, deviceBell]) initDoorbell(words, bell);
    const clock = clockOf(nowNs());
    const memory = new Mm(words, arena.base('mm'), SELF, noNotifier);
    this.#threads = Array.from({ length: devices }, (_, port) => {
      const portBase = arena.base('ports') + port * portWords;
      const resultsAt = arena.base('results') + port * deviceResultWords();
      const histogramAt = arena.base('histograms') + port * histogramWords();
      initStallPort(words, portBase, {
        ...{ capacity: pagesPerJob, port, streamId: DEVICE, substreamId: PASID, wakeAt: deviceBell },
        ...{ announceBase: smmuAnnounceBase(words, base), doorbellBase: hardwareBell },
      });
      initDeviceResults(words, resultsAt);
      initHistogram(words, histogramAt);
      const basePage = FIRST_PAGE + port * pagesPerJob;
      memory.addArea(basePage, pagesPerJob, FAULT_PERM_READ | FAULT_PERM_WRITE);
      // Discarding is a stage of its own.
      const seen = {
        translate: (lo: number, hi: number, perm: number) => memory.translate(lo, hi, perm),
        discard: () => 0,
      };
      return new DeviceThread(words, seen, new StallPort(words, portBase), {
        ...{ basePage, pagesPerJob, windows: 1, passes: 2, perm: FAULT_PERM_READ | FAULT_PERM_WRITE },
        ...{ timeoutTicks: TIMEOUT_TICKS, clock, stopAt: arena.base('stop'), budgetAt: 0, resultsAt, histogramAt },
      });
    });
    this.#discard = () => {
      for (let port = 0; port < devices; port++) memory.discard(FIRST_PAGE + port * pagesPerJob, pagesPerJob);
    };
    const irq = new Doorbell(words, interruptBell);
    const hardwareDoorbell = new Doorbell(words, hardwareBell);
    const ports = Array.from({ length: devices }, (_, port) => arena.base('ports') + port * portWords);
    this.#hardware = new SmmuHardware(words, base, { ports, irq, clock });
    const ops = new SmmuOps(words, base, 0, { hardwareDoorbell });
    this.#driver = new SmmuDriver(words, base, { ops, hardwareDoorbell });
    this.#ops = ops;
    const answers = new SmmuOps(words, base, 1, { hardwareDoorbell });
    if (generation === undefined) {
      const nowhere = new Nowhere(arena, faults);
      this.#pump = new EventPump(words, base, { reporter: nowhere, ops });
      this.#handle = (most) => nowhere.answer(answers, most);
      this.#answerBackwards = () => nowhere.answer(answers, faults);
      return;
    }
    const system = new IopfSystem(arena, SELF);
    system.reader.online();
    const path = openFaultPath(generation, system, answers, new WorkSink(system));
    const mms = [undefined, memory];
    const handlers = new Map(
      [HANDLER_BATCH, 1].map((most) => {
        const work = new WorkSource(system, SELF, 1, most);
        return [most, new HandlerThread({ system, path, ops: answers, work, mms })];
      }),
    );
    this.#pump = new EventPump(words, base, { reporter: path, ops });
    this.#handle = (most) => {
      const handler = handlers.get(most) as HandlerThread;
      while (handler.step() !== 0);
    };
    const all = new WorkSource(system, SELF, 1, faults);
    this.#answerBackwards = () => {
      const groups = all.take();
      for (let i = groups - 1; i >= 0; i--) path.respondGroup(all.batch[i], RESPONSE_SUCCESS);
      answers.flushResponses();
      for (let i = 0; i < groups; i++) path.freeGroup(all.batch[i]);
      path.endBatch();
    };
    path.addDevice(DEVICE);
    const deviceAt = system.devices + DEVICE * DEVICE_WORDS;
    this.locks = {
      param: deviceAt + DEVICE_PARAM_LOCK,
      fault: system.params.objects + words[deviceAt + DEVICE_PARAM] * PARAM_WORDS + PARAM_LOCK,
    };
    attachDomain(system, DEVICE, PASID, allocDomain(system, { handler: HANDLER_SVA, mm: MM }));
  }

  /** Switches the SMMU on: the driver waits while the hardware, on this same thread, is given its turns. */
  async enable(): Promise<void> {
    const done = (async () => {
      await this.#driver.enable();
      await this.#driver.attachStream(DEVICE, DEVICE, { stall: true, substreams: PASID + 1 });
      return true;
    })();
    const turn = (): Promise<false> => new Promise((resolve) => setImmediate(() => resolve(false)));
    while (!(await Promise.race([done, turn()]))) this.#hardware.pump(1);
  }

  /** All pages are absent. */
  discard(): void {
    this.#discard();
  }
  /** Each device's first round: all pages are looked at, and asked for. */
  stall(): void {
    for (const thread of this.#threads) while (thread.step() !== STEP_WAITING);
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
    this.#handle(most);
  }
  /** Writes an invalidation with its sync for each fault of a cycle, and waits for none. */
  notify(): void {
    for (let i = 0; i < this.faults; i++) {
      this.#ops.invalidateRange(ASID, FIRST_PAGE | 0, Math.floor(FIRST_PAGE / 2 ** 32), INVALIDATED_PAGES);
      this.#ops.issue(CMD_SYNC, {});
      this.#ops.flushResponses();
    }
  }
  /** Answers all groups, youngest first, and handles none: each is at the end of what is listed. */
  answerBackwards(): void {
    this.#answerBackwards();
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

/** In the core's place: keeps who is to be answered. */
class Nowhere implements FaultReporter {
  readonly #arena: Arena;
  readonly #record: number;
  readonly #waiting: Int32Array;
  #count = 0;

  constructor(arena: Arena, faults: number) {
    this.#arena = arena;
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
  answer(ops: SmmuOps, most: number): void {
    const length = this.#count;
    for (let at = 0; at < length; ) {
      const end = Math.min(length, at + 2 * most);
      for (; at < end; at += 2) ops.resume(this.#waiting[at], this.#waiting[at + 1], RESUME_RETRY);
      ops.flushResponses();
    }
    this.#count = 0;
  }
}
