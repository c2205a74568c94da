import { afterEach, beforeEach, describe, expect, test } from 'vitest';
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
});
