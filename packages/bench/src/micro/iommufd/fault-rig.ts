// A device's faults and the fault file's user, on one thread or two: hardware that needs no telling, one domain, one fault queue.
import {
  Arena,
  allocDomain,
  attachDomain,
  FAULT_DEVICE,
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  FAULT_FLAGS,
  FAULT_GRPID,
  FAULT_PAGE_HI,
  FAULT_PAGE_LO,
  FAULT_PASID,
  FAULT_PERM,
  FAULT_PERM_READ,
  FAULT_TOKEN,
  type Generation,
  HANDLER_CONSUMER,
  type IommuOps,
  IopfSystem,
  planArena,
  RESPONSE_SUCCESS,
  type ThreadSelf,
  type Words,
} from '@faultline/core';
import {
  FailPoint,
  FaultFile,
  FaultQueue,
  type IommufdConfig,
  initIommufd,
  initPhysicalMemory,
  iommufdRegions,
  type Machine,
  PAGE_BYTES,
  PAGE_RESPONSE,
  PGFAULT,
  PhysicalMemory,
  physicalMemoryWords,
  routeDomain,
} from '@faultline/iommufd';
import { initProcessMemory, ProcessMemory, processMemoryWords } from '@faultline/iommufd/testing';
import { FAULT_QUEUE, machineConfig, openMachine } from '../../stress/user-space/machine.ts';

const PASID = 1;
const DEVICE = 1;
/** As PCIe's: the device's number for a group. */
const GROUP_IDS = 512;

export const RIG_CONFIG: IommufdConfig = machineConfig({
  ...{ devices: 1, domains: 1, threads: 2, requests: 4096, workEntries: 64 },
  sharing: 'split',
  checked: false,
});

export const RIG_REGIONS: ReturnType<typeof iommufdRegions> = iommufdRegions(RIG_CONFIG);

export function initRig(arena: Arena): void {
  initIommufd(arena, RIG_CONFIG);
}

export function makeRigArena(): Arena {
  const arena = Arena.create(planArena(RIG_REGIONS));
  initRig(arena);
  return arena;
}

/** One thread's machine, online. */
export function openRig(arena: Arena, self: ThreadSelf, ops: IommuOps, generation: Generation = 'lockless'): Machine {
  const system = new IopfSystem(arena, self);
  return openMachine(arena, { system, ops, generation });
}

/** The thread that the device faults on. */
export class Trigger {
  readonly #machine: Machine;
  readonly #words: Words;
  readonly #groupId: (fault: number) => number;
  #next = 0;

  /** @param groupId the device's number for a fault's group. Default: as PCIe's, in turn. */
  constructor(machine: Machine, groupId: (fault: number) => number = (fault) => fault % GROUP_IDS) {
    const { system, routes } = machine;
    this.#machine = machine;
    this.#groupId = groupId;
    this.#words = machine.words;
    const domain = allocDomain(system, { handler: HANDLER_CONSUMER });
    routeDomain(system, routes, domain, FAULT_QUEUE);
    machine.path.addDevice(DEVICE);
    machine.setDeviceId(DEVICE, DEVICE);
    attachDomain(system, DEVICE, PASID, domain);
  }

  report(count: number): void {
    const { path } = this.#machine;
    const words = this.#words;
    for (let i = 0; i < count; i++) {
      const fault = this.#next++;
      const at = path.prepareFault();
      words[at + FAULT_DEVICE] = DEVICE;
      words[at + FAULT_FLAGS] = FAULT_FLAG_PASID_VALID | FAULT_FLAG_LAST_PAGE;
      words[at + FAULT_PASID] = PASID;
      words[at + FAULT_GRPID] = this.#groupId(fault);
      words[at + FAULT_PERM] = FAULT_PERM_READ;
      words[at + FAULT_PAGE_LO] = fault | 0;
      words[at + FAULT_PAGE_HI] = 0;
      words[at + FAULT_TOKEN] = 1;
      path.reportDeviceFault(at);
    }
    path.endBatch();
  }
}

/** User space by typed calls: one at a time, or several at once. */
export class TypedReader {
  readonly #queue: FaultQueue;
  readonly #cookies: Int32Array;
  readonly #answers: Int32Array;

  constructor(machine: Machine, batch: number) {
    const { system, path, ops } = machine;
    this.#queue = new FaultQueue({ system, path, ops, base: machine.faultQueueAt(FAULT_QUEUE) });
    this.#cookies = new Int32Array(batch);
    this.#answers = new Int32Array(2 * batch);
  }

  /** @returns faults read and answered. */
  step(): number {
    if (this.#cookies.length === 1) return this.#one();
    const count = this.#queue.nextAll(this.#cookies);
    for (let i = 0; i < count; i++) {
      this.#answers[2 * i] = this.#cookies[i];
      this.#answers[2 * i + 1] = RESPONSE_SUCCESS;
    }
    return this.#queue.respondAll(this.#answers, count);
  }

  #one(): number {
    const cookie = this.#queue.next();
    if (cookie === 0) return 0;
    this.#queue.respond(cookie, RESPONSE_SUCCESS);
    return 1;
  }
}

/** User space by bytes, in a process's memory: records in its first page, answers in its second. */
export class ByteReader {
  readonly #file: FaultFile;
  readonly #memory: ProcessMemory;
  readonly #records: bigint;
  readonly #answers: bigint;
  /** The process's own view of the two. */
  readonly #record: Int32Array;
  readonly #answer: Int32Array;
  readonly #bytes: number;

  constructor(machine: Machine, batch: number) {
    const pages = 2;
    const memory = makeProcess(machine.self, pages);
    this.#memory = memory;
    this.#file = new FaultFile(machine, FAULT_QUEUE);
    this.#records = memory.mmap(PAGE_BYTES);
    this.#answers = memory.mmap(PAGE_BYTES);
    const view = (address: bigint): Int32Array =>
      new Int32Array(memory.ram.bytes.buffer, memory.frameAt(address) * PAGE_BYTES, PAGE_BYTES / 4);
    this.#record = view(this.#records);
    this.#answer = view(this.#answers);
    this.#bytes = batch * PGFAULT.bytes;
  }

  /** @returns faults read and answered. */
  step(): number {
    const bytes = this.#file.read(this.#memory, this.#records, this.#bytes);
    const count = bytes / PGFAULT.bytes;
    if (count === 0) return 0;
    for (let i = 0; i < count; i++) {
      this.#answer[(i * PAGE_RESPONSE.bytes + PAGE_RESPONSE.cookie) / 4] =
        this.#record[(i * PGFAULT.bytes + PGFAULT.cookie) / 4];
      this.#answer[(i * PAGE_RESPONSE.bytes + PAGE_RESPONSE.code) / 4] = RESPONSE_SUCCESS;
    }
    this.#file.write(this.#memory, this.#answers, count * PAGE_RESPONSE.bytes);
    return count;
  }
}

/** A process with RAM of its own. */
export function makeProcess(self: ThreadSelf, pages: number): ProcessMemory {
  const frames = pages;
  const words = new Int32Array(
    new SharedArrayBuffer(4 * (physicalMemoryWords(frames) + processMemoryWords(pages) + 64)),
  );
  const base = 32;
  initPhysicalMemory(words, base, frames);
  const processAt = base + physicalMemoryWords(frames);
  initProcessMemory(words, processAt, pages);
  const bytes = new SharedArrayBuffer((frames + 1) * PAGE_BYTES);
  return new ProcessMemory(new PhysicalMemory(words, base, bytes, self, new FailPoint()), processAt);
}
