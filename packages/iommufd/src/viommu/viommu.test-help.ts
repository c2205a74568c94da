// What tests of vIOMMUs start from: a mock device on a nesting parent whose IOAS has memory mapped at BASE.
import { PAGE_BYTES } from '../caller/index.ts';
import { attachDevice } from '../device/index.ts';
import {
  MOCK_DEVICE_CACHE,
  MOCK_HWPT_DATA_TYPE,
  MOCK_VEVENTQ_TYPE,
  MOCK_VIOMMU_TYPE,
  triggerMockEvent,
} from '../testing/mock/index.ts';
import type { MockLabConfig } from '../testing/mock-lab.ts';
import { makeRig, type Rig } from '../testing/rig.test-help.ts';
import {
  HWPT_ALLOC,
  HWPT_ALLOC_NEST_PARENT,
  IOAS_ALLOC,
  IOAS_MAP,
  IOAS_MAP_FIXED_IOVA,
  IOAS_MAP_READABLE,
  IOAS_MAP_WRITEABLE,
  VDEVICE_ALLOC,
  VEVENTQ_ALLOC,
  VIOMMU_ALLOC,
} from '../uapi/index.ts';

export const BASE = 1n << 24n;

export interface ViommuRig extends Rig {
  readonly ioasId: number;
  readonly parentId: number;
  /** Device 1, attached to the parent. */
  readonly devId: number;
  /** A page of the caller's. */
  readonly page: bigint;
  allocViommu(): number;
  allocVdevice(viommuId: number, devId: number, virtId: bigint): number;
  /** On a parent or a vIOMMU. */
  allocNested(ptId: number, devId?: number): number;
  allocQueue(viommuId: number, depth: number): { readonly id: number; readonly fd: number };
  /** Maps the caller's pages of an address. */
  map(iova: bigint, address: bigint, bytes: number, flags?: number): void;
  writeWords(address: bigint, ...values: readonly number[]): void;
  readWords(address: bigint, count: number): number[];
  cacheOf(device: number): number[];
  trigger(device: number): void;
}

export function makeViommuRig(config: MockLabConfig = {}): ViommuRig {
  const rig = makeRig(config);
  const { lab, memory, call, context } = rig;
  const ioasId = call(IOAS_ALLOC).outIoasId;
  const devId = rig.bind(1);
  const parentId = call(HWPT_ALLOC, { devId, ptId: ioasId, flags: HWPT_ALLOC_NEST_PARENT }).outHwptId;
  attachDevice(context, devId, { ptId: parentId });
  const page = memory.mmap(PAGE_BYTES);
  const writeWords = (address: bigint, ...values: readonly number[]): void => {
    memory.write(address, new Uint8Array(Uint32Array.from(values).buffer));
  };
  return {
    ...rig,
    ioasId,
    parentId,
    devId,
    page,
    writeWords,
    readWords(address, count) {
      const bytes = new Uint8Array(4 * count);
      memory.read(address, bytes);
      return [...new Uint32Array(bytes.buffer)];
    },
    allocViommu: () => call(VIOMMU_ALLOC, { type: MOCK_VIOMMU_TYPE, devId, hwptId: parentId }).outViommuId,
    allocVdevice: (viommuId, id, virtId) => call(VDEVICE_ALLOC, { viommuId, devId: id, virtId }).outVdeviceId,
    allocNested(ptId, id = devId) {
      writeWords(page, 0x1234, 0);
      return call(HWPT_ALLOC, { devId: id, ptId, dataType: MOCK_HWPT_DATA_TYPE, dataLen: 8, dataUptr: page }).outHwptId;
    },
    allocQueue(viommuId, veventqDepth) {
      const { outVeventqId, outVeventqFd } = call(VEVENTQ_ALLOC, { viommuId, type: MOCK_VEVENTQ_TYPE, veventqDepth });
      return { id: outVeventqId, fd: outVeventqFd };
    },
    map(iova, userVa, bytes, flags = IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE) {
      call(IOAS_MAP, { ioasId, iova, userVa, length: BigInt(bytes), flags: flags | IOAS_MAP_FIXED_IOVA });
    },
    cacheOf(device) {
      const at = lab.driver.deviceAt(device) + MOCK_DEVICE_CACHE;
      return [...lab.machine.words.subarray(at, at + 4)];
    },
    trigger: (device) => triggerMockEvent(lab.machine, lab.driver, device),
  };
}
