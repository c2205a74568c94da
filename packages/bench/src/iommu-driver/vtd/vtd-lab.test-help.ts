// A machine whose devices are behind a VT-d unit, all on one thread: whoever waits for hardware runs it.
import { FAULT_PERM_READ, FAULT_PERM_WRITE } from '@faultline/core/iopf';
import { Arena } from '@faultline/core/memory';
import { Doorbell, doorbellWords, initDoorbell } from '@faultline/core/sync';
import {
  Endpoint,
  type EndpointQueue,
  endpointStatWords,
  functionWords,
  initEndpointStats,
  initFunction,
  initPriPort,
  priPortWords,
} from '@faultline/hw/pcie';
import { STALL_ABORT } from '@faultline/hw/smmu-v3';
import { EventPump, Remapper, VtdHardware, VtdOps, vtdAnnounceBase } from '@faultline/hw/vtd';
import { Iommufd, iommufdConfig } from '@faultline/iommufd';
import { createLab, type Lab, openLab } from '@faultline/iommufd/testing';
import {
  initVtdDriver,
  VTD_UNIT_REGION,
  VtdIommufdDriver,
  type VtdIommufdDriverConfig,
  vtdDriverRegions,
} from './index.ts';

export const DEVICE = 1;
export const RID = 8;
/** Without ATS and PRI. */
export const PLAIN_DEVICE = 2;
export const PLAIN_RID = 9;
const CREDITS = 32;
const PAGE = 4096;

export interface VtdLab extends Lab {
  readonly driver: VtdIommufdDriver;
  readonly iommufd: Iommufd;
  readonly remapper: Remapper;
  readonly endpoint: Endpoint;
  readonly pump: EventPump;
  /** Runs hardware, endpoint and pump until nothing moves. */
  settle(): void;
  /** An access of DEVICE's. */
  access(pasid: number): DeviceAccess;
}

export function makeVtdLab(
  options: { readonly capabilities?: Readonly<Record<string, number>>; readonly errata772415?: boolean } = {},
): VtdLab {
  const config = iommufdConfig({ devices: 4, domains: 16, threads: 2 });
  const unit = {
    ...{ requestOrder: 0, invalidationOrder: 0, rids: 16, pasidTables: 16, ports: 1, threads: 1, walkers: 1 },
    capabilities: options.capabilities ?? {},
  };
  const sizes = { ...config, tables: 64, unit, attachments: 16 };
  const bells = ['irq', 'hardware', 'wake'];
  const shared = createLab({ ...config, frames: 512, window: 512 }, [
    ...vtdDriverRegions(sizes),
    ...bells.map((name) => ({ name, words: doorbellWords() })),
    { name: 'function', words: functionWords() },
    { name: 'stats', words: endpointStatWords() },
    { name: 'port', words: priPortWords(CREDITS) },
  ]);
  const arena = Arena.open(shared.arena);
  const { words } = arena;
  initVtdDriver(arena, sizes);
  for (const bell of bells) initDoorbell(words, arena.base(bell));
  const [irq, hardwareDoorbell] = bells.map((bell) => new Doorbell(words, arena.base(bell)));
  const base = arena.base(VTD_UNIT_REGION);
  const [portAt, functionAt, statsAt] = ['port', 'function', 'stats'].map((name) => arena.base(name));
  initFunction(words, functionAt, { capacity: CREDITS });
  initEndpointStats(words, statsAt);
  initPriPort(words, portAt, {
    ...{ port: 0, rid: RID, credits: CREDITS, wakeAt: arena.base('wake') },
    ...{ announceBase: vtdAnnounceBase(words, base), doorbellBase: arena.base('hardware') },
  });
  const hardware = new VtdHardware(words, base, { ports: [portAt], irq, clock: () => 0 });
  const endpoint = new Endpoint(words, { portAt, functionAt, statsAt, clock: () => 0 });
  const self = { id: 1, spins: 0 };
  const ops = new VtdOps(words, base, 0, { self, hardwareDoorbell, timeoutMs: 2000 });
  const turn = (): number => {
    const moved = hardware.pump(64) + endpoint.pump();
    return moved + lab.machine.answering(() => pump.pump(64));
  };
  const driverConfig: VtdIommufdDriverConfig = {
    ...{ self, ops, hardwareDoorbell, timeoutMs: 2000, between: () => void turn() },
    errata772415: options.errata772415 ?? false,
  };
  const driver = new VtdIommufdDriver(arena, driverConfig);
  const lab = openLab(shared, () => ({ driver, ops }), self);
  const pump = new EventPump(words, base, { reporter: lab.machine.path, ops, addressBits: 57 });
  driver.enable();
  driver.addDevice({ device: DEVICE, rid: RID, pasidsLog2: 10, functionAt });
  driver.addDevice({ device: PLAIN_DEVICE, rid: PLAIN_RID });
  const memory = new BigInt64Array(lab.ram.bytes.buffer);
  const remapper = new Remapper(words, base, { walker: 0, tables: driver.domains.pool.entries, memory });
  return {
    ...lab,
    ...{ driver, remapper, endpoint, pump },
    iommufd: Iommufd.open(lab.machine, lab.caller(1)),
    settle() {
      for (let idle = 0; idle < 3; idle++) if (turn() !== 0) idle = -1;
    },
    access: (pasid) =>
      new DeviceAccess(remapper, endpoint.openQueue(pasid === 0 ? -1 : pasid, 16), lab.ram.bytes, turn),
  };
}

/** Moves bytes by a device's addresses, page by page; where a page is missing it asks for it, and goes on once it has the answer. */
export class DeviceAccess {
  readonly #remapper: Remapper;
  readonly #queue: EndpointQueue;
  readonly #ram: Uint8Array;
  readonly #turn: () => number;

  constructor(remapper: Remapper, queue: EndpointQueue, ram: Uint8Array, turn: () => number) {
    this.#remapper = remapper;
    this.#queue = queue;
    this.#ram = ram;
    this.#turn = turn;
  }

  /** A write as steps: each `next` runs it until it is done (true), has failed (false), or waits for a page. */
  *write(address: number, from: Uint8Array): Generator<undefined, boolean> {
    return yield* this.#each(address, from.length, true, (at, done, end) =>
      this.#ram.set(from.subarray(done, end), at),
    );
  }

  *read(address: number, into: Uint8Array): Generator<undefined, boolean> {
    return yield* this.#each(address, into.length, false, (at, done, end) =>
      into.set(this.#ram.subarray(at, at + end - done), done),
    );
  }

  *#each(
    address: number,
    length: number,
    write: boolean,
    move: (at: number, done: number, end: number) => void,
  ): Generator<undefined, boolean> {
    for (let done = 0; done < length; ) {
      const from = address + done;
      const end = Math.min(length, done + PAGE - (from % PAGE));
      const page = Math.floor(from / PAGE);
      const output = this.#remapper.access(RID, this.#queue.pasid, page, write, (frame) =>
        move(frame * PAGE + (from % PAGE), done, end),
      );
      if (output >= 0) done = end;
      else if (!(yield* this.#ask(page, write))) return false;
    }
    return true;
  }

  *#ask(page: number, write: boolean): Generator<undefined, boolean> {
    const perm = write ? FAULT_PERM_READ | FAULT_PERM_WRITE : FAULT_PERM_READ;
    const slot = this.#queue.post(page | 0, Math.floor(page / 2 ** 32), perm, 0);
    this.#queue.publish();
    while (!this.#queue.isDone()) {
      if (this.#turn() === 0) yield;
    }
    const result = this.#queue.result(slot);
    this.#queue.reset();
    return result !== STALL_ABORT;
  }
}
