// A process with /dev/iommu open and an IOAS, with a device attached to it or without: then what is mapped is kept, not pinned.
import {
  type Args,
  attachDevice,
  bindDevice,
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
  ioasAlloc,
  ioasMap,
  ioasUnmap,
  openContext,
  PAGE_BYTES,
} from '@faultline/iommufd';
import { createMockLab, MOCK_APERTURE_START, openMockLab } from '@faultline/iommufd/testing';
import { SELF } from '../costs/subject.ts';

const FLAGS = IOAS_MAP_FIXED_IOVA | IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE;
const IOMMUFD_TYPE = 0x3b00;
const PAGE = BigInt(PAGE_BYTES);
const DEVICE = 1;

/** Page `page` of what is mapped: where the mock's domain can have it. */
const iovaOf = (page: number): bigint => MOCK_APERTURE_START + BigInt(page) * PAGE;

export class IoasRig {
  readonly #context: Context;
  readonly #caller: Caller;
  readonly #dispatcher = new Dispatcher(COMMANDS);
  readonly #ioasId: number;
  /** The two argument structs, where the process has them. */
  readonly #mapAt: bigint;
  readonly #unmapAt: bigint;
  readonly #map: DataView;
  readonly #unmap: DataView;
  readonly #mapArgs: Partial<Args<typeof IOAS_MAP>>;

  /** @param areas that there may be. @param attached whether the mock's domain has what is mapped. */
  constructor(areas: number, attached: boolean = false) {
    const shared = createMockLab({
      ...{ devices: 1, domains: 2, threads: 1, requests: 64, workEntries: 64, contexts: 1, processes: 1 },
      ...{ faultQueues: 1, areas: areas + 2, pages: areas + 2, objects: 8, ioas: 2, frames: 4, window: 4 },
    });
    const { machine, driver, ram, caller } = openMockLab(shared, SELF);
    const process = caller(1);
    this.#context = openContext(machine);
    this.#caller = process;
    this.#ioasId = callCommand(this.#context, process, ioasAlloc, {}).outIoasId;
    if (attached) {
      driver.addDevice(DEVICE, 0);
      attachDevice(this.#context, bindDevice(this.#context, DEVICE), { ptId: this.#ioasId });
    }
    const userVa = process.memory.mmap(PAGE_BYTES); // mapped everywhere
    this.#mapAt = process.memory.mmap(PAGE_BYTES);
    this.#unmapAt = process.memory.mmap(PAGE_BYTES);
    const view = (address: bigint): DataView =>
      new DataView(ram.bytes.buffer, process.memory.frameAt(address) * PAGE_BYTES, PAGE_BYTES);
    this.#map = view(this.#mapAt);
    this.#unmap = view(this.#unmapAt);
    this.#mapArgs = { flags: FLAGS, ioasId: this.#ioasId, userVa, length: PAGE };
    encodeStruct(IOAS_MAP, this.#mapArgs, this.#map);
    encodeStruct(IOAS_UNMAP, { ioasId: this.#ioasId, length: PAGE }, this.#unmap);
  }

  /** IOAS_MAP of a page, by bytes. */
  mapBytes(page: number): void {
    this.#map.setBigUint64(IOAS_MAP.fields.iova[1], iovaOf(page), true);
    this.#ioctl(IOAS_MAP.nr, this.#mapAt);
  }
  unmapBytes(page: number): void {
    this.#unmap.setBigUint64(IOAS_UNMAP.fields.iova[1], iovaOf(page), true);
    this.#ioctl(IOAS_UNMAP.nr, this.#unmapAt);
  }
  #ioctl(nr: number, address: bigint): void {
    const result = this.#dispatcher.ioctl(this.#context, this.#caller, IOMMUFD_TYPE | nr, address);
    if (result !== 0) throw this.#dispatcher.lastError ?? new Error(`ioctl ${nr} returned ${result}`);
  }

  /** The same by a typed call. */
  map(page: number): void {
    callCommand(this.#context, this.#caller, ioasMap, { ...this.#mapArgs, iova: iovaOf(page) });
  }
  unmap(page: number): void {
    callCommand(this.#context, this.#caller, ioasUnmap, { ioasId: this.#ioasId, iova: iovaOf(page), length: PAGE });
  }
}
