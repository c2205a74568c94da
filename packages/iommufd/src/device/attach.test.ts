import { describe, expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { MOCK_DEV_PASID } from '../testing/mock/index.ts';
import { makeRig, refusalOf } from '../testing/rig.test-help.ts';
import {
  HWPT_ALLOC,
  HWPT_ALLOC_PASID,
  IOAS_ALLOC,
  IOAS_MAP,
  IOAS_MAP_FIXED_IOVA,
  IOAS_MAP_READABLE,
  IOAS_MAP_WRITEABLE,
  IOAS_UNMAP,
} from '../uapi/index.ts';
import { attachDevice, detachDevice, replaceDevice, unbindDevice } from './index.ts';

const FIXED = IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE | IOAS_MAP_FIXED_IOVA;
const IOVA = 1n << 24n;
const PAGE = BigInt(PAGE_BYTES);

describe('attach to an IOAS', () => {
  test('makes page tables, filled, that two devices share and the last one takes with it', () => {
    const rig = makeRig();
    const { context, lab } = rig;
    const [first, second] = [rig.bind(1), rig.bind(2)];
    const ioasId = rig.call(IOAS_ALLOC).outIoasId;
    const userVa = rig.memory.mmap(2 * PAGE_BYTES);
    rig.call(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: 2n * PAGE, iova: IOVA });
    expect(lab.ram.pinned()).toBe(0);
    const hwpt = attachDevice(context, first, { ptId: ioasId });
    expect(lab.ram.pinned()).toBe(2);
    expect(lab.driver.pages.used()).toBe(4); // of 2048 bytes
    expect(attachDevice(context, second, { ptId: ioasId })).toBe(hwpt);
    expect(refusalOf(() => attachDevice(context, second, { ptId: ioasId }))).toBe('EBUSY dev_id');
    expect(refusalOf(() => rig.destroy(hwpt))).toBe('EBUSY id');
    detachDevice(context, first);
    expect(lab.driver.pages.used()).toBe(4);
    detachDevice(context, second);
    detachDevice(context, second); // silently nothing
    expect(lab.driver.pages.used()).toBe(0);
    expect(lab.ram.pinned()).toBe(0);
    expect(refusalOf(() => rig.destroy(hwpt))).toBe('ENOENT id');
    for (const id of [first, second]) unbindDevice(context, id);
    rig.expectNothingLeft();
  });

  test('what is mapped later is there, and gone when it is unmapped', () => {
    const rig = makeRig();
    const id = rig.bind(1);
    const ioasId = rig.call(IOAS_ALLOC).outIoasId;
    attachDevice(rig.context, id, { ptId: ioasId });
    const userVa = rig.memory.mmap(PAGE_BYTES);
    rig.call(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: PAGE, iova: IOVA });
    expect(rig.lab.driver.pages.used()).toBe(2);
    expect(rig.refusal(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: PAGE, iova: 0n })).toBe('EINVAL iova');
    rig.call(IOAS_UNMAP, { ioasId, iova: IOVA, length: PAGE });
    expect(rig.lab.ram.pinned()).toBe(0);
    detachDevice(rig.context, id);
    unbindDevice(rig.context, id);
    rig.expectNothingLeft();
  });

  test('memory that cannot be pinned fails the attachment, and leaves nothing', () => {
    const rig = makeRig();
    const id = rig.bind(1);
    const ioasId = rig.call(IOAS_ALLOC).outIoasId;
    const userVa = rig.memory.mmap(PAGE_BYTES);
    rig.call(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: 2n * PAGE, iova: IOVA });
    expect(refusalOf(() => attachDevice(rig.context, id, { ptId: ioasId }))).toBe('EFAULT user_va');
    expect(rig.lab.ram.pinned()).toBe(0);
    expect(rig.lab.machine.live().objects).toBe(2); // device and IOAS
    unbindDevice(rig.context, id);
    rig.expectNothingLeft();
  });
});

test('replace moves a device; the same again is nothing; what is not attached cannot be replaced', () => {
  const rig = makeRig();
  const { context } = rig;
  const id = rig.bind(1);
  const from = rig.call(IOAS_ALLOC).outIoasId;
  const to = rig.call(IOAS_ALLOC).outIoasId;
  expect(refusalOf(() => replaceDevice(context, id, { ptId: from }))).toBe('EINVAL dev_id');
  const old = attachDevice(context, id, { ptId: from });
  expect(replaceDevice(context, id, { ptId: from })).toBe(old);
  const hwpt = rig.call(HWPT_ALLOC, { devId: id, ptId: to }).outHwptId;
  expect(replaceDevice(context, id, { ptId: hwpt })).toBe(hwpt);
  expect(refusalOf(() => rig.destroy(old))).toBe('ENOENT id');
  expect(refusalOf(() => rig.destroy(hwpt))).toBe('EBUSY id');
  detachDevice(context, id);
  rig.destroy(hwpt);
  unbindDevice(context, id);
  rig.expectNothingLeft();
});

test('PASIDs want a device that has them, and page tables made for them', () => {
  const rig = makeRig();
  const { context } = rig;
  const [plain, id] = [rig.bind(1), rig.bind(2, MOCK_DEV_PASID)];
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  const forPasids = rig.call(HWPT_ALLOC, { devId: id, ptId: ioasId, flags: HWPT_ALLOC_PASID }).outHwptId;
  const other = rig.call(HWPT_ALLOC, { devId: id, ptId: ioasId }).outHwptId;
  expect(refusalOf(() => attachDevice(context, plain, { ptId: forPasids, pasid: 1 }))).toBe('EOPNOTSUPP pasid');
  expect(refusalOf(() => attachDevice(context, id, { ptId: forPasids, pasid: 2 ** 20 }))).toBe('EINVAL pasid');
  expect(refusalOf(() => attachDevice(context, id, { ptId: other, pasid: 1 }))).toBe('EINVAL pt_id');
  attachDevice(context, id, { ptId: forPasids, pasid: 1 });
  expect(refusalOf(() => attachDevice(context, id, { ptId: other }))).toBe('EINVAL pt_id');
  attachDevice(context, id, { ptId: forPasids });
  detachDevice(context, id, 1);
  detachDevice(context, id);
  attachDevice(context, id, { ptId: other });
  expect(refusalOf(() => attachDevice(context, id, { ptId: forPasids, pasid: 1 }))).toBe('EINVAL pt_id');
  detachDevice(context, id);
  for (const each of [plain, id]) unbindDevice(context, each);
  rig.expectNothingLeft();
});
