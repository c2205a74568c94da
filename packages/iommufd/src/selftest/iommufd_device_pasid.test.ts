// A device's PASIDs, beside what the device itself has attached.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  MOCK_DEV_PASID,
  MOCK_HWPT_DATA_TYPE,
  MOCK_IOTLB_DEFAULT,
  MOCK_PASID_LG2,
  MOCK_PASID_RESERVED,
} from '../testing/mock/index.ts';
import {
  TEST_PASID_ATTACH,
  TEST_PASID_CHECK_HWPT,
  TEST_PASID_DETACH,
  TEST_PASID_REPLACE,
} from '../testing/test-commands/index.ts';
import {
  FAULT_QUEUE_ALLOC,
  GET_HW_INFO,
  HWPT_ALLOC_NEST_PARENT,
  HWPT_ALLOC_PASID,
  HWPT_FAULT_ID_VALID,
} from '../uapi/index.ts';
import {
  destroy,
  destroyErrno,
  hwptAlloc,
  ioasAlloc,
  type MockDomain,
  mockDomain,
  replace,
  replaceErrno,
} from './actions.test-help.ts';
import { answerOneFault } from './faults.test-help.ts';
import { variants } from './inventory.ts';
import { type Device, System } from './system.test-help.ts';

const VARIANTS = variants('iommufd_device_pasid', { no_pasid: 0, has_pasid: MOCK_DEV_PASID });
const PASID = 100;

describe.each(VARIANTS)('iommufd_device_pasid.%s', (_name, flags) => {
  let system: System;
  let device: Device;
  let ioas: number;
  let mock: MockDomain;
  beforeEach(() => {
    system = new System();
    device = system.process.open();
    ioas = ioasAlloc(device);
    mock = mockDomain(device, ioas, flags);
  });
  afterEach(() => system.expectNothingLeft());

  const attach = (ptId: number, pasid: number = PASID): string =>
    device.errno(TEST_PASID_ATTACH, { id: mock.stdev, pasid, ptId });
  const swap = (ptId: number, pasid: number = PASID): string =>
    device.errno(TEST_PASID_REPLACE, { id: mock.stdev, pasid, ptId });
  const detach = (pasid: number = PASID): string => device.errno(TEST_PASID_DETACH, { id: mock.stdev, pasid });
  const has = (hwptId: number, pasid: number = PASID): string =>
    device.errno(TEST_PASID_CHECK_HWPT, { id: mock.stdev, pasid, hwptId });

  test('pasid_attach', () => {
    const { stdev, idev } = mock;
    expect(device.call(GET_HW_INFO, { devId: idev }).outMaxPasidLog2).toBe(flags === 0 ? 0 : MOCK_PASID_LG2);
    const parent = hwptAlloc(device, { devId: idev, ptId: ioas, flags: HWPT_ALLOC_NEST_PARENT });
    const compatible = hwptAlloc(device, { devId: idev, ptId: ioas, flags: HWPT_ALLOC_PASID });
    const plain = hwptAlloc(device, { devId: idev, ptId: ioas });
    const dataUptr = system.process.words(MOCK_IOTLB_DEFAULT, 0);
    const data = { devId: idev, ptId: parent, dataType: MOCK_HWPT_DATA_TYPE, dataLen: 8, dataUptr };
    const nested = [0, 1].map(() => hwptAlloc(device, { ...data, flags: HWPT_ALLOC_PASID }));
    if (flags === 0) {
      expect(replace(device, stdev, compatible)).toBe(compatible);
      expect(attach(compatible)).toBe('EOPNOTSUPP');
      expect(has(0)).toBe('');
      return;
    }
    // Every HWPT of a device with PASIDs is made for them.
    expect(attach(plain)).toBe('EINVAL');
    expect(attach(ioas)).toBe('EINVAL');
    expect(attach(compatible)).toBe('EINVAL'); // beside one that is not
    expect(replace(device, stdev, compatible)).toBe(compatible);
    expect(attach(compatible, 1 << MOCK_PASID_LG2)).toBe('EINVAL');
    expect(attach(999)).toBe('ENOENT');
    expect(has(0)).toBe('');
    expect(swap(nested[0])).toBe('EINVAL'); // nothing is attached there

    expect(attach(compatible)).toBe('');
    expect([has(compatible), has(nested[0])]).toEqual(['', 'EINVAL']);
    expect(attach(compatible)).toBe('EBUSY');
    expect(replaceErrno(device, stdev, plain)).toBe('EINVAL');
    for (const hwpt of [nested[0], nested[0], nested[1]]) expect([swap(hwpt), has(hwpt)]).toEqual(['', '']);
    expect(destroyErrno(device, nested[1])).toBe('EBUSY');
    expect([swap(plain), has(nested[1])]).toEqual(['EINVAL', '']);
    expect([detach(), has(0)]).toEqual(['', '']);
    expect(detach()).toBe('');

    // A replacement that the driver fails changes nothing: the second of this PASID's, once.
    const reserved = MOCK_PASID_RESERVED;
    expect(attach(compatible, reserved)).toBe('');
    expect([swap(nested[0], reserved), has(compatible, reserved)]).toEqual(['ENOMEM', '']);
    expect([swap(nested[0], reserved), has(nested[0], reserved)]).toEqual(['', '']);
    expect([detach(reserved), has(0, reserved)]).toEqual(['', '']);

    // Faults of a PASID arrive by its own HWPT.
    const { outFaultId: faultId, outFaultFd } = device.call(FAULT_QUEUE_ALLOC);
    const iopf = hwptAlloc(device, { ...data, flags: HWPT_ALLOC_PASID | HWPT_FAULT_ID_VALID, faultId });
    expect(attach(iopf)).toBe('');
    answerOneFault(device, idev, outFaultFd, PASID);
    expect(destroyErrno(device, iopf)).toBe('EBUSY');
    expect(detach()).toBe('');
    destroy(device, iopf);
    system.process.files.close(outFaultFd);
    destroy(device, faultId);
    expect(attach(compatible, 7)).toBe(''); // left to the end: it goes with the device
  });
});
