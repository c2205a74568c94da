import {
  allocDomain,
  attachDomain,
  DEVICE_PARAM,
  detachDomain,
  type FaultPath,
  HANDLER_NONE,
  HANDLER_NOOP,
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
import { Doorbell, doorbellWords, initDoorbell, LINE, mutexOwner, type Words } from '@faultline/core/sync';
import { AtsCapability } from '../../pcie/ats-capability.ts';
import { functionWords, initFunction } from '../../pcie/function.layout.ts';
import { initPriPort, priPortWords } from '../../pcie/index.ts';
import { PriCapability } from '../../pcie/pri-capability.ts';
import type { PriHost, PriHostOptions, PriHostTraits } from '../../pcie/testing/pri-host.ts';
import type { Procedure } from '../../procedure/procedure.ts';
import { EventPump } from '../event-pump.ts';
import { VtdHardware } from '../hardware.ts';
import { VTD_FSTS, VTD_IQ_LOCK, VTD_PQH, VTD_PQT, VTD_PRS } from '../layout.ts';
import { VtdProcedures } from '../procedures.ts';
import { FSTS_QUEUE_ERRORS, PRS_PRO } from '../registers.ts';
import { initVtd, vtdAnnounceBase, vtdWords } from '../unit.ts';
import { VtdOps } from '../vtd-ops.ts';

export const HOST_RID = 5;
const DEVICE = 1;
const REST = 3; // idle rounds after which nothing moves any more

/** A unit, its driver, and core's lockless fault path, on one thread; every group is answered Success. */
export class VtdHost implements PriHost {
  readonly traits: PriHostTraits = { onOverflow: 'success', onOff: 'invalid', takesPlain: true };
  readonly words: Words;
  readonly base: number;
  readonly portAt: number;
  readonly functionAt: number;
  readonly statsAt: number;
  readonly hw: VtdHardware;
  readonly pump: EventPump;
  readonly ops: VtdOps;
  readonly path: FaultPath;
  readonly system: IopfSystem;
  readonly procedures: VtdProcedures;
  readonly #pri: PriCapability;
  readonly #source: WorkSource;
  readonly #credits: number;
  readonly #pasids: readonly number[];
  readonly #domain: number;
  readonly #blocked: number;
  #handled = 0;

  constructor(options: PriHostOptions) {
    const vtd = {
      requestOrder: Math.max(0, Math.ceil(Math.log2((options.entries + 1) / 128))),
      invalidationOrder: 1,
      rids: 8,
      ports: 1,
      threads: 1,
    };
    const iopf = {
      devices: 2,
      domains: 4,
      threads: 1,
      requests: 4096,
      workEntries: 2048,
      sharing: 'split' as const,
      checked: true,
    };
    const arena = Arena.create(
      planArena([
        ...iopfRegions(iopf),
        { name: 'vtd', words: vtdWords(vtd) },
        { name: 'irq', words: doorbellWords() },
        { name: 'hardware', words: doorbellWords() },
        { name: 'wake', words: doorbellWords() },
        { name: 'function', words: functionWords() },
        { name: 'stats', words: 2 * LINE },
        { name: 'port', words: priPortWords(options.credits) },
      ]),
    );
    const { words } = arena;
    this.words = words;
    this.base = arena.base('vtd');
    this.portAt = arena.base('port');
    this.functionAt = arena.base('function');
    this.statsAt = arena.base('stats');
    initIopf(arena, iopf);
    initVtd(words, this.base, vtd);
    for (const name of ['irq', 'hardware', 'wake']) initDoorbell(words, arena.base(name));
    initFunction(words, this.functionAt, { capacity: options.credits });
    initPriPort(words, this.portAt, {
      port: 0,
      rid: HOST_RID,
      credits: options.credits,
      wakeAt: arena.base('wake'),
      announceBase: vtdAnnounceBase(words, this.base),
      doorbellBase: arena.base('hardware'),
    });
    const self = { id: 1, spins: 0 };
    const hardwareDoorbell = new Doorbell(words, arena.base('hardware'));
    this.hw = new VtdHardware(words, this.base, {
      ports: [this.portAt],
      irq: new Doorbell(words, arena.base('irq')),
      clock: () => 0,
    });
    this.ops = new VtdOps(words, this.base, 0, { self, hardwareDoorbell, timeoutMs: 2000 });
    this.procedures = new VtdProcedures(words, this.base, { ops: this.ops, hardwareDoorbell, timeoutMs: 2000 });
    this.system = new IopfSystem(arena, self);
    this.system.reader.online();
    this.path = openFaultPath('lockless', this.system, this.ops, new WorkSink(this.system));
    this.#source = new WorkSource(this.system, self, 1, 64);
    this.pump = new EventPump(words, this.base, { reporter: this.path, ops: this.ops });
    this.#pri = new PriCapability(words, this.functionAt, [new Doorbell(words, arena.base('wake'))]);
    this.#credits = options.credits;
    this.#pasids = [0, options.pasid];
    this.#domain = allocDomain(this.system, { handler: HANDLER_NOOP });
    this.#blocked = allocDomain(this.system, { handler: HANDLER_NONE });
    const nobody = (): void => {};
    this.run(this.procedures.enable(), nobody);
    this.run(this.procedures.attachDevice(HOST_RID, DEVICE), nobody);
    new AtsCapability(words, this.functionAt).enable(12);
    this.#attach(nobody);
    this.#pri.enable(this.#credits);
  }

  /** Takes a procedure to its end on this thread: while it waits, everybody else works. */
  run<T>(procedure: Procedure<T>, step: () => void): T {
    for (;;) {
      const { done, value } = procedure.next();
      if (done === true) return value;
      this.hw.pump(1000);
      step();
      this.pump.pump(1000);
    }
  }

  runHardware(): void {
    for (let idle = 0; idle < REST; idle++) if (this.hw.pump(1000) !== 0) idle = -1;
  }

  /** One round of hardware, pump and handlers. @returns whether anything moved. */
  turn(): boolean {
    const moved = this.hw.pump(1000) + this.pump.pump(1000);
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

  /** In the order of core's priOffSteps. */
  priOff(step: () => void): void {
    this.#pri.disable();
    for (const pasid of this.#pasids) replaceDomain(this.system, DEVICE, pasid, this.#blocked);
    this.run(this.procedures.blockDevice(HOST_RID), step);
    this.run(this.procedures.fenceEventQueue(HOST_RID), step);
    this.path.respondPending(DEVICE, RESPONSE_INVALID);
    this.path.endBatch();
    this.run(this.procedures.fenceResponses(HOST_RID), step);
    this.path.removeDevice(DEVICE);
    for (const pasid of this.#pasids) detachDomain(this.system, DEVICE, pasid);
    this.run(this.procedures.disablePri(HOST_RID), step);
    this.handle(); // holders of groups that are void let go of them
    for (let i = 0; i < 4; i++) {
      this.system.reader.quiescent();
      this.path.isReleased();
      this.system.deferredHandles.poll();
    }
    step();
  }

  priOn(step: () => void): void {
    if (!this.#pri.isStopped()) {
      this.#pri.reset();
      step();
    }
    this.settle();
    this.#attach(step);
    this.#pri.enable(this.#credits);
  }

  verify(): void {
    const sound = (what: string, found: number, expected: number): void => {
      if (found !== expected) throw new Error(`${what} is ${found}, not ${expected}`);
    };
    sound('the queue errors in FSTS', this.#load(VTD_FSTS) & FSTS_QUEUE_ERRORS, 0);
    const empty = this.#load(VTD_PQH) === this.#load(VTD_PQT);
    sound('PRO beside an empty queue', empty ? this.#load(VTD_PRS) & PRS_PRO : 0, 0);
    sound('the owner of the queue', mutexOwner(this.words, this.base + VTD_IQ_LOCK), 0);
    sound('refused descriptors', this.ops.refused, 0);
  }

  #load(offset: number): number {
    return Atomics.load(this.words, this.base + offset);
  }

  #attach(step: () => void): void {
    this.path.addDevice(DEVICE);
    for (const pasid of this.#pasids) {
      attachDomain(this.system, DEVICE, pasid, this.#domain);
      this.run(this.procedures.attach(HOST_RID, pasid, { kind: 'first-level', did: 1 + pasid, faults: true }), step);
    }
  }
}
