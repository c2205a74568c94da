import {
  allocDomain,
  attachDomain,
  DEVICE_PARAM,
  detachDomain,
  type FaultPath,
  HANDLER_NONE,
  HANDLER_NOOP,
  IopfSystem,
  openFaultPath,
  PARAM_PARTIALS,
  PARAM_WORDS,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
  replaceDomain,
  WorkSink,
  WorkSource,
} from '@faultline/core/iopf';
import { Doorbell, mutexOwner, type Words } from '@faultline/core/sync';
import { AtsCapability } from '../../pcie/ats-capability.ts';
import { PriCapability } from '../../pcie/pri-capability.ts';
import type { PriHost, PriHostOptions, PriHostTraits } from '../../pcie/testing/pri-host.ts';
import type { Procedure } from '../../procedure/procedure.ts';
import { AmdOps } from '../amd-ops.ts';
import { AmdEventPump } from '../event-pump.ts';
import { AmdHardware } from '../hardware.ts';
import {
  AMD_CMD_HEAD,
  AMD_CMD_LOCK,
  AMD_CMD_TAIL,
  AMD_EVT_HEAD,
  AMD_EVT_TAIL,
  AMD_PPR_HEAD,
  AMD_PPR_TAIL,
  AMD_STATUS,
} from '../layout.ts';
import { AmdProcedures } from '../procedures.ts';
import { STATUS_CMD_RUN, STATUS_EVT_RUN, STATUS_PPR_RUN } from '../registers.ts';
import { HOST_DEVICE_ID, layAmdHost } from './amd-host-layout.ts';

const DEVICE = 1;
const REST = 3; // idle rounds after which nothing moves any more

/** An AMD IOMMU, its driver, and core's lockless fault path, on one thread; every group is answered Success. */
export class AmdHost implements PriHost {
  /** Requests without a PASID are answered Failure by the pump, as in Linux. */
  readonly traits: PriHostTraits = { onOverflow: 'success', onOff: 'invalid', takesPlain: false };
  readonly words: Words;
  readonly base: number;
  readonly portAt: number;
  readonly functionAt: number;
  readonly statsAt: number;
  readonly hw: AmdHardware;
  readonly pump: AmdEventPump;
  readonly ops: AmdOps;
  readonly path: FaultPath;
  readonly system: IopfSystem;
  readonly procedures: AmdProcedures;
  readonly pri: PriCapability;
  readonly #source: WorkSource;
  readonly #pasid: number;
  readonly #credits: number;
  readonly #domain: number;
  readonly #blocked: number;
  #handled = 0;

  constructor(options: PriHostOptions) {
    const arena = layAmdHost(options);
    const { words } = arena;
    this.words = words;
    this.base = arena.base('amd');
    this.portAt = arena.base('port');
    this.functionAt = arena.base('function');
    this.statsAt = arena.base('stats');
    this.#pasid = options.pasid;
    this.#credits = options.credits;
    const self = { id: 1, spins: 0 };
    const hardwareDoorbell = new Doorbell(words, arena.base('hardware'));
    const irq = new Doorbell(words, arena.base('irq'));
    this.hw = new AmdHardware(words, this.base, { ports: [this.portAt], irq, clock: () => 0 });
    this.ops = new AmdOps(words, this.base, { self, hardwareDoorbell, timeoutMs: 2000 });
    this.procedures = new AmdProcedures(words, this.base, { ops: this.ops, hardwareDoorbell, timeoutMs: 2000 });
    this.system = new IopfSystem(arena, self);
    this.system.reader.online();
    this.path = openFaultPath('lockless', this.system, this.ops, new WorkSink(this.system));
    this.#source = new WorkSource(this.system, self, 1, 64);
    this.pump = new AmdEventPump(words, this.base, {
      reporter: this.path,
      ops: this.ops,
      clock: () => 0,
      onLost: () => this.path.discardPartial(DEVICE),
    });
    this.pri = new PriCapability(words, this.functionAt, [new Doorbell(words, arena.base('wake'))]);
    this.#domain = allocDomain(this.system, { handler: HANDLER_NOOP });
    this.#blocked = allocDomain(this.system, { handler: HANDLER_NONE });
    const nobody = (): void => {};
    this.run(this.procedures.enable(), nobody);
    const ats = new AtsCapability(words, this.functionAt);
    this.procedures.bindDevice(HOST_DEVICE_ID, DEVICE, { maxPasids: 64, pri: this.pri, ats });
    this.#attach(nobody);
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
    this.pri.disable();
    replaceDomain(this.system, DEVICE, this.#pasid, this.#blocked);
    this.run(this.procedures.blockDevice(HOST_DEVICE_ID), step);
    this.run(this.procedures.fenceEventQueue([HOST_DEVICE_ID]), step);
    this.path.respondPending(DEVICE, RESPONSE_INVALID);
    this.path.endBatch();
    this.run(this.procedures.fenceResponses(), step);
    this.path.removeDevice(DEVICE);
    detachDomain(this.system, DEVICE, this.#pasid);
    this.run(this.procedures.detachPasid(HOST_DEVICE_ID, this.#pasid), step);
    this.run(this.procedures.disablePri(HOST_DEVICE_ID), step);
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
    this.#attach(step);
  }

  verify(): void {
    const sound = (what: string, found: number, expected: number): void => {
      if (found !== expected) throw new Error(`${what} is ${found}, not ${expected}`);
    };
    if (this.pump.needsWork()) return; // the rest holds once the logs are drained
    sound('STATUS', this.#load(AMD_STATUS), STATUS_CMD_RUN | STATUS_EVT_RUN | STATUS_PPR_RUN);
    sound('PPR_HEAD', this.#load(AMD_PPR_HEAD), this.#load(AMD_PPR_TAIL));
    sound('EVT_HEAD', this.#load(AMD_EVT_HEAD), this.#load(AMD_EVT_TAIL));
    if (!this.hw.needsWork()) sound('CMD_HEAD', this.#load(AMD_CMD_HEAD), this.#load(AMD_CMD_TAIL));
    sound('the owner of the command buffer', mutexOwner(this.words, this.base + AMD_CMD_LOCK), 0);
    sound('refused commands', this.ops.recovered, 0);
  }

  #load(offset: number): number {
    return Atomics.load(this.words, this.base + offset);
  }

  #attach(step: () => void): void {
    this.path.addDevice(DEVICE);
    attachDomain(this.system, DEVICE, this.#pasid, this.#domain);
    this.run(this.procedures.attach(HOST_DEVICE_ID, { kind: 'identity', domain: 1 }), step);
    this.run(this.procedures.attachPasid(HOST_DEVICE_ID, this.#pasid, 0x1000), step);
    this.run(this.procedures.enablePri(HOST_DEVICE_ID, this.#credits), step);
  }
}
