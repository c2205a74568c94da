// One thread of a fault system: driver, reporter, worker or controller, as its scenario has it.
import type { Context } from '@faultline/bench/explore';
import {
  allocDomain,
  attachDomain,
  DEVICE_PARAM,
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_PERM_READ,
  type FaultPath,
  type Generation,
  type GroupSink,
  HANDLER_NONE,
  HANDLER_NOOP,
  HandlerThread,
  type IommuOps,
  type IopfSystem,
  openFaultPath,
  type ResponseCode,
  WorkSource,
} from '@faultline/core/iopf';
import { SpmcConsumer } from '@faultline/core/ring';
import { CountingOps } from './answers.ts';

export interface PageRequest {
  /** Default 1. */
  readonly device?: number;
  /** 0 to 15. */
  readonly grpid: number;
  /** Default: yes. */
  readonly last?: boolean;
}

export class FaultThread {
  readonly system: IopfSystem;
  readonly path: FaultPath;
  readonly ops: IommuOps;
  readonly #source: WorkSource;
  readonly #handler: HandlerThread;

  constructor(context: Context, system: IopfSystem, generation: Generation, sink: GroupSink) {
    this.system = system;
    this.ops = new CountingOps(system.words, context.at('answers'));
    this.path = openFaultPath(generation, system, this.ops, sink);
    this.#source = new WorkSource(system, system.self, 1, 1);
    this.#handler = new HandlerThread({ system, path: this.path, ops: this.ops, work: this.#source, mms: [] });
  }

  /** Gives the device a fault_param, and attaches a domain without a PASID. @returns the domain. */
  attach(device: number): number {
    this.path.addDevice(device);
    const domain = this.newDomain();
    attachDomain(this.system, device, 0, domain);
    return domain;
  }

  /** A domain whose faults are answered Success without work. */
  newDomain(): number {
    return allocDomain(this.system, { handler: HANDLER_NOOP });
  }

  /** A domain that cannot fault. */
  newBlockedDomain(): number {
    return allocDomain(this.system, { handler: HANDLER_NONE });
  }

  /** The round before, without work: a grace period asked for until here does not wait for what this thread does next. */
  idle(): void {
    this.system.reader.quiescent();
  }

  /** Writes a request where the driver is to. @returns what {@link FaultPath.reportDeviceFault} takes. */
  fill(request: PageRequest): number {
    const { words } = this.system;
    const at = this.path.prepareFault();
    words[at + FAULT_DEVICE] = request.device ?? 1;
    words[at + FAULT_FLAGS] = request.last === false ? 0 : FAULT_FLAG_LAST_PAGE;
    words[at + FAULT_PASID] = 0;
    words[at + FAULT_GRPID] = request.grpid;
    words[at + FAULT_PERM] = FAULT_PERM_READ;
    return at;
  }

  /** Reports a request. Its batch goes on until {@link FaultPath.endBatch}. */
  report(request: PageRequest): number {
    return this.path.reportDeviceFault(this.fill(request));
  }

  /** Takes a group from the work ring. @returns 0 when none waits. */
  take(): number {
    return this.#source.take() === 0 ? 0 : this.#source.batch[0];
  }

  /** Answers a group and frees it, as its holder. @returns false when it had been answered for it. */
  finish(group: number, code: ResponseCode): boolean {
    const answered = this.path.respondGroup(group, code);
    this.path.freeGroup(group);
    this.path.endBatch();
    return answered;
  }

  /** One round of a worker of the work queue: takes, handles, answers, frees. @returns groups handled. */
  handle(): number {
    return this.#handler.step();
  }

  /** Takes the device's fault_param away, and frees it unless a holder's last put is to do that. Counts by thread have no last
   * put: there it waits until they add up to zero. */
  remove(device: number): void {
    const { system, path } = this;
    const param = Atomics.load(system.words, system.deviceAt(device) + DEVICE_PARAM);
    path.removeDevice(device);
    if (system.config.sharing === 'split') {
      system.references.waitZero(param, system.self, Infinity);
      path.isReleased();
    }
    system.deferredParams.flush(system.self);
  }

  /** {@link flushWork} for a thread that may block: the ring has passed each group, and who had it in hand is through with it. */
  drainWork(): void {
    const { words, work, rcu, self } = this.system;
    const ring = new SpmcConsumer(words, work, self);
    const target = ring.published();
    let left = target - ring.taken();
    while (left > 0) left = target - ring.taken();
    rcu.synchronize(self);
  }

  /** Ends the thread's last batch: no grace period waits for it any more, and what its last puts left to free is freed. */
  leave(): void {
    this.path.endBatch();
    this.system.reader.offline();
    this.system.deferredParams.flush(this.system.self);
  }
}
