// Dirty pages, from a bitmap of what devices wrote to a bitmap of what is told.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  MOCK_DEV_NO_DIRTY,
  MOCK_DEV_PASID,
  MOCK_HUGE_BYTES,
  MOCK_HWPT_DATA_TYPE,
  MOCK_PAGE_TABLE_HUGE,
} from '../testing/mock/index.ts';
import {
  TEST_DIRTY,
  TEST_MOCK_DOMAIN_FLAGS,
  TEST_PASID_ATTACH,
  TEST_PASID_DETACH,
} from '../testing/test-commands/index.ts';
import {
  DIRTY_TRACKING_ENABLE,
  GET_DIRTY_BITMAP_NO_CLEAR,
  GET_HW_INFO,
  HW_CAP_DIRTY_TRACKING,
  HWPT_ALLOC,
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_ALLOC_PASID,
  HWPT_GET_DIRTY_BITMAP,
  HWPT_SET_DIRTY_TRACKING,
} from '../uapi/index.ts';
import { APERTURE, destroy, hwptAlloc, ioasAlloc, type MockDomain, mapFixed, mockDomain } from './actions.test-help.ts';
import { variants } from './inventory.ts';
import { type Device, MOCK_PAGE, PAGE, System } from './system.test-help.ts';

interface Variant {
  readonly bytes: number;
  readonly huge?: boolean;
}
const KIB = 1024;
const MIB = 1024 * KIB;
const VARIANTS = variants<Variant>('iommufd_dirty_tracking', {
  domain_dirty8k: { bytes: 8 * KIB },
  domain_dirty16k: { bytes: 16 * KIB },
  domain_dirty64k: { bytes: 64 * KIB },
  domain_dirty128k: { bytes: 128 * KIB },
  domain_dirty320k: { bytes: 320 * KIB },
  domain_dirty64M: { bytes: 64 * MIB },
  domain_dirty64M_huge: { bytes: 64 * MIB, huge: true },
  domain_dirty128M: { bytes: 128 * MIB },
  domain_dirty128M_huge: { bytes: 128 * MIB, huge: true },
});
const LEAF = MOCK_HUGE_BYTES / MOCK_PAGE;

describe.each(VARIANTS)('iommufd_dirty_tracking.%s', (_name, { bytes, huge = false }) => {
  const pages = bytes / MOCK_PAGE;
  let system: System;
  let device: Device;
  let ioas: number;
  let mock: MockDomain;
  let buffer: bigint;
  beforeAll(() => {
    const frames = bytes / PAGE + 1024;
    system = new System({
      frames,
      window: 2 ** Math.ceil(Math.log2(frames)),
      slots: 2 ** Math.ceil(Math.log2(pages * 2 + 64)),
    });
    buffer = system.process.memory.mmap(bytes, { huge: true });
  });
  beforeEach(() => {
    device = system.process.open();
    ioas = ioasAlloc(device);
    mock = mockDomain(device, ioas);
  });
  afterEach(() => system.process.files.close(device.fd));
  afterAll(() => system.expectNothingLeft());

  const track = (hwptId: number, flags: number): string => device.errno(HWPT_SET_DIRTY_TRACKING, { hwptId, flags });

  test('enforce_dirty', () => {
    const hwpt = hwptAlloc(device, { devId: mock.idev, ptId: ioas, flags: HWPT_ALLOC_DIRTY_TRACKING });
    const { stdev } = mockDomain(device, hwpt);
    expect(device.errno(TEST_MOCK_DOMAIN_FLAGS, { id: hwpt, devFlags: MOCK_DEV_NO_DIRTY })).toBe('EINVAL');
    expect(device.errno(TEST_MOCK_DOMAIN_FLAGS, { id: hwpt, devFlags: 8 })).toBe('EINVAL');
    destroy(device, stdev);
    destroy(device, hwpt);
    const cannot = mockDomain(device, ioasAlloc(device), MOCK_DEV_NO_DIRTY);
    const args = { devId: cannot.idev, ptId: ioas, flags: HWPT_ALLOC_DIRTY_TRACKING };
    expect(device.errno(HWPT_ALLOC, args)).toBe('EOPNOTSUPP');
    destroy(device, cannot.stdev);
  });

  test('set_dirty_tracking', () => {
    const hwpt = hwptAlloc(device, { devId: mock.idev, ptId: ioas, flags: HWPT_ALLOC_DIRTY_TRACKING });
    const { stdev } = mockDomain(device, hwpt);
    for (const flags of [DIRTY_TRACKING_ENABLE, DIRTY_TRACKING_ENABLE, 0, 0]) expect(track(hwpt, flags)).toBe('');
    expect(track(hwpt, 2)).toBe('EOPNOTSUPP');
    expect(track(mock.hwpt, DIRTY_TRACKING_ENABLE)).toBe('EOPNOTSUPP');
    expect(track(ioas, 0)).toBe('ENOENT');
    destroy(device, stdev);
    destroy(device, hwpt);
  });

  test('pasid_set_dirty_tracking', () => {
    const flags = HWPT_ALLOC_DIRTY_TRACKING | HWPT_ALLOC_PASID;
    const hwpt = hwptAlloc(device, { devId: mock.idev, ptId: ioas, flags });
    const plain = hwptAlloc(device, { devId: mock.idev, ptId: ioas, flags: HWPT_ALLOC_PASID });
    const { stdev } = mockDomain(device, plain, MOCK_DEV_PASID | MOCK_DEV_NO_DIRTY);
    device.call(TEST_PASID_ATTACH, { id: stdev, pasid: 100, ptId: hwpt });
    for (const each of [DIRTY_TRACKING_ENABLE, 0]) expect(track(hwpt, each)).toBe('');
    device.call(TEST_PASID_DETACH, { id: stdev, pasid: 100 });
    for (const id of [stdev, plain, hwpt]) destroy(device, id);
  });

  test('device_dirty_capability', () => {
    const { outCapabilities } = device.call(GET_HW_INFO, { devId: mock.idev });
    expect(Number(outCapabilities) & HW_CAP_DIRTY_TRACKING).toBe(HW_CAP_DIRTY_TRACKING);
    const cannot = mockDomain(device, ioas, MOCK_DEV_NO_DIRTY);
    expect(Number(device.call(GET_HW_INFO, { devId: cannot.idev }).outCapabilities)).toBe(0);
  });

  /** An HWPT that tracks what is mapped at the aperture. */
  function tracked(): number {
    const other = ioasAlloc(device);
    mapFixed(device, other, buffer, bytes, APERTURE);
    const dataUptr = system.process.words(0, MOCK_PAGE_TABLE_HUGE);
    const data = huge ? { dataType: MOCK_HWPT_DATA_TYPE, dataLen: 8, dataUptr } : {};
    const hwpt = hwptAlloc(device, { devId: mock.idev, ptId: other, flags: HWPT_ALLOC_DIRTY_TRACKING, ...data });
    mockDomain(device, hwpt);
    expect(track(hwpt, DIRTY_TRACKING_ENABLE)).toBe('');
    return hwpt;
  }

  /** Every second page is written to; then what is told is that, or every page of a leaf of which one was. */
  function expectBitmap(hwpt: number, flags: number, misalign: number): void {
    const { process } = system;
    const size = Math.ceil(pages / 8);
    const range = { iova: APERTURE, length: BigInt(bytes), pageSize: BigInt(MOCK_PAGE) };
    const written = process.place(new Uint8Array(size).fill(0x55));
    const { outNrDirty } = device.call(TEST_DIRTY, { id: hwpt, ...range, uptr: written });
    expect(outNrDirty).toBe(BigInt(pages / 2));
    const area = process.memory.mmap(size + PAGE);
    const data = area + BigInt(misalign);
    const read = (more: number): Uint8Array => {
      process.memory.write(data, new Uint8Array(size));
      device.call(HWPT_GET_DIRTY_BITMAP, { hwptId: hwpt, flags: more, ...range, data });
      return process.bytes(data, size);
    };
    const wanted = new Uint8Array(size).fill(huge && pages >= LEAF ? 0xff : 0x55);
    if (pages % 8 !== 0) wanted[size - 1] &= (1 << (pages % 8)) - 1;
    expect(Buffer.compare(read(flags), wanted)).toBe(0);
    const second = (flags & GET_DIRTY_BITMAP_NO_CLEAR) === 0 ? new Uint8Array(size) : wanted;
    expect(Buffer.compare(read(0), second)).toBe(0);
    expect(Buffer.compare(read(0), new Uint8Array(size))).toBe(0);
    process.memory.munmap(written, size);
    process.memory.munmap(area, size + PAGE);
  }

  test('get_dirty_bitmap', () => {
    const hwpt = tracked();
    for (const misalign of [0, MOCK_PAGE, 3]) expectBitmap(hwpt, 0, misalign);
    const args = { hwptId: hwpt, iova: APERTURE, length: BigInt(bytes), pageSize: BigInt(MOCK_PAGE), data: buffer };
    const errno = (more: object): string => device.errno(HWPT_GET_DIRTY_BITMAP, { ...args, ...more });
    expect(errno({ flags: 2 })).toBe('EOPNOTSUPP');
    expect(errno({ hwptId: ioas })).toBe('ENOENT');
    expect(errno({ length: 0n })).toBe('EOVERFLOW');
    expect(errno({ iova: APERTURE + 1n })).toBe('EINVAL');
    expect(errno({ pageSize: 0n })).toBe('EINVAL');
    expect(errno({ pageSize: BigInt(bytes) * 2n })).toBe('EINVAL');
    const dirty = { id: hwpt, iova: APERTURE, length: BigInt(bytes), pageSize: BigInt(MOCK_PAGE), uptr: buffer };
    for (const more of [{ pageSize: 0n }, { iova: APERTURE + 1n }, { length: 1n }, { uptr: 0n }])
      expect(device.errno(TEST_DIRTY, { ...dirty, ...more })).toBe('EINVAL');
    expect(track(hwpt, 0)).toBe('');
    expect(device.errno(TEST_DIRTY, dirty)).toBe('EINVAL');
  });

  test('get_dirty_bitmap_no_clear', () => {
    const hwpt = tracked();
    for (const misalign of [0, MOCK_PAGE]) expectBitmap(hwpt, GET_DIRTY_BITMAP_NO_CLEAR, misalign);
  });
});
