// A process with /dev/iommu open and an IOAS: mapping without a device, as before one is attached. What is mapped is kept, not pinned.
import { Arena, type IommuOps, IopfSystem, planArena } from '@faultline/core';
import {
  type Args,
  type Caller,
  COMMANDS,
  type Context,
  callCommand,
  Dispatcher,
  encodeStruct,
  IOAS_MAP,
  IOAS_MAP_FIXED_IOVA,
  IOAS_MAP_READABLE,
  IOAS_MAP_WRITEABLE,
  IOAS_UNMAP,
  type IommufdConfig,
  initIommufd,
  ioasAlloc,
  ioasMap,
  ioasUnmap,
  iommufdConfig,
  iommufdRegions,
  openContext,
  openFiles,
  PAGE_BYTES,
} from '@faultline/iommufd';
import type { ProcessMemory } from '@faultline/iommufd/testing';
import { openMachine } from '../../stress/user-space/machine.ts';
import { SELF } from '../costs/subject.ts';
import { makeProcess } from './fault-rig.ts';

const OPS: IommuOps = { pageResponse() {}, flushResponses() {} };
const FLAGS = IOAS_MAP_FIXED_IOVA | IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE;
const IOMMUFD_TYPE = 0x3b00;
const PAGE = BigInt(PAGE_BYTES);

function configFor(areas: number): IommufdConfig {
  return iommufdConfig({
    ...{ devices: 1, domains: 1, threads: 1, requests: 64, workEntries: 64, contexts: 1, processes: 1, faultQueues: 1 },
    ...{ areas: areas + 2, pages: areas + 2, objects: 8, ioas: 2 },
  });
}

export class IoasRig {
  readonly #context: Context;
  readonly #caller: Caller;
  readonly #memory: ProcessMemory;
  readonly #dispatcher = new Dispatcher(COMMANDS);
  readonly #ioasId: number;
  /** What is mapped everywhere: one page. */
  readonly #userVa: bigint;
  readonly #mapAt: bigint;
  readonly #unmapAt: bigint;
  /** The two argument structs, as the process has them. */
  readonly #map: DataView;
  readonly #unmap: DataView;
  readonly #mapArgs: Partial<Args<typeof IOAS_MAP>>;

  /** @param areas that there may be. */
  constructor(areas: number) {
    const config = configFor(areas);
    const arena = Arena.create(planArena(iommufdRegions(config)));
    initIommufd(arena, config);
    const machine = openMachine(arena, { system: new IopfSystem(arena, SELF), ops: OPS, generation: 'lockless' });
    this.#memory = makeProcess(SELF, 4);
    this.#context = openContext(machine);
    this.#caller = { mm: 1, memory: this.#memory, files: openFiles(machine, 1), privileged: true };
    this.#ioasId = callCommand(this.#context, this.#caller, ioasAlloc, {}).outIoasId;
    this.#userVa = this.#memory.mmap(PAGE_BYTES);
    this.#mapAt = this.#memory.mmap(PAGE_BYTES);
    this.#unmapAt = this.#memory.mmap(PAGE_BYTES);
    const { bytes } = this.#memory.ram;
    const view = (address: bigint): DataView => new DataView(bytes.buffer, this.#memory.frameAt(address) * PAGE_BYTES);
    this.#map = view(this.#mapAt);
    this.#unmap = view(this.#unmapAt);
    this.#mapArgs = { flags: FLAGS, ioasId: this.#ioasId, userVa: this.#userVa, length: PAGE };
    encodeStruct(IOAS_MAP, this.#mapArgs, this.#map);
    encodeStruct(IOAS_UNMAP, { ioasId: this.#ioasId, length: PAGE }, this.#unmap);
  }

  /** IOAS_MAP of a page, by bytes. */
  mapBytes(page: number): void {
    this.#map.setBigUint64(IOAS_MAP.fields.iova[1], BigInt(page) * PAGE, true);
    this.#ioctl(IOAS_MAP.nr, this.#mapAt);
  }
  unmapBytes(page: number): void {
    this.#unmap.setBigUint64(IOAS_UNMAP.fields.iova[1], BigInt(page) * PAGE, true);
    this.#ioctl(IOAS_UNMAP.nr, this.#unmapAt);
  }
  #ioctl(nr: number, address: bigint): void {
    const result = this.#dispatcher.ioctl(this.#context, this.#caller, IOMMUFD_TYPE | nr, address);
    if (result !== 0) throw this.#dispatcher.lastError ?? new Error(`ioctl ${nr} returned ${result}`);
  }

  /** The same by a typed call. */
  map(page: number): void {
    callCommand(this.#context, this.#caller, ioasMap, { ...this.#mapArgs, iova: BigInt(page) * PAGE });
  }
  unmap(page: number): void {
    const range = { ioasId: this.#ioasId, iova: BigInt(page) * PAGE, length: PAGE };
    callCommand(this.#context, this.#caller, ioasUnmap, range);
  }
}
