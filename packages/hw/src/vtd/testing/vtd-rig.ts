import { Arena, planArena } from '@faultline/core/memory';
import { Doorbell, LINE, type Words } from '@faultline/core/sync';
import { PriRequester, REQUEST_LAST, REQUEST_PASID_VALID, REQUEST_READ } from '../../pcie/index.ts';
import { bellRegions, initBells, initPorts, portRegions } from '../../testing/arena-parts.ts';
import { during } from '../../testing/during.ts';
import { FAKE_RECORDS, FakeReporter } from '../../testing/fake-reporter.ts';
import { completeInvalidation, type Received, takeReceived } from '../../testing/received.ts';
import { VtdDriver } from '../driver.ts';
import { EventPump, type EventPumpConfig } from '../event-pump.ts';
import { VtdHardware } from '../hardware.ts';
import { VTD_FSTS, VTD_PQH, VTD_PQT, VTD_PRQ, VTD_PRS } from '../layout.ts';
import type { VtdProceduresConfig } from '../procedures.ts';
import type { PumpOutcome } from '../pump-outcomes.ts';
import { initVtd, type VtdConfig, vtdAnnounceBase, vtdWords } from '../unit.ts';
import { VtdOps } from '../vtd-ops.ts';

/** {@link FakeReporter}, with set-aside requests to drop. */
class DiscardingReporter extends FakeReporter {
  readonly discarded: number[] = [];

  discardPartial(device: number): number {
    this.discarded.push(device);
    return 1;
  }
}

export interface VtdRigConfig extends Partial<VtdConfig> {
  /** Requester of each port. Default: one port of RID 8. */
  readonly portRids?: readonly number[];
  readonly credits?: number;
  readonly addressBits?: 48 | 57;
  readonly driver?: Partial<VtdProceduresConfig>;
  readonly timeoutTicks?: number;
  readonly timeoutMs?: number;
  /** In place of the fake core. */
  readonly reporter?: (words: Words) => EventPumpConfig['reporter'];
}

export const RID = 8;
export const DEVICE = 3;
export const PASID = 5;
const BELLS = ['irq', 'hardware', 'wake'];

/** A whole unit on one thread: endpoints' ports, hardware, pump and a fake core, stepped by hand. */
export class VtdRig {
  readonly words: Words;
  readonly base: number;
  readonly irq: Doorbell;
  readonly hardwareBell: Doorbell;
  readonly ports: PriRequester[];
  readonly hw: VtdHardware;
  readonly ops: VtdOps[];
  readonly driver: VtdDriver;
  readonly reporter: DiscardingReporter;
  readonly pump: EventPump;
  readonly notes: PumpOutcome[] = [];
  readonly spareAt: number;
  tick = 1000;
  /** Whether endpoints complete invalidations as they find them. */
  completing = true;
  readonly #received: Received[][];

  constructor(config: VtdRigConfig = {}) {
    const { portRids = [RID], credits = 32 } = config;
    const vtd: VtdConfig = {
      requestOrder: config.requestOrder ?? 0,
      invalidationOrder: config.invalidationOrder ?? 0,
      wideDescriptors: config.wideDescriptors ?? true,
      rids: config.rids ?? 16,
      pasidTables: config.pasidTables ?? 16,
      ports: portRids.length,
      threads: 2,
      faultRecords: config.faultRecords ?? 4,
      capabilities: config.capabilities ?? {},
    };
    const arena = Arena.create(
      planArena([
        { name: 'pad', words: 3 * LINE }, // so that the unit is not on a page by chance
        { name: 'vtd', words: vtdWords(vtd) },
        ...bellRegions(BELLS),
        { name: 'records', words: FAKE_RECORDS },
        { name: 'spare', words: LINE },
        ...portRegions(portRids.length, credits),
      ]),
    );
    const { words } = arena;
    this.words = words;
    this.base = arena.base('vtd');
    this.spareAt = arena.base('spare');
    initVtd(words, this.base, vtd);
    initBells(arena, BELLS);
    this.irq = new Doorbell(words, arena.base('irq'));
    this.hardwareBell = new Doorbell(words, arena.base('hardware'));
    const bases = initPorts(arena, vtdAnnounceBase(words, this.base), portRids, credits);
    this.ports = bases.map((base) => new PriRequester(words, base));
    this.#received = bases.map(() => []);
    this.hw = new VtdHardware(words, this.base, {
      ports: bases,
      irq: this.irq,
      clock: () => this.tick,
      invalidationTimeoutTicks: config.timeoutTicks ?? 500,
    });
    this.ops = [0, 1].map(
      (thread) =>
        new VtdOps(words, this.base, thread, {
          self: { id: thread + 1, spins: 0 },
          hardwareDoorbell: this.hardwareBell,
          timeoutMs: config.timeoutMs ?? 400,
        }),
    );
    this.driver = new VtdDriver(words, this.base, {
      ops: this.ops[1],
      hardwareDoorbell: this.hardwareBell,
      timeoutMs: config.timeoutMs ?? 1000,
      ...config.driver,
    });
    this.reporter = new DiscardingReporter(words, arena.base('records'));
    this.pump = new EventPump(words, this.base, {
      reporter: config.reporter?.(words) ?? this.reporter,
      ops: this.ops[0],
      ...(config.addressBits === undefined ? {} : { addressBits: config.addressBits }),
      onEvent: (outcome) => this.notes.push(outcome),
    });
  }

  /** Switches on, and attaches DEVICE at RID: PASID and traffic without one, faults let in. */
  async up(): Promise<this> {
    await this.during(this.driver.enable());
    await this.during(this.driver.attachDevice(RID, DEVICE));
    await this.during(this.driver.attach(RID, PASID, { kind: 'first-level', did: 1, faults: true }));
    await this.during(this.driver.attach(RID, 0, { kind: 'second-level', did: 2, faults: true }));
    return this;
  }

  /** Posts one request and publishes it. @param flags REQUEST_*; default a last read with PASID. */
  request(
    prgi: number,
    flags: number = REQUEST_READ | REQUEST_LAST | REQUEST_PASID_VALID,
    page = 0x1000,
    port = 0,
  ): void {
    if (!this.ports[port].post(page | 0, Math.floor(page / 2 ** 32), flags, PASID, prgi, this.tick))
      throw new Error(`no room at port ${port}`);
    this.ports[port].publish();
  }

  /** What the endpoint has got since the last time; completes invalidations if the rig does. */
  received(port = 0): Received[] {
    this.poll();
    return this.#received[port].splice(0);
  }

  /** Endpoints look at their response rings. */
  poll(): void {
    this.ports.forEach((port, i) => {
      const list = takeReceived(this.words, port);
      this.#received[i].push(...list);
      if (this.completing) for (const { invalidate, prgi } of list) if (invalidate === true) this.complete(prgi, i);
    });
  }

  /** Sends the completion of an invalidation. */
  complete(itag: number, port = 0): void {
    completeInvalidation(this.ports[port], itag, this.tick);
  }

  /** Runs the hardware, the endpoints and the pump while a promise is under way. */
  during<T>(promise: Promise<T>, pumping = true): Promise<T> {
    return during(promise, () => {
      this.hw.pump(64);
      this.poll();
      if (pumping) this.pump.pump(64);
    });
  }

  register(offset: number): number {
    return Atomics.load(this.words, this.base + offset);
  }
  get prs(): number {
    return this.register(VTD_PRS);
  }
  get fsts(): number {
    return this.register(VTD_FSTS);
  }
  /** Requests between PQH and PQT. */
  get queued(): number {
    const size = 128 * 32;
    return ((this.register(VTD_PQT) - this.register(VTD_PQH) + size) % size) / 32;
  }
  /** Word offset of the page request queue. */
  get requestsAt(): number {
    return this.base + this.words[this.base + VTD_PRQ];
  }
}
