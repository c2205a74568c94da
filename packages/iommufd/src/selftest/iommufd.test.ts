import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  VFIO_API_VERSION,
  VFIO_CHECK_EXTENSION,
  VFIO_GET_API_VERSION,
  VFIO_IOMMU_DIRTY_PAGES,
  VFIO_IOMMU_GET_INFO,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_UNMAP_DMA,
  VFIO_SET_IOMMU,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1V2_IOMMU,
  VFIO_UNMAP_ALL,
  VFIO_UPDATE_VADDR,
} from '../compat/index.ts';
import {
  DESTROY,
  FAULT_QUEUE_ALLOC,
  GET_HW_INFO,
  HW_QUEUE_ALLOC,
  HWPT_ALLOC,
  HWPT_GET_DIRTY_BITMAP,
  HWPT_INVALIDATE,
  HWPT_SET_DIRTY_TRACKING,
  IOAS_ALLOC,
  IOAS_ALLOW_IOVAS,
  IOAS_COPY,
  IOAS_IOVA_RANGES,
  IOAS_MAP,
  IOAS_MAP_FILE,
  IOAS_UNMAP,
  OPTION,
  OPTION_HUGE_PAGES,
  OPTION_OP_GET,
  OPTION_OP_SET,
  OPTION_RLIMIT_MODE,
  type Struct,
  VDEVICE_ALLOC,
  VEVENTQ_ALLOC,
  VFIO_IOAS,
  VFIO_IOAS_CLEAR,
  VFIO_IOAS_GET,
  VFIO_IOAS_SET,
  VIOMMU_ALLOC,
} from '../uapi/index.ts';
import { type Device, errnoName, request, System } from './system.test-help.ts';

/** Those of the kernel's list that are not legacy, and all others. */
const SIZED: readonly Struct[] = [
  DESTROY,
  FAULT_QUEUE_ALLOC,
  GET_HW_INFO,
  HWPT_ALLOC,
  HWPT_GET_DIRTY_BITMAP,
  HWPT_INVALIDATE,
  HWPT_SET_DIRTY_TRACKING,
  HW_QUEUE_ALLOC,
  IOAS_ALLOC,
  IOAS_ALLOW_IOVAS,
  IOAS_COPY,
  IOAS_IOVA_RANGES,
  IOAS_MAP,
  IOAS_MAP_FILE,
  IOAS_UNMAP,
  OPTION,
  VDEVICE_ALLOC,
  VEVENTQ_ALLOC,
  VIOMMU_ALLOC,
];

describe('iommufd', () => {
  let system: System;
  let device: Device;
  beforeEach(() => {
    system = new System();
    device = system.process.open();
  });
  afterEach(() => system.expectNothingLeft());

  const ioctl = (nr: number, address: bigint): string => errnoName(system.process.ioctl(device.fd, nr, address));

  test('simple_close', () => {
    expect(system.lab.machine.live().objects).toBe(0);
    system.process.files.close(device.fd);
  });

  test('cmd_fail', () => {
    expect(device.errno(DESTROY, { id: 0 })).toBe('ENOENT');
    expect(ioctl(request(DESTROY.nr), 0n)).toBe('EFAULT');
    expect(ioctl(request(0x7f), system.process.encode(DESTROY, {}))).toBe('ENOTTY');
    expect(ioctl(request(DESTROY.nr) | 0x40000000, system.process.encode(DESTROY, {}))).toBe('ENOTTY');
  });

  test('cmd_length', () => {
    for (const struct of SIZED) {
      const nr = request(struct.nr);
      const withSize = (size: number, more: number): string => ioctl(nr, system.process.encode(struct, {}, size, more));
      expect(withSize(struct.minBytes - 1, 0), struct.name).toBe('EINVAL');
      expect(withSize(struct.bytes + 1, 0xff), struct.name).toBe('E2BIG');
      const plain = withSize(struct.bytes, 0xff);
      expect(withSize(struct.bytes + 1, 0), struct.name).toBe(plain);
    }
  });

  test('cmd_ex_fail', () => {
    const nr = request(DESTROY.nr);
    const longer = (size: number, more: number): string => ioctl(nr, system.process.encode(DESTROY, {}, size, more));
    expect(longer(16, 0)).toBe('ENOENT');
    expect(longer(16, 1)).toBe('E2BIG');
    expect(longer(8, 1)).toBe('ENOENT');
    expect(longer(7, 0)).toBe('EINVAL');
  });

  test('global_options', () => {
    const rlimit = { optionId: OPTION_RLIMIT_MODE };
    const mode = (): bigint => device.call(OPTION, { ...rlimit, op: OPTION_OP_GET, val64: 7n }).val64;
    const set = (val64: bigint): string => device.errno(OPTION, { ...rlimit, op: OPTION_OP_SET, val64 });
    expect(mode()).toBe(0n);
    expect([set(1n), mode()]).toEqual(['', 1n]);
    expect([set(2n), mode()]).toEqual(['EINVAL', 1n]);
    expect([set(0n), mode()]).toEqual(['', 0n]);
    expect(device.errno(OPTION, { ...rlimit, objectId: 1 })).toBe('EOPNOTSUPP');
    for (const op of [OPTION_OP_GET, OPTION_OP_SET])
      expect(device.errno(OPTION, { optionId: OPTION_HUGE_PAGES, op })).toBe('ENOENT');
    device.call(IOAS_ALLOC);
    expect(set(1n)).toBe('EBUSY');
  });

  /** A legacy struct, as bytes. */
  const legacy = (nr: number, words: readonly number[], more: readonly bigint[]): string => {
    const bytes = new Uint8Array(words.length * 4 + more.length * 8);
    bytes.set(new Uint8Array(Uint32Array.from(words).buffer));
    bytes.set(new Uint8Array(BigUint64Array.from(more).buffer), words.length * 4);
    return ioctl(nr, system.process.place(bytes));
  };

  test('simple_ioctls', () => {
    const call = (nr: number, argument: number): number => system.process.ioctl(device.fd, nr, BigInt(argument));
    expect(call(VFIO_GET_API_VERSION, 0)).toBe(VFIO_API_VERSION);
    for (const type of [VFIO_TYPE1V2_IOMMU, VFIO_TYPE1_IOMMU, VFIO_UNMAP_ALL])
      expect(call(VFIO_CHECK_EXTENSION, type)).toBe(1);
    for (const type of [2, 7, VFIO_UPDATE_VADDR]) expect(call(VFIO_CHECK_EXTENSION, type)).toBe(0);
    expect(errnoName(call(VFIO_IOMMU_DIRTY_PAGES, 0))).toBe('ENOTTY');
  });

  test('unmap_cmd', () => {
    const unmap = (argsz: number, flags: number): string =>
      legacy(VFIO_IOMMU_UNMAP_DMA, [argsz, flags], [1n << 24n, 4096n]);
    expect([unmap(1, 0), unmap(24, 1 << 31), unmap(24, 0)]).toEqual(['EINVAL', 'EINVAL', 'ENODEV']);
  });

  test('map_cmd', () => {
    const buffer = system.process.memory.mmap(4096);
    const map = (argsz: number, flags: number): string =>
      legacy(VFIO_IOMMU_MAP_DMA, [argsz, flags], [buffer, 1n << 24n, 4096n]);
    expect([map(1, 3), map(32, 1 << 31), map(32, 3)]).toEqual(['EINVAL', 'EINVAL', 'ENODEV']);
  });

  test('info_cmd', () => {
    const info = (argsz: number): string => legacy(VFIO_IOMMU_GET_INFO, [argsz, 0], [0n, 0n]);
    expect([info(1), info(24)]).toEqual(['EINVAL', 'ENODEV']);
  });

  test('set_iommu_cmd', () => {
    const set = (type: number): string => ioctl(VFIO_SET_IOMMU, BigInt(type));
    expect([set(VFIO_TYPE1V2_IOMMU), set(VFIO_TYPE1_IOMMU), set(2)]).toEqual(['ENODEV', 'ENODEV', 'EINVAL']);
  });

  test('vfio_ioas', () => {
    const compat = (op: number, ioasId: number = 0): string => device.errno(VFIO_IOAS, { op, ioasId });
    expect([compat(VFIO_IOAS_GET), compat(VFIO_IOAS_CLEAR), compat(9)]).toEqual(['ENODEV', '', 'EOPNOTSUPP']);
    expect(compat(VFIO_IOAS_SET, 99)).toBe('ENOENT');
    const ioasId = device.call(IOAS_ALLOC).outIoasId;
    expect(compat(VFIO_IOAS_SET, ioasId)).toBe('');
    expect(device.call(VFIO_IOAS, { op: VFIO_IOAS_GET }).ioasId).toBe(ioasId);
    expect(compat(VFIO_IOAS_CLEAR)).toBe('');
    expect(compat(VFIO_IOAS_GET)).toBe('ENODEV');
    expect(compat(VFIO_IOAS_SET, ioasId)).toBe('');
    expect(device.errno(DESTROY, { id: ioasId })).toBe('');
    expect(compat(VFIO_IOAS_GET)).toBe('ENODEV'); // it went with its IOAS
  });
});
