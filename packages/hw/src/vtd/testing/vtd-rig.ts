import {
  FAULT_DEVICE,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PAGE_HI,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_TOKEN,
  FAULT_WORDS,
  type FaultReporter,
} from '@faultline/core/iopf';
import { Arena, planArena } from '@faultline/core/memory';
import { Doorbell, doorbellWords, initDoorbell, LINE, type Words } from '@faultline/core/sync';
import {
  initPriPort,
  NO_RECORD,
  PriRequester,
  priPortWords,
  REQUEST_INVALIDATED,
  REQUEST_LAST,
  REQUEST_PASID_VALID,
  REQUEST_READ,
  RESPONSE_CODE,
  RESPONSE_FLAGS,
  RESPONSE_INVALIDATE,
  RESPONSE_PAGE_HI,
  RESPONSE_PAGE_LO,
  RESPONSE_PASID,
  RESPONSE_PASID_VALID,
  RESPONSE_PRGI,
} from '../../pcie/index.ts';
import { VtdDriver } from '../driver.ts';
import { EventPump, type EventPumpConfig } from '../event-pump.ts';
import { VtdHardware } from '../hardware.ts';
import { VTD_FSTS, VTD_PQH, VTD_PQT, VTD_PRQ, VTD_PRS } from '../layout.ts';
import type { VtdProceduresConfig } from '../procedures.ts';
import type { PumpOutcome } from '../pump-outcomes.ts';
import { initVtd, type VtdConfig, vtdAnnounceBase, vtdWords } from '../unit.ts';
import { VtdOps } from '../vtd-ops.ts';

/** A record as the endpoint got it. */
export interface Received {
  readonly kind: 'response' | 'invalidation';
  /** PRG index, or ITAG. */
  readonly index: number;
  /** Response code, or log2 of the pages. */
  readonly code: number;
  readonly pasid: number;
  readonly page: number;
}

/** One fault as the reporter got it. */
export interface Reported {
  readonly device: number;
  readonly flags: number;
  readonly pasid: number;
  readonly grpid: number;
  readonly perm: number;
  readonly page: number;
  readonly token: number;
}

/** A core that keeps what it is told. */
export class FakeReporter implements FaultReporter {
  readonly #words: Words;
  readonly #records: number;
  readonly faults: Reported[] = [];
  readonly discarded: number[] = [];
  batches = 0;
  verdict = 0;

  constructor(words: Words, records: number) {
    this.#words = words;
    this.#records = records;
  }
  prepareFault(): number {
    return this.#records;
  }
  reportDeviceFault(at: number): number {
    const w = this.#words;
    this.faults.push({
      device: w[at + FAULT_DEVICE],
      flags: w[at + FAULT_FLAGS],
      pasid: w[at + FAULT_PASID],
      grpid: w[at + FAULT_GRPID],
      perm: w[at + FAULT_PERM],
      page: w[at + FAULT_PAGE_HI] * 2 ** 32 + (w[at + FAULT_PAGE_LO] >>> 0),
      token: w[at + FAULT_TOKEN],
    });
    return this.verdict;
  }
  endBatch(): void {
    this.batches++;
  }
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
  readonly reporter: FakeReporter;
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
        { name: 'irq', words: doorbellWords() },
        { name: 'hardware', words: doorbellWords() },
        { name: 'wake', words: doorbellWords() },
        { name: 'records', words: FAULT_WORDS },
        { name: 'spare', words: LINE },
        ...portRids.map((_, i) => ({ name: `port${i}`, words: priPortWords(credits) })),
      ]),
    );
    const { words } = arena;
    this.words = words;
    this.base = arena.base('vtd');
    this.spareAt = arena.base('spare');
    initVtd(words, this.base, vtd);
    for (const name of ['irq', 'hardware', 'wake']) initDoorbell(words, arena.base(name));
    this.irq = new Doorbell(words, arena.base('irq'));
    this.hardwareBell = new Doorbell(words, arena.base('hardware'));
    const bases = portRids.map((rid, port) => {
      const siblings = portRids.filter((other) => other === rid).length;
      const place = portRids.slice(0, port).filter((other) => other === rid).length;
      const groupCount = Math.floor(512 / siblings);
      initPriPort(words, arena.base(`port${port}`), {
        port,
        rid,
        credits,
        groupFirst: place * groupCount,
        groupCount,
        wakeAt: arena.base('wake'),
        announceBase: vtdAnnounceBase(words, this.base),
        doorbellBase: arena.base('hardware'),
      });
      return arena.base(`port${port}`);
    });
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
    this.reporter = new FakeReporter(words, arena.base('records'));
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
    const words = this.words;
    this.ports.forEach((port, i) => {
      for (let at = port.peek(); at !== NO_RECORD; at = port.peek()) {
        const flags = words[at + RESPONSE_FLAGS];
        const invalidation = (flags & RESPONSE_INVALIDATE) !== 0;
        this.#received[i].push({
          kind: invalidation ? 'invalidation' : 'response',
          index: words[at + RESPONSE_PRGI],
          code: words[at + RESPONSE_CODE],
          pasid: (flags & RESPONSE_PASID_VALID) !== 0 ? words[at + RESPONSE_PASID] : -1,
          page: invalidation ? words[at + RESPONSE_PAGE_HI] * 2 ** 32 + (words[at + RESPONSE_PAGE_LO] >>> 0) : 0,
        });
        if (invalidation && this.completing) this.complete(words[at + RESPONSE_PRGI], i);
        port.next();
      }
      port.release();
    });
  }

  /** Sends the completion of an invalidation. */
  complete(itag: number, port = 0): void {
    this.ports[port].post(0, 0, REQUEST_INVALIDATED, 0, itag, this.tick);
    this.ports[port].publish();
  }

  /** Runs the hardware, the endpoints and the pump while a promise is under way. */
  async during<T>(promise: Promise<T>, pumping = true): Promise<T> {
    let open = true;
    const end = (): void => {
      open = false;
    };
    promise.then(end, end);
    while (open) {
      this.hw.pump(64);
      this.poll();
      if (pumping) this.pump.pump(64);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return promise;
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
