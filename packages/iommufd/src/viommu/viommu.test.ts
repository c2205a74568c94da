// By the names of the kernel's fixture iommufd_viommu; with no vIOMMU's device, its tests are refusals of the same calls.
import { describe, expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { attachDevice, detachDevice, replaceDevice, unbindDevice } from '../device/index.ts';
import { MOCK_HWPT_DATA_TYPE, MOCK_VIOMMU_TYPE, triggerMockFault } from '../testing/mock/index.ts';
import { makeRig, refusalOf } from '../testing/rig.test-help.ts';
import {
  FAULT_QUEUE_ALLOC,
  HWPT_ALLOC,
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_FAULT_ID_VALID,
  VDEVICE_ALLOC,
  VIOMMU_ALLOC,
} from '../uapi/index.ts';
import { MMAP_EXEC, MMAP_SHARED, mmapRegion, unmapRegion } from './index.ts';
import { makeViommuRig } from './viommu.test-help.ts';

const TYPE = { type: MOCK_VIOMMU_TYPE };
const PAGE = BigInt(PAGE_BYTES);

describe('viommu_auto_destroy', () => {
  test('closing the context ends what a vIOMMU has, whatever it is', () => {
    const rig = makeViommuRig();
    const viommuId = rig.allocViommu();
    rig.allocVdevice(viommuId, rig.devId, 0x99n);
    rig.allocNested(viommuId);
    const { fd } = rig.allocQueue(viommuId, 2);
    detachDevice(rig.context, rig.devId);
    unbindDevice(rig.context, rig.devId);
    rig.lab.caller(1).files.close(fd);
    rig.expectNothingLeft();
  });

  test('the event file keeps the context', () => {
    const rig = makeViommuRig();
    const { fd } = rig.allocQueue(rig.allocViommu(), 2);
    detachDevice(rig.context, rig.devId);
    unbindDevice(rig.context, rig.devId);
    rig.context.put();
    expect(rig.lab.machine.live().objects).toBeGreaterThan(0);
    rig.lab.caller(1).files.close(fd);
    expect(rig.lab.machine.live().objects).toBe(0);
  });
});

describe('viommu_negative_tests', () => {
  test('what VIOMMU_ALLOC refuses, in its order', () => {
    const { refusal, devId, ioasId, parentId, call } = makeViommuRig();
    const plainId = call(HWPT_ALLOC, { devId, ptId: ioasId }).outHwptId;
    expect(refusal(VIOMMU_ALLOC, { flags: 1 })).toBe('EOPNOTSUPP flags');
    expect(refusal(VIOMMU_ALLOC, { type: 0, devId: 99 })).toBe('EOPNOTSUPP type');
    expect(refusal(VIOMMU_ALLOC, { ...TYPE, devId: 99, hwptId: parentId })).toBe('ENOENT dev_id');
    expect(refusal(VIOMMU_ALLOC, { ...TYPE, devId: ioasId, hwptId: parentId })).toBe('ENOENT dev_id');
    expect(refusal(VIOMMU_ALLOC, { type: 1, devId, hwptId: 99 })).toBe('EOPNOTSUPP type');
    expect(refusal(VIOMMU_ALLOC, { ...TYPE, devId, hwptId: 99 })).toBe('ENOENT hwpt_id');
    expect(refusal(VIOMMU_ALLOC, { ...TYPE, devId, hwptId: ioasId })).toBe('ENOENT hwpt_id');
    expect(refusal(VIOMMU_ALLOC, { ...TYPE, devId, hwptId: plainId })).toBe('EINVAL hwpt_id');
  });

  test('no vIOMMU is a nested HWPT’s parent, a device or an IOAS', () => {
    const { refusal, devId } = makeViommuRig();
    expect(refusal(VDEVICE_ALLOC, { viommuId: devId, devId, virtId: 1n })).toBe('ENOENT viommu_id');
  });

  test('the parent is in use while a vIOMMU is on it; the vIOMMU while anything is on that', () => {
    const rig = makeViommuRig();
    detachDevice(rig.context, rig.devId);
    const viommuId = rig.allocViommu();
    expect(refusalOf(() => rig.destroy(rig.parentId))).toBe('EBUSY id');
    const nestedId = rig.allocNested(viommuId);
    expect(refusalOf(() => rig.destroy(viommuId))).toBe('EBUSY id');
    rig.destroy(nestedId);
    const vdeviceId = rig.allocVdevice(viommuId, rig.devId, 1n);
    expect(refusalOf(() => rig.destroy(viommuId))).toBe('EBUSY id');
    rig.destroy(vdeviceId);
    const { id, fd } = rig.allocQueue(viommuId, 1);
    expect(refusalOf(() => rig.destroy(viommuId))).toBe('EBUSY id');
    rig.lab.caller(1).files.close(fd);
    rig.destroy(id);
    rig.destroy(viommuId);
    rig.destroy(rig.parentId);
    unbindDevice(rig.context, rig.devId);
    rig.expectNothingLeft();
  });
});

describe('viommu_alloc_nested_iopf', () => {
  test('a nested HWPT on a vIOMMU: flags, data, fault queue last', () => {
    const rig = makeViommuRig();
    const { refusal, devId, page } = rig;
    const ptId = rig.allocViommu();
    rig.writeWords(page, 0x1234, 0);
    const data = { dataType: MOCK_HWPT_DATA_TYPE, dataLen: 8, dataUptr: page };
    expect(refusal(HWPT_ALLOC, { devId, ptId, ...data, flags: HWPT_ALLOC_DIRTY_TRACKING })).toBe('EOPNOTSUPP flags');
    expect(refusal(HWPT_ALLOC, { devId, ptId })).toBe('EOPNOTSUPP data_type');
    expect(refusal(HWPT_ALLOC, { devId, ptId, ...data, dataType: 1 })).toBe('EOPNOTSUPP data_type');
    expect(refusal(HWPT_ALLOC, { devId, ptId, ...data, dataLen: 3 })).toBe('EINVAL data_len');
    expect(refusal(HWPT_ALLOC, { devId, ptId, ...data, dataUptr: 0n })).toBe('EFAULT data_uptr');
    const fault = { flags: HWPT_FAULT_ID_VALID, faultId: ptId };
    expect(refusal(HWPT_ALLOC, { devId, ptId, ...data, ...fault })).toBe('ENOENT fault_id');
    rig.destroy(ptId); // nobody uses it: the refusals have undone everything
  });

  test('its faults reach the queue, and what is not answered is answered by the replace', () => {
    const rig = makeViommuRig();
    const { devId, context, lab } = rig;
    const viommuId = rig.allocViommu();
    const { outFaultId: faultId, outFaultFd: faultFd } = rig.call(FAULT_QUEUE_ALLOC);
    rig.writeWords(rig.page, 0x1234, 0);
    const data = { dataType: MOCK_HWPT_DATA_TYPE, dataLen: 8, dataUptr: rig.page };
    const flags = HWPT_FAULT_ID_VALID;
    const hwptId = rig.call(HWPT_ALLOC, { devId, ptId: viommuId, ...data, flags, faultId }).outHwptId;
    rig.allocVdevice(viommuId, devId, 0x99n);
    replaceDevice(context, devId, { ptId: hwptId });
    triggerMockFault(lab.machine, { device: 1, pasid: 0, grpid: 2, perm: 3, page: 0xdead });
    expect(lab.answers).toEqual([]);
    expect(refusalOf(() => rig.destroy(hwptId))).toBe('EBUSY id');
    replaceDevice(context, devId, { ptId: rig.parentId });
    expect(lab.answers).toEqual([{ grpid: 2, code: 1 }]);
    rig.destroy(hwptId);
    expect(refusalOf(() => rig.destroy(faultId))).toBe('EBUSY id');
    lab.caller(1).files.close(faultFd);
    rig.destroy(faultId);
  });
});

describe('viommu_alloc_with_data', () => {
  test('data is looped back, in the struct and in the page that is mapped', () => {
    const rig = makeViommuRig();
    const { page, devId, parentId, lab, context } = rig;
    rig.writeWords(page, 0x31415926, 0, 0, 0, 0, 0);
    const data = { dataLen: 24, dataUptr: page };
    const viommuId = rig.call(VIOMMU_ALLOC, { ...TYPE, devId, hwptId: parentId, ...data }).outViommuId;
    // in, out, offset (2), length (2)
    expect(rig.readWords(page, 6)).toEqual([0x31415926, 0x31415926, PAGE_BYTES, 0, 2 * PAGE_BYTES, 0]);

    const region = mmapRegion(context, PAGE, 2n * PAGE, MMAP_SHARED);
    const frames = [region.physical / PAGE_BYTES, region.physical / PAGE_BYTES + 1];
    const address = rig.memory.mmap(region.bytes, { frames });
    expect(rig.readWords(address, 2)).toEqual([0x31415926, 0]);
    expect(refusalOf(() => rig.destroy(viommuId))).toBe('EBUSY id');
    rig.memory.munmap(address, region.bytes);
    unmapRegion(context, region);
    rig.destroy(viommuId);
    expect(refusalOf(() => mmapRegion(context, PAGE, 2n * PAGE, MMAP_SHARED))).toBe('ENXIO offset');
    expect(lab.ram.used()).toBe(1); // the caller's page
  });

  test.each([
    ['shifted', 2n * PAGE, 2n * PAGE, MMAP_SHARED, 'ENXIO offset'],
    ['halved', PAGE, PAGE, MMAP_SHARED, 'ENXIO offset'],
    ['doubled', PAGE, 4n * PAGE, MMAP_SHARED, 'ENXIO offset'],
    ['from offset 0', 0n, 2n * PAGE, MMAP_SHARED, 'ENXIO offset'],
    ['not whole pages', PAGE, 2n * PAGE + 1n, MMAP_SHARED, 'EINVAL length'],
    ['of nothing', PAGE, 0n, MMAP_SHARED, 'EINVAL length'],
    ['from within a page', PAGE + 1n, 2n * PAGE, MMAP_SHARED, 'EINVAL offset'],
    ['private', PAGE, 2n * PAGE, 0, 'EINVAL flags'],
    ['executable', PAGE, 2n * PAGE, MMAP_SHARED | MMAP_EXEC, 'EPERM flags'],
  ])('a mapping that is %s', (_name, offset, length, flags, refusal) => {
    const rig = makeViommuRig();
    rig.call(VIOMMU_ALLOC, { ...TYPE, devId: rig.devId, hwptId: rig.parentId, dataLen: 24, dataUptr: rig.page });
    expect(refusalOf(() => mmapRegion(rig.context, offset, length, flags))).toBe(refusal);
  });

  test('offsets are given out lowest first, and again', () => {
    const rig = makeViommuRig();
    const { page, devId, parentId } = rig;
    const alloc = (): [id: number, offset: number] => {
      const { outViommuId } = rig.call(VIOMMU_ALLOC, { ...TYPE, devId, hwptId: parentId, dataLen: 24, dataUptr: page });
      return [outViommuId, rig.readWords(page, 3)[2] / PAGE_BYTES];
    };
    const [[first], [second, at], [, third]] = [alloc(), alloc(), alloc()];
    expect([at, third]).toEqual([3, 5]);
    rig.destroy(second);
    expect(alloc()[1]).toBe(3);
    rig.destroy(first);
    expect(alloc()[1]).toBe(1);
    expect(alloc()[1]).toBe(7);
  });

  test('a mapping keeps the context', () => {
    const rig = makeViommuRig();
    const { devId, parentId, page } = rig;
    rig.call(VIOMMU_ALLOC, { ...TYPE, devId, hwptId: parentId, dataLen: 24, dataUptr: page });
    const region = mmapRegion(rig.context, PAGE, 2n * PAGE, MMAP_SHARED);
    detachDevice(rig.context, devId);
    unbindDevice(rig.context, devId);
    rig.context.put();
    expect(rig.lab.machine.live().objects).toBe(3);
    unmapRegion(rig.context, region);
    expect(rig.lab.machine.live().objects).toBe(0);
  });

  test.each([
    ['too short', 23, 0n, 'EINVAL data_len'],
    ['too long, zero tail or not', 25, 0n, 'EINVAL data_len'],
    ['nowhere', 24, 1n, 'EFAULT data_uptr'],
  ])('data that is %s', (_name, dataLen, shift, refusal) => {
    const rig = makeViommuRig();
    const dataUptr = shift === 0n ? rig.page : 1n;
    const args = { ...TYPE, devId: rig.devId, hwptId: rig.parentId, dataLen, dataUptr };
    expect(rig.refusal(VIOMMU_ALLOC, args)).toBe(refusal);
    expect(rig.lab.ram.used()).toBe(1);
  });

  test('outputs that cannot be written undo the vIOMMU', () => {
    const rig = makeViommuRig();
    rig.memory.mprotect(rig.page, PAGE_BYTES, false);
    const args = { ...TYPE, devId: rig.devId, hwptId: rig.parentId, dataLen: 24, dataUptr: rig.page };
    const before = rig.lab.machine.live();
    expect(rig.refusal(VIOMMU_ALLOC, args)).toBe('EFAULT data_uptr');
    expect(rig.lab.machine.live()).toEqual(before);
    expect(rig.lab.ram.used()).toBe(1);
    expect(refusalOf(() => mmapRegion(rig.context, PAGE, 2n * PAGE, MMAP_SHARED))).toBe('ENXIO offset');
  });
});

test('without a vIOMMU of the driver’s, every call on one names nothing', () => {
  const rig = makeRig();
  const devId = rig.bind(1);
  expect(rig.refusal(VDEVICE_ALLOC, { viommuId: 0, devId })).toBe('ENOENT viommu_id');
  expect(refusalOf(() => attachDevice(rig.context, devId, { ptId: 99 }))).toBe('ENOENT pt_id');
});
