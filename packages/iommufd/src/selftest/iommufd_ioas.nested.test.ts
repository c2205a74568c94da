// A guest's page tables on top of an HWPT: how they are made, fault, forget and end.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  MOCK_HWPT_DATA_TYPE,
  MOCK_INVALIDATE_ALL,
  MOCK_INVALIDATE_TYPE,
  MOCK_INVALIDATE_TYPE_BAD,
  MOCK_IOTLB_DEFAULT,
} from '../testing/mock/index.ts';
import { TEST_MD_CHECK_IOTLB } from '../testing/test-commands/index.ts';
import {
  type Args,
  FAULT_QUEUE_ALLOC,
  HWPT_ALLOC,
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_ALLOC_NEST_PARENT,
  HWPT_FAULT_ID_VALID,
  HWPT_INVALIDATE,
} from '../uapi/index.ts';
import { destroy, destroyErrno, hwptAlloc, replace } from './actions.test-help.ts';
import { answerOneFault } from './faults.test-help.ts';
import { IOAS_VARIANTS, type IoasFixture, ioasFixture } from './ioas.test-help.ts';

describe.each(IOAS_VARIANTS)('iommufd_ioas.%s', (_name, variant) => {
  let self: IoasFixture;
  let data: Partial<Args<typeof HWPT_ALLOC>>;
  beforeEach(() => {
    self = ioasFixture(variant);
    const dataUptr = self.system.process.words(MOCK_IOTLB_DEFAULT, 0);
    data = { devId: self.mock.idev, dataType: MOCK_HWPT_DATA_TYPE, dataLen: 8, dataUptr };
  });
  afterEach(() => self.system.expectNothingLeft());

  const errno = (args: Partial<Args<typeof HWPT_ALLOC>>): string => self.device.errno(HWPT_ALLOC, args);
  const expectIotlb = (hwpt: number, ...entries: readonly number[]): void =>
    entries.forEach((iotlb, iotlbId) => {
      expect(self.device.errno(TEST_MD_CHECK_IOTLB, { id: hwpt, iotlbId, iotlb }), `entry ${iotlbId}`).toBe('');
    });
  /** @returns the errno, and how many entries were handled. */
  const invalidate = (
    hwptId: number,
    entries: readonly (readonly [flags: number, iotlb: number])[],
    more: Partial<Args<typeof HWPT_INVALIDATE>> = {},
  ): [string, number] => {
    const dataUptr = self.system.process.words(...entries.flat(), 0);
    const args = { hwptId, dataUptr, dataType: MOCK_INVALIDATE_TYPE, entryLen: 8, entryNum: entries.length, ...more };
    const { errno: name, out } = self.device.raw(HWPT_INVALIDATE, args);
    return [name, out.entryNum];
  };

  test('alloc_hwpt_nested', () => {
    const { device, ioas, mock, system } = self;
    if (variant.devices === 0) {
      expect(errno({ ptId: ioas })).toBe('ENOENT');
      expect(errno({ ...data, ptId: ioas })).toBe('ENOENT');
      expect(errno({ devId: ioas, ptId: ioas })).toBe('ENOENT');
      return;
    }
    const devId = mock.idev;
    // What a parent is refused for.
    expect(errno({ devId: ioas, ptId: ioas })).toBe('ENOENT');
    expect(errno({ devId, ptId: devId })).toBe('EINVAL');
    expect(errno({ devId, ptId: 999 })).toBe('EINVAL');
    expect(errno({ devId, ptId: ioas, flags: 0x100 })).toBe('EOPNOTSUPP');
    expect(errno({ ...data, ptId: ioas, dataLen: 0 })).toBe('EINVAL');
    expect(errno({ ...data, ptId: ioas, dataType: 0 })).toBe('EINVAL');
    const parent = hwptAlloc(device, { devId, ptId: ioas, flags: HWPT_ALLOC_NEST_PARENT });
    const plain = hwptAlloc(device, { devId, ptId: ioas });
    const fault = device.call(FAULT_QUEUE_ALLOC);
    const faultId = fault.outFaultId;
    expect(errno({ devId, ptId: ioas, flags: HWPT_ALLOC_NEST_PARENT | HWPT_FAULT_ID_VALID, faultId })).toBe(
      'EOPNOTSUPP',
    );
    expect(device.errno(FAULT_QUEUE_ALLOC, { flags: 1 })).toBe('EOPNOTSUPP');

    // What a nested one is refused for.
    const on = { ...data, ptId: parent };
    expect(errno({ ...on, dataType: 0xbad })).toBe('EOPNOTSUPP');
    expect(errno({ ...on, dataLen: 3 })).toBe('EINVAL');
    expect(errno({ ...on, dataLen: 9 })).toBe('EINVAL');
    expect(errno({ ...on, dataUptr: 0n })).toBe('EFAULT');
    expect(errno({ devId, ptId: parent })).toBe('EOPNOTSUPP');
    expect(errno({ ...on, flags: HWPT_ALLOC_NEST_PARENT })).toBe('EOPNOTSUPP');
    expect(errno({ ...on, flags: HWPT_ALLOC_DIRTY_TRACKING })).toBe('EOPNOTSUPP');
    expect(errno({ ...on, ptId: plain })).toBe('EINVAL');
    expect(errno({ ...on, ptId: mock.hwpt })).toBe('EINVAL'); // made by attaching
    expect(errno({ ...on, flags: HWPT_FAULT_ID_VALID, faultId: 0 })).toBe('ENOENT');
    expect(errno({ ...on, flags: HWPT_FAULT_ID_VALID, faultId: ioas })).toBe('ENOENT');
    destroy(device, plain);

    const nested = [hwptAlloc(device, on), hwptAlloc(device, { ...on, faultId: 999 })]; // no flag: the id is ignored
    const iopf = hwptAlloc(device, { ...on, flags: HWPT_FAULT_ID_VALID, faultId });
    expect(errno({ ...on, ptId: nested[0] })).toBe('EINVAL');
    expect(destroyErrno(device, parent)).toBe('EBUSY');
    for (const hwpt of [...nested, iopf]) expectIotlb(hwpt, ...Array(4).fill(MOCK_IOTLB_DEFAULT));
    const check = { id: nested[0], iotlb: MOCK_IOTLB_DEFAULT };
    expect(device.errno(TEST_MD_CHECK_IOTLB, { ...check, iotlbId: 4 })).toBe('EINVAL');
    expect(device.errno(TEST_MD_CHECK_IOTLB, { ...check, iotlb: 1 })).toBe('EINVAL');
    expect(device.errno(TEST_MD_CHECK_IOTLB, { ...check, id: parent })).toBe('ENOENT');

    // What an invalidation is refused for, and that it says how far it came.
    expect(invalidate(parent, [[0, 0]])).toEqual(['EINVAL', 0]);
    expect(invalidate(999, [[0, 0]])).toEqual(['ENOENT', 0]);
    expect(invalidate(nested[0], [])).toEqual(['', 0]);
    expect(invalidate(nested[0], [], { dataType: MOCK_INVALIDATE_TYPE_BAD })).toEqual(['EINVAL', 0]);
    expect(invalidate(nested[0], [[0, 0]], { dataType: MOCK_INVALIDATE_TYPE_BAD })).toEqual(['EINVAL', 0]);
    for (const more of [{ entryLen: 9 }, { entryLen: 7 }, { entryLen: 0 }, { entryLen: 4097 }, { dataUptr: 0n }])
      expect(invalidate(nested[0], [[0, 0]], more)).toEqual(['EINVAL', 0]);
    expect(invalidate(nested[0], [[0, 0]], { entryNum: 2 ** 19 + 1 })).toEqual(['EINVAL', 0]);
    expect(invalidate(nested[0], [[0, 0]], { dataUptr: 4096n })).toEqual(['EFAULT', 0]);
    expect(invalidate(nested[0], [[0xffffffff, 0]])).toEqual(['EOPNOTSUPP', 0]);
    expect(invalidate(nested[0], [[0, 4]])).toEqual(['EINVAL', 0]);
    expectIotlb(nested[0], ...Array(4).fill(MOCK_IOTLB_DEFAULT));

    // The first of two takes effect, whatever the second is.
    expect(
      invalidate(nested[0], [
        [0, 0],
        [0xffffffff, 1],
      ]),
    ).toEqual(['EOPNOTSUPP', 1]);
    const left = MOCK_IOTLB_DEFAULT;
    expectIotlb(nested[0], 0, left, left, left);
    expect(
      invalidate(nested[0], [
        [0, 1],
        [0, 4],
      ]),
    ).toEqual(['EINVAL', 1]);
    expectIotlb(nested[0], 0, 0, left, left);
    expect(
      invalidate(nested[0], [
        [0, 2],
        [0, 3],
      ]),
    ).toEqual(['', 2]);
    expectIotlb(nested[0], 0, 0, 0, 0);
    expect(invalidate(nested[1], [[MOCK_INVALIDATE_ALL, 3]])).toEqual(['', 1]);
    expectIotlb(nested[1], 0, 0, 0, 0);

    // Attached, replaced, faulted, and ended: what is used stays.
    replace(device, mock.stdev, nested[0]);
    replace(device, mock.stdev, nested[1]);
    destroy(device, nested[0]);
    expect(destroyErrno(device, nested[1])).toBe('EBUSY');
    replace(device, mock.stdev, iopf);
    expect(destroyErrno(device, iopf)).toBe('EBUSY');
    answerOneFault(device, mock.idev, fault.outFaultFd);
    replace(device, mock.stdev, ioas);
    for (const hwpt of [nested[1], iopf]) destroy(device, hwpt);
    destroy(device, parent);
    expect(destroyErrno(device, faultId)).toBe('EBUSY'); // its file is open
    system.process.files.close(fault.outFaultFd);
    destroy(device, faultId);
  });
});
