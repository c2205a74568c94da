// One domain under several PASIDs of a device: each attachment has its own faults.
import { expect, test } from 'vitest';
import { Iommufd } from '../iommufd.ts';
import { MOCK_DEV_PASID, triggerMockFault } from '../testing/mock/index.ts';
import { createMockLab, openMockLab } from '../testing/mock-lab.ts';

const INVALID = 1;

test.each([
  ['detached', (iommufd: Iommufd, devId: number) => iommufd.detach(devId, 1)],
  [
    'replaced',
    (iommufd: Iommufd, devId: number, ptId: number) =>
      void iommufd.replace(devId, iommufd.hwptAlloc({ devId, ptId, pasid: true }), 1),
  ],
])('a PASID %s: the faults of the device’s others, read or not, wait on', (_, leave) => {
  const lab = openMockLab(createMockLab());
  lab.driver.addDevice(1, MOCK_DEV_PASID);
  const iommufd = Iommufd.open(lab.machine, lab.caller(1));
  const devId = iommufd.bind(1);
  const ioasId = iommufd.ioasAlloc();
  const { faultId, faultFd } = iommufd.faultQueueAlloc();
  const hwptId = iommufd.hwptAlloc({ devId, ptId: ioasId, faultId, pasid: true });
  for (const pasid of [0, 1, 2]) iommufd.attach(devId, hwptId, pasid);
  const file = iommufd.openFaultFile(faultFd);
  const trigger = (grpid: number, pasid: number): void =>
    void triggerMockFault(lab.machine, { device: 1, pasid, grpid, perm: 1, page: 16 });
  [0, 1, 2].forEach((pasid) => {
    trigger(pasid, pasid);
  });
  const read = [0, 1, 2].map(() => file.next());
  [0, 1, 2].forEach((pasid) => {
    trigger(10 + pasid, pasid);
  });
  leave(iommufd, devId, ioasId);
  expect(lab.answers.map(({ grpid, code }) => [grpid, code]).sort()).toEqual([
    [1, INVALID],
    [11, INVALID],
  ]);
  expect([0, 2].map((i) => read[i]?.respond())).toEqual([true, true]);
  expect([file.next()?.fault.grpid, file.next()?.fault.grpid, file.next()]).toEqual([10, 12, undefined]);
  file.close();
  iommufd.close();
  expect(lab.answers).toHaveLength(6);
  expect(Object.values(lab.machine.live()).some((live) => live !== 0)).toBe(false);
});
