// A virtual machine's slice of the IOMMU: its devices, events, queues.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { POLLIN, POLLRDNORM } from '../files/fault-file.ts';
import {
  MOCK_DEV_CACHE_DEFAULT,
  MOCK_HW_QUEUE_TYPE,
  MOCK_HWPT_DATA_TYPE,
  MOCK_INVALIDATE_ALL,
  MOCK_INVALIDATE_TYPE_BAD,
  MOCK_IOTLB_DEFAULT,
  MOCK_VEVENTQ_TYPE,
  MOCK_VIOMMU_INVALIDATE_TYPE,
  MOCK_VIOMMU_TYPE,
} from '../testing/mock/index.ts';
import { TEST_DEV_CHECK_CACHE, TEST_TRIGGER_VEVENT } from '../testing/test-commands/index.ts';
import {
  type Args,
  FAULT_QUEUE_ALLOC,
  HW_QUEUE_ALLOC,
  HWPT_ALLOC,
  HWPT_ALLOC_NEST_PARENT,
  HWPT_FAULT_ID_VALID,
  HWPT_INVALIDATE,
  VDEVICE_ALLOC,
  VEVENT_HEADER,
  VEVENTQ_ALLOC,
  VIOMMU_ALLOC,
} from '../uapi/index.ts';
import { MMAP_SHARED, mmapRegion, unmapRegion } from '../viommu/mmap.ts';
import {
  APERTURE,
  destroy,
  destroyErrno,
  hwptAlloc,
  ioasAlloc,
  type MockDomain,
  mapFixed,
  mockDomain,
  replace,
  replaceErrno,
  unmap,
  unmapErrno,
} from './actions.test-help.ts';
import { answerOneFault } from './faults.test-help.ts';
import { variants } from './inventory.ts';
import { type Device, PAGE, System } from './system.test-help.ts';

const VARIANTS = variants('iommufd_viommu', { no_viommu: false, mock_viommu: true });
const P = BigInt(PAGE);
const VIRT_ID = 0x99n;
const EVENT = VEVENT_HEADER.bytes + 4;

describe.each(VARIANTS)('iommufd_viommu.%s', (_name, hasViommu) => {
  let system: System;
  let device: Device;
  let ioas: number;
  let mock: MockDomain = { stdev: 0, hwpt: 0, idev: 0 };
  let parent = 0;
  let viommuId = 0;
  beforeEach(() => {
    system = new System();
    device = system.process.open();
    ioas = ioasAlloc(device);
    if (!hasViommu) return;
    mock = mockDomain(device, ioas);
    parent = hwptAlloc(device, { devId: mock.idev, ptId: ioas, flags: HWPT_ALLOC_NEST_PARENT });
    viommuId = device.call(VIOMMU_ALLOC, { type: MOCK_VIOMMU_TYPE, devId: mock.idev, hwptId: parent }).outViommuId;
  });
  afterEach(() => system.expectNothingLeft());

  const errnoOf = (args: Partial<Args<typeof VIOMMU_ALLOC>>): string =>
    device.errno(VIOMMU_ALLOC, { type: MOCK_VIOMMU_TYPE, devId: mock.idev, hwptId: parent, ...args });
  const vdevice = (virtId: bigint = VIRT_ID): number =>
    device.call(VDEVICE_ALLOC, { viommuId, devId: mock.idev, virtId }).outVdeviceId;
  const nestedArgs = (): Partial<Args<typeof HWPT_ALLOC>> => ({
    devId: mock.idev,
    ptId: viommuId,
    dataType: MOCK_HWPT_DATA_TYPE,
    dataLen: 8,
    dataUptr: system.process.words(MOCK_IOTLB_DEFAULT, 0),
  });

  test('viommu_auto_destroy', () => {
    expect(system.lab.machine.live().objects).toBe(hasViommu ? 6 : 1);
  });

  test('viommu_negative_tests', () => {
    if (!hasViommu) {
      expect(errnoOf({})).toBe('ENOENT');
      return;
    }
    const plain = hwptAlloc(device, { devId: mock.idev, ptId: ioas });
    expect(errnoOf({ hwptId: plain })).toBe('EINVAL');
    destroy(device, plain);
    expect(errnoOf({ type: 0xdead })).toBe('EOPNOTSUPP');
    expect(errnoOf({ type: 0 })).toBe('EOPNOTSUPP');
    expect(errnoOf({ flags: 1 })).toBe('EOPNOTSUPP');
    expect(errnoOf({ hwptId: ioas })).toBe('ENOENT');
    expect(errnoOf({ devId: ioas })).toBe('ENOENT');
    expect(destroyErrno(device, parent)).toBe('EBUSY');
    const nested = hwptAlloc(device, nestedArgs());
    expect(destroyErrno(device, viommuId)).toBe('EBUSY');
    expect(device.errno(HWPT_ALLOC, { ...nestedArgs(), ptId: nested })).toBe('EINVAL');
    destroy(device, nested);
    destroy(device, viommuId);
    destroy(device, parent);
  });

  test('viommu_alloc_nested_iopf', () => {
    if (!hasViommu) return;
    const { outFaultId: faultId, outFaultFd } = device.call(FAULT_QUEUE_ALLOC);
    const args = { ...nestedArgs(), flags: HWPT_FAULT_ID_VALID };
    expect(device.errno(HWPT_ALLOC, { ...args, faultId: 999 })).toBe('ENOENT');
    expect(device.errno(HWPT_ALLOC, { ...args, flags: 0x80, faultId })).toBe('EOPNOTSUPP');
    const iopf = hwptAlloc(device, { ...args, faultId });
    expect(replaceErrno(device, mock.stdev, iopf)).toBe('ENOENT'); // the device has no vdevice yet
    vdevice();
    replace(device, mock.stdev, iopf);
    expect(destroyErrno(device, iopf)).toBe('EBUSY');
    answerOneFault(device, mock.idev, outFaultFd);
    replace(device, mock.stdev, ioas);
    destroy(device, iopf);
    system.process.files.close(outFaultFd);
    destroy(device, faultId);
  });

  test('viommu_alloc_with_data', () => {
    if (!hasViommu) return;
    const dataUptr = system.process.place(new Uint8Array(Uint32Array.of(0xbeef, 0, 0, 0, 0, 0).buffer));
    const { outViommuId } = device.call(VIOMMU_ALLOC, {
      type: MOCK_VIOMMU_TYPE,
      devId: mock.idev,
      hwptId: parent,
      dataLen: 24,
      dataUptr,
    });
    const data = new DataView(system.process.bytes(dataUptr, 24).buffer);
    expect(data.getUint32(4, true)).toBe(0xbeef);
    const [offset, length] = [data.getBigUint64(8, true), data.getBigUint64(16, true)];
    const context = device.context();
    const refused = (at: bigint, bytes: bigint): string => {
      try {
        unmapRegion(context, mmapRegion(context, at, bytes, MMAP_SHARED));
        return '';
      } catch (error) {
        return (error as { readonly code: string }).code;
      }
    };
    expect(refused(offset + P, length)).toBe('ENXIO');
    expect(refused(offset + 2n * P, length)).toBe('ENXIO');
    expect(refused(offset, length / 2n)).toBe('ENXIO');
    expect(refused(offset, length * 2n)).toBe('ENXIO');
    const region = mmapRegion(context, offset, length, MMAP_SHARED);
    expect(new DataView(system.lab.ram.bytes.buffer).getUint32(region.physical, true)).toBe(0xbeef);
    expect(destroyErrno(device, outViommuId)).toBe('EBUSY');
    unmapRegion(context, region);
    destroy(device, outViommuId);
  });

  /** What waits in an event file: [lost, sequence, virtual number]. */
  function events(fd: number): (readonly [lost: boolean, sequence: number, virtId: number])[] {
    const { process } = system;
    const at = process.memory.mmap(PAGE);
    const bytes = process.read(fd, at, PAGE);
    const view = new DataView(process.bytes(at, PAGE).buffer);
    process.memory.munmap(at, PAGE);
    const found: (readonly [boolean, number, number])[] = [];
    for (let from = 0; from < bytes; ) {
      const lost = view.getUint32(from, true) === 1;
      found.push([lost, view.getUint32(from + 4, true), lost ? 0 : view.getUint32(from + VEVENT_HEADER.bytes, true)]);
      from += lost ? VEVENT_HEADER.bytes : EVENT;
    }
    return found;
  }

  test('vdevice_alloc', () => {
    if (!hasViommu) {
      expect(device.errno(VDEVICE_ALLOC, { viommuId, devId: mock.idev, virtId: VIRT_ID })).toBe('ENOENT');
      return;
    }
    const trigger = (): string => device.errno(TEST_TRIGGER_VEVENT, { devId: mock.idev });
    const eventq = { viommuId, type: MOCK_VEVENTQ_TYPE, veventqDepth: 2 };
    for (const [more, errno] of [
      [{ flags: 1 }, 'EOPNOTSUPP'],
      [{ type: 0 }, 'EOPNOTSUPP'],
      [{ veventqDepth: 0 }, 'EINVAL'],
      [{ veventqDepth: 2 ** 19 + 1 }, 'EINVAL'],
      [{ viommuId: ioas }, 'ENOENT'],
    ] as const)
      expect(device.errno(VEVENTQ_ALLOC, { ...eventq, ...more })).toBe(errno);
    const { outVeventqId, outVeventqFd: fd } = device.call(VEVENTQ_ALLOC, eventq);
    expect(device.errno(VEVENTQ_ALLOC, eventq)).toBe('EEXIST');
    const nested = hwptAlloc(device, nestedArgs());
    expect(trigger()).toBe('ENOENT'); // attached through no vIOMMU
    expect(replaceErrno(device, mock.stdev, nested)).toBe('ENOENT');

    const vdeviceId = vdevice();
    expect(device.errno(VDEVICE_ALLOC, { viommuId, devId: mock.idev, virtId: 0x66n })).toBe('EEXIST');
    expect(device.errno(VDEVICE_ALLOC, { viommuId, devId: ioas, virtId: 0x66n })).toBe('ENOENT');
    expect(destroyErrno(device, viommuId)).toBe('EBUSY');
    replace(device, mock.stdev, nested);

    const { process } = system;
    expect([process.poll(fd), events(fd)]).toEqual([0, []]);
    expect(trigger()).toBe('');
    expect(process.poll(fd)).toBe(POLLIN | POLLRDNORM);
    expect(events(fd)).toEqual([[false, 0, Number(VIRT_ID)]]);
    for (let i = 0; i < 3; i++) expect(trigger()).toBe('');
    expect(events(fd)).toEqual([
      [false, 1, Number(VIRT_ID)],
      [false, 2, Number(VIRT_ID)],
      [true, 3, 0],
    ]);
    expect(trigger()).toBe('');
    expect(events(fd)).toEqual([[false, 4, Number(VIRT_ID)]]);

    replace(device, mock.stdev, ioas);
    expect(trigger()).toBe('ENOENT');
    expect(destroyErrno(device, outVeventqId)).toBe('EBUSY'); // its file is open
    process.files.close(fd);
    for (const id of [outVeventqId, vdeviceId, nested]) destroy(device, id);
    destroy(device, vdevice(0x66n)); // the device and the number are free again
  });

  test('vdevice_cache', () => {
    if (!hasViommu) return;
    vdevice();
    const expectCache = (...entries: readonly number[]): void =>
      entries.forEach((cache, cacheId) => {
        expect(device.errno(TEST_DEV_CHECK_CACHE, { id: mock.idev, cacheId, cache }), `entry ${cacheId}`).toBe('');
      });
    const entry = (flags: number, cache: number, virtId: number = Number(VIRT_ID)): number[] => [flags, virtId, cache];
    const invalidate = (
      entries: readonly (readonly number[])[],
      more: Partial<Args<typeof HWPT_INVALIDATE>> = {},
    ): [string, number] => {
      const dataUptr = system.process.words(...entries.flat(), 0xff);
      const args = { dataUptr, dataType: MOCK_VIOMMU_INVALIDATE_TYPE, entryLen: 12, entryNum: entries.length };
      const { errno, out } = device.raw(HWPT_INVALIDATE, { hwptId: viommuId, ...args, ...more });
      return [errno, out.entryNum];
    };
    const old = MOCK_DEV_CACHE_DEFAULT;
    expectCache(old, old, old, old);
    expect(device.errno(TEST_DEV_CHECK_CACHE, { id: mock.idev, cacheId: 4, cache: old })).toBe('EINVAL');
    expect(device.errno(TEST_DEV_CHECK_CACHE, { id: ioas, cache: old })).toBe('ENOENT');
    expect(invalidate([])).toEqual(['', 0]);
    expect(invalidate([entry(0, 0)], { dataType: MOCK_INVALIDATE_TYPE_BAD })).toEqual(['EINVAL', 0]);
    expect(invalidate([entry(0, 0)], { entryLen: 0 })).toEqual(['EINVAL', 0]);
    expect(invalidate([entry(0, 0)], { entryLen: 13 })).toEqual(['E2BIG', 0]);
    expect(invalidate([entry(0, 0)], { dataUptr: 0n })).toEqual(['EINVAL', 0]);
    expect(invalidate([entry(0xffffffff, 0)])).toEqual(['EOPNOTSUPP', 0]);
    expect(invalidate([entry(0, 4)])).toEqual(['EINVAL', 0]);
    expect(invalidate([entry(0, 0, 0x9)])).toEqual(['EINVAL', 0]);
    expectCache(old, old, old, old);
    expect(invalidate([entry(0, 0), entry(0xffffffff, 1)])).toEqual(['EOPNOTSUPP', 1]);
    expectCache(0, old, old, old);
    expect(invalidate([entry(0, 1), entry(0, 4)])).toEqual(['EINVAL', 1]);
    expectCache(0, 0, old, old);
    expect(invalidate([entry(0, 2), entry(0, 2)])).toEqual(['', 2]);
    expectCache(0, 0, 0, old);
    expect(invalidate([entry(MOCK_INVALIDATE_ALL, 0)])).toEqual(['', 1]);
    expectCache(0, 0, 0, 0);
  });

  test('hw_queue', () => {
    const queue = { viommuId, type: MOCK_HW_QUEUE_TYPE, nestingParentIova: APERTURE, length: P };
    const errno = (more: Partial<Args<typeof HW_QUEUE_ALLOC>>): string =>
      device.errno(HW_QUEUE_ALLOC, { ...queue, ...more });
    if (!hasViommu) {
      expect(errno({})).toBe('ENOENT');
      return;
    }
    expect(errno({ type: 0 })).toBe('EOPNOTSUPP');
    expect(errno({ flags: 1 })).toBe('EOPNOTSUPP');
    expect(errno({ type: 0xbad })).toBe('EOPNOTSUPP');
    expect(errno({ length: 0n })).toBe('EINVAL');
    expect(errno({ nestingParentIova: 2n ** 64n - 1n, length: P })).toBe('EOVERFLOW');
    expect(errno({})).toBe('ENOENT'); // nothing is mapped there
    const buffer = system.process.memory.mmap(2 * PAGE, { huge: true });
    mapFixed(device, ioas, buffer, PAGE, APERTURE);
    mapFixed(device, ioas, buffer + P, PAGE, APERTURE + P);
    expect(errno({ index: 2 })).toBe('EINVAL');
    expect(errno({ index: 1 })).toBe('EIO'); // without the first
    const first = device.call(HW_QUEUE_ALLOC, queue).outHwQueueId;
    expect(errno({})).toBe('EEXIST');
    const second = device.call(HW_QUEUE_ALLOC, { ...queue, index: 1 }).outHwQueueId;
    expect(unmapErrno(device, ioas, APERTURE, P)).toBe('EBUSY');
    expect(unmap(device, ioas, APERTURE + P, P)).toBe(P);
    expect(destroyErrno(device, first)).toBe('EBUSY'); // the second depends on it
    expect(destroyErrno(device, viommuId)).toBe('EBUSY');
    destroy(device, second);
    destroy(device, first);
    expect(unmap(device, ioas, APERTURE, P)).toBe(P);
  });

  test('vdevice_tombstone', () => {
    if (!hasViommu) return;
    const id = vdevice();
    destroy(device, mock.stdev);
    expect(destroyErrno(device, id)).toBe('ENOENT');
    for (let i = 0; i < 8; i++) expect(ioasAlloc(device)).not.toBe(id); // it is not given out again
  });
});
