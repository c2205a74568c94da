import {
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PASID,
  FAULT_TOKEN,
  RESPONSE_SUCCESS,
  type ResponseCode,
} from '@faultline/core/iopf';
import type { Arena } from '@faultline/core/memory';
import { Doorbell, type Words } from '@faultline/core/sync';
import { REQUEST_LAST, REQUEST_PASID_VALID, REQUEST_READ } from '../pcie/pri-port.layout.ts';
import { PriRequester } from '../pcie/pri-port.ts';
import { during } from '../testing/during.ts';
import { FakeReporter, type Reported } from '../testing/fake-reporter.ts';
import { completeInvalidation, type Received, takeReceived } from '../testing/received.ts';
import { AmdOps } from './amd-ops.ts';
import { decodeCommand } from './commands.ts';
import { AmdDriver } from './driver.ts';
import { decodeEventEntry } from './event-log.ts';
import { AmdEventPump, type AmdEventPumpConfig } from './event-pump.ts';
import { AmdHardware } from './hardware.ts';
import {
  AMD_CMD_ENTRIES,
  AMD_CMD_TAIL,
  AMD_CMDBUF,
  AMD_PPR_HEAD,
  AMD_PPR_TAIL,
  AMD_PPRLOG,
  AMD_STATUS,
  readAmdStats,
} from './layout.ts';
import type { AmdPumpOutcome } from './pump-outcomes.ts';
import type { DecodedRecord } from './records.ts';
import { layRig, type RigConfig, shortCommand } from './rig-parts.test-help.ts';
import type { AmdStatName } from './stats.ts';
import type { AmdEnableOptions } from './switch-procedures.ts';

/** A whole AMD IOMMU on one thread: ports, hardware, pump and a fake core, stepped by hand. */
export class Rig {
  readonly arena: Arena;
  readonly words: Words;
  readonly base: number;
  readonly irq: Doorbell;
  readonly hw: AmdHardware;
  readonly ops: AmdOps;
  readonly driver: AmdDriver;
  readonly pump: AmdEventPump;
  readonly reporter: FakeReporter;
  readonly ports: PriRequester[];
  readonly rids: readonly number[];
  readonly notes: AmdPumpOutcome[] = [];
  readonly events: DecodedRecord[] = [];
  readonly spareAt: number;
  readonly #enable: AmdEnableOptions;
  tick = 1000;
  lost = 0;

  constructor(config: RigConfig = {}) {
    const { rids = [0x10], credits = 600 } = config;
    this.rids = rids;
    this.#enable = config.enable ?? {};
    this.arena = layRig(config, rids, credits);
    const { arena } = this;
    this.words = arena.words;
    this.base = arena.base('amd');
    this.spareAt = arena.base('spare');
    this.irq = new Doorbell(this.words, arena.base('irq'));
    const hardwareDoorbell = new Doorbell(this.words, arena.base('hardware'));
    const bases = rids.map((_, i) => arena.base(`port${i}`));
    this.ports = bases.map((base) => new PriRequester(this.words, base));
    const clock = (): number => this.tick;
    const late = config.lateEntries ?? false;
    this.hw = new AmdHardware(this.words, this.base, { ports: bases, irq: this.irq, clock, lateEntries: late });
    this.ops = this.opsOf(1);
    this.driver = new AmdDriver(this.words, this.base, {
      ops: this.opsOf(2, config.timeoutMs),
      hardwareDoorbell,
      timeoutMs: config.timeoutMs ?? 1000,
    });
    this.reporter = new FakeReporter(this.words, arena.base('records'));
    const pump: AmdEventPumpConfig = {
      reporter: config.reporter?.(this.words, this.ops) ?? this.reporter,
      ops: this.ops,
      clock,
      asLinux: config.asLinux ?? false,
      onLost: () => {
        this.lost++;
        config.onLost?.();
      },
      onEvent: (outcome, entry) => {
        this.notes.push(outcome);
        if (outcome === 'events') this.events.push(decodeEventEntry(entry, 0));
      },
    };
    this.pump = new AmdEventPump(this.words, this.base, pump);
  }

  opsOf(id: number, timeoutMs: number = 300): AmdOps {
    const hardwareDoorbell = new Doorbell(this.words, this.arena.base('hardware'));
    return new AmdOps(this.words, this.base, { self: { id, spins: 0 }, hardwareDoorbell, timeoutMs });
  }

  /** Switches on, and gives every device of a port a page table of PASID 1 and leave to send page requests. Device index 10 + its place. */
  static async on(config: RigConfig = {}): Promise<Rig> {
    const rig = new Rig(config);
    await rig.during(rig.driver.enable(rig.#enable));
    for (const [i, rid] of [...new Set(rig.rids)].entries()) {
      rig.driver.bindDevice(rid, 10 + i, { maxPasids: 16 });
      await rig.during(rig.driver.attach(rid, { kind: 'identity', domain: 1 + i }));
      await rig.during(rig.driver.attachPasid(rid, 1, 0x1000));
      await rig.during(rig.driver.enablePri(rid));
    }
    return rig;
  }

  /** Posts one request; defaults: a last read of PASID 1. */
  post(prgi: number, request: { port?: number; page?: number; flags?: number; pasid?: number } = {}): void {
    const { port = 0, page = 0x1000, flags = REQUEST_READ | REQUEST_LAST | REQUEST_PASID_VALID, pasid = 1 } = request;
    this.ports[port].post(page | 0, Math.floor(page / 2 ** 32), flags, pasid, prgi, this.tick);
    this.ports[port].publish();
  }

  /** Runs hardware and pump until neither finds anything to do. */
  settle(): void {
    for (let i = 0; i < 50; i++) if (this.hw.pump(1000) + this.pump.pump(1000) === 0 && !this.hw.needsWork()) return;
  }

  answer(fault: Pick<Reported, 'token' | 'grpid' | 'pasid'>, code: ResponseCode = RESPONSE_SUCCESS): void {
    this.words[this.spareAt + FAULT_TOKEN] = fault.token;
    this.words[this.spareAt + FAULT_GRPID] = fault.grpid;
    this.words[this.spareAt + FAULT_PASID] = fault.pasid;
    this.words[this.spareAt + FAULT_FLAGS] = FAULT_FLAG_PASID_VALID;
    this.ops.pageResponse(this.spareAt, code);
  }

  /** What the port's endpoint has been sent since the last time. */
  received(port: number = 0): Received[] {
    return takeReceived(this.words, this.ports[port]);
  }

  /** Sends the completion of an invalidation. */
  complete(itag: number, port: number = 0): void {
    completeInvalidation(this.ports[port], itag, this.tick);
  }

  /** Runs hardware and pump while a promise of the driver's is under way. */
  during<T>(promise: Promise<T>, step?: () => void): Promise<T> {
    return during(promise, () => {
      this.hw.pump(64);
      this.pump.pump(64);
      step?.();
    });
  }

  /** {@link during}, with endpoints that complete invalidations. What else it got is passed over. */
  completing<T>(promise: Promise<T>): Promise<T> {
    return this.during(promise, () => {
      this.ports.forEach((_, port) => {
        for (const { invalidate, prgi } of this.received(port)) if (invalidate === true) this.complete(prgi, port);
      });
    });
  }

  stat(name: AmdStatName): number {
    return readAmdStats(this.words, this.base)[name];
  }
  /** Commands handed over since TAIL was `from`: their names, and of those that say more the fields that matter. */
  commandsSince(from: number): string[] {
    const ring = this.base + this.words[this.base + AMD_CMDBUF];
    const bytes = this.words[this.base + AMD_CMD_ENTRIES] * 16;
    const list: string[] = [];
    for (let at = from; at !== this.commandTail; at = (at + 16) % bytes) {
      const { name, values } = decodeCommand(this.words, ring + at / 4);
      list.push(name === 'COMPLETION_WAIT' ? 'WAIT' : shortCommand(name, values));
    }
    return list;
  }
  get commandTail(): number {
    return Atomics.load(this.words, this.base + AMD_CMD_TAIL);
  }
  get status(): number {
    return Atomics.load(this.words, this.base + AMD_STATUS);
  }
  get head(): number {
    return Atomics.load(this.words, this.base + AMD_PPR_HEAD);
  }
  get tail(): number {
    return Atomics.load(this.words, this.base + AMD_PPR_TAIL);
  }

  /** Word offset of PPR log entry `entry`. */
  pprEntry(entry: number): number {
    return this.base + this.words[this.base + AMD_PPRLOG] + entry * 4;
  }

  /** Puts an entry into the PPR log as broken hardware might, behind what the hardware wrote: the hardware does not run meanwhile. */
  inject(entry: readonly number[]): void {
    const at = this.pprEntry(this.tail / 16);
    entry.forEach((word, i) => {
      this.words[at + i] = word;
    });
    Atomics.store(this.words, this.base + AMD_PPR_TAIL, this.tail + 16);
  }
}
