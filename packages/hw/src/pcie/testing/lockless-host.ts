import {
  allocDomain,
  attachDomain,
  DEVICE_PARAM,
  detachDomain,
  type FaultPath,
  HANDLER_NONE,
  HANDLER_NOOP,
  type IommuOps,
  IopfSystem,
  initIopf,
  iopfRegions,
  openFaultPath,
  PARAM_PARTIALS,
  PARAM_WORDS,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
  replaceDomain,
  WorkSink,
  WorkSource,
} from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { Doorbell, doorbellWords, initDoorbell, type ThreadSelf, type Words } from '@faultline/core/sync';
import type { Procedure } from '../../procedure/procedure.ts';
import { endpointStatWords } from '../endpoint-stats.ts';
import { functionWords, initFunction } from '../function.layout.ts';
import { PriCapability } from '../pri-capability.ts';
import { initPriPort, priPortWords } from '../pri-port.layout.ts';
import type { PriHost, PriHostOptions, PriHostTraits } from './pri-host.ts';

/** The function's index in the core's device table. */
export const DEVICE = 1;
const REST = 3; // idle rounds after which nothing moves any more
const BUDGET = 1000;
const IOPF = {
  devices: 2,
  domains: 4,
  threads: 1,
  requests: 4096,
  workEntries: 2048,
  sharing: 'split' as const,
  checked: true,
};
const BELLS = ['irq', 'hardware', 'wake'];

interface Pumped {
  pump(budget: number): number;
}

/** What an IOMMU is made from. */
export interface HostWiring {
  readonly words: Words;
  readonly base: number;
  readonly portAt: number;
  readonly self: ThreadSelf;
  readonly irq: Doorbell;
  readonly hardwareDoorbell: Doorbell;
}

/** One family of IOMMUs, whose function has requester id `rid`. */
export interface HostFamily<Hw, Pump, Ops> {
  readonly rid: number;
  readonly words: number;
  init(words: Words, base: number): void;
  announceBase(words: Words, base: number): number;
  hardware(at: HostWiring): Hw;
  ops(at: HostWiring): Ops;
  pump(at: HostWiring, path: FaultPath, ops: Ops): Pump;
}

/** The IOMMU's part in turning page requests off, as core's PriDriver names it. */
export interface PriSteps {
  blockDevice(): Procedure;
  fenceEventQueue(): Procedure;
  fenceResponses(): Procedure;
  disablePri(): Procedure;
}

const nobody = (): void => {};

/** An IOMMU, its driver, and core's lockless fault path, on one thread; every group is answered Success. A family adds how its driver
 * attaches, and the steps of turning page requests off. */
export abstract class LocklessHost<Hw extends Pumped, Pump extends Pumped, Ops extends IommuOps> implements PriHost {
  abstract readonly traits: PriHostTraits;
  readonly words: Words;
  readonly base: number;
  readonly portAt: number;
  readonly functionAt: number;
  readonly statsAt: number;
  readonly hardwareDoorbell: Doorbell;
  readonly hw: Hw;
  readonly pump: Pump;
  readonly ops: Ops;
  readonly path: FaultPath;
  readonly system: IopfSystem;
  readonly pri: PriCapability;
  readonly credits: number;
  readonly pasid: number;
  readonly #source: WorkSource;
  readonly #domain: number;
  readonly #blocked: number;
  #handled = 0;

  constructor(options: PriHostOptions, family: HostFamily<Hw, Pump, Ops>) {
    const { credits } = options;
    const arena = Arena.create(
      planArena([
        ...iopfRegions(IOPF),
        { name: 'iommu', words: family.words },
        ...BELLS.map((name) => ({ name, words: doorbellWords() })),
        { name: 'function', words: functionWords() },
        { name: 'stats', words: endpointStatWords() },
        { name: 'port', words: priPortWords(credits) },
      ]),
    );
    const { words } = arena;
    const [base, portAt] = [arena.base('iommu'), arena.base('port')];
    this.words = words;
    this.base = base;
    this.portAt = portAt;
    this.functionAt = arena.base('function');
    this.statsAt = arena.base('stats');
    this.credits = credits;
    this.pasid = options.pasid;
    initIopf(arena, IOPF);
    family.init(words, base);
    for (const name of BELLS) initDoorbell(words, arena.base(name));
    initFunction(words, this.functionAt, { capacity: credits });
    initPriPort(words, portAt, {
      ...{ port: 0, rid: family.rid, credits, wakeAt: arena.base('wake') },
      ...{ announceBase: family.announceBase(words, base), doorbellBase: arena.base('hardware') },
    });
    const [irq, hardware, wake] = BELLS.map((name) => new Doorbell(words, arena.base(name)));
    const self = { id: 1, spins: 0 };
    const at: HostWiring = { words, base, portAt, self, irq, hardwareDoorbell: hardware };
    this.hardwareDoorbell = hardware;
    this.hw = family.hardware(at);
    this.ops = family.ops(at);
    this.system = new IopfSystem(arena, self);
    this.system.reader.online();
    this.path = openFaultPath('lockless', this.system, this.ops, new WorkSink(this.system));
    this.#source = new WorkSource(this.system, self, 1, 64);
    this.pump = family.pump(at, this.path, this.ops);
    this.pri = new PriCapability(words, this.functionAt, [wake]);
    this.#domain = allocDomain(this.system, { handler: HANDLER_NOOP });
    this.#blocked = allocDomain(this.system, { handler: HANDLER_NONE });
  }

  /** The driver's half of {@link attach}, for all of {@link pasids}: page requests are on at the end. */
  protected abstract attachDriver(step: () => void): void;
  protected abstract readonly off: PriSteps;
  abstract verify(): void;

  /** PASIDs with an address space: 0 is that of requests without one. */
  get pasids(): readonly number[] {
    return this.traits.takesPlain ? [0, this.pasid] : [this.pasid];
  }

  /** Takes a procedure to its end on this thread: while it waits, everybody else works. */
  run<T>(procedure: Procedure<T>, step: () => void = nobody): T {
    for (;;) {
      const { done, value } = procedure.next();
      if (done === true) return value;
      this.hw.pump(BUDGET);
      step();
      this.pump.pump(BUDGET);
    }
  }

  runHardware(): void {
    for (let idle = 0; idle < REST; idle++) if (this.hw.pump(BUDGET) !== 0) idle = -1;
  }

  /** One round of hardware, pump and handlers. @returns whether anything moved. */
  turn(): boolean {
    const moved = this.hw.pump(BUDGET) + this.pump.pump(BUDGET);
    return this.handle() + moved !== 0;
  }

  settle(): void {
    for (let idle = 0; idle < REST; idle++) if (this.turn()) idle = -1;
  }

  /** Handles what waits in the work ring. @returns groups. */
  handle(): number {
    let groups = 0;
    for (let taken = this.#source.take(); taken !== 0; taken = this.#source.take()) {
      const { batch } = this.#source;
      for (let i = 0; i < taken; i++) this.path.respondGroup(batch[i], RESPONSE_SUCCESS);
      this.ops.flushResponses();
      for (let i = 0; i < taken; i++) this.path.freeGroup(batch[i]);
      this.path.endBatch();
      groups += taken;
    }
    this.#handled += groups;
    return groups;
  }

  handled(): number {
    return this.#handled;
  }

  pending(): number {
    return this.system.pending.read(this.#domain);
  }

  partials(): number {
    const param = Atomics.load(this.words, this.system.deviceAt(DEVICE) + DEVICE_PARAM);
    return param === 0 ? 0 : this.words[this.system.params.objects + param * PARAM_WORDS + PARAM_PARTIALS];
  }

  attach(step: () => void = nobody): void {
    this.path.addDevice(DEVICE);
    for (const pasid of this.pasids) attachDomain(this.system, DEVICE, pasid, this.#domain);
    this.attachDriver(step);
  }

  /** In the order of core's priOffSteps. */
  priOff(step: () => void): void {
    this.pri.disable();
    for (const pasid of this.pasids) replaceDomain(this.system, DEVICE, pasid, this.#blocked);
    this.run(this.off.blockDevice(), step);
    this.run(this.off.fenceEventQueue(), step);
    this.path.respondPending(DEVICE, RESPONSE_INVALID);
    this.path.endBatch();
    this.run(this.off.fenceResponses(), step);
    this.path.removeDevice(DEVICE);
    for (const pasid of this.pasids) detachDomain(this.system, DEVICE, pasid);
    this.run(this.off.disablePri(), step);
    this.handle(); // holders of groups that are void let go of them
    for (let i = 0; i < 4; i++) {
      this.system.reader.quiescent();
      this.path.isReleased();
      this.system.deferredHandles.poll();
    }
    step();
  }

  priOn(step: () => void): void {
    if (!this.pri.isStopped()) {
      this.pri.reset();
      step();
    }
    this.settle();
    this.attach(step);
  }

  load(offset: number): number {
    return Atomics.load(this.words, this.base + offset);
  }
}

/** @throws unless they are the same. */
export function sound(what: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${what} is ${found}, not ${expected}`);
}
