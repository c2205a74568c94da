import { IommuError } from '@faultline/core/errors';
import { expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { openContext } from '../context/index.ts';
import type { IovaRange } from '../driver/index.ts';
import { MOCK_DEVICE_GROUP } from '../testing/mock/index.ts';
import { makeRig, type Rig, refusalOf } from '../testing/rig.test-help.ts';
import {
  HWPT_ALLOC,
  IOAS_ALLOC,
  IOAS_IOVA_RANGES,
  IOAS_MAP,
  IOAS_MAP_FIXED_IOVA,
  IOAS_MAP_READABLE,
  IOAS_UNMAP,
} from '../uapi/index.ts';
import { attachDevice, bindDevice, detachDevice, replaceDevice, unbindDevice } from './index.ts';

const PAGE = BigInt(PAGE_BYTES);
const MIB = 1n << 20n;

/** Two devices of one group, bound; each has a reserved range of its own: device n at n MiB over the aperture's start. */
function twoOfAGroup(): { rig: Rig; first: number; second: number; attached: Map<number, number> } {
  const rig = makeRig();
  const { driver, arena } = rig.lab;
  const attached = new Map<number, number>(); // by device, what the driver has it on
  for (const device of [1, 2]) {
    driver.addDevice(device, 0);
    arena.words[driver.deviceAt(device) + MOCK_DEVICE_GROUP] = 1;
  }
  driver.reservedRanges = (device): IovaRange[] => [reservedOf(device)];
  const { attach, detach } = driver;
  driver.attach = (device, pasid, domain, old) => {
    attach.call(driver, device, pasid, domain, old);
    attached.set(device, domain);
  };
  driver.detach = (device, pasid, domain) => {
    detach.call(driver, device, pasid, domain);
    attached.delete(device);
  };
  return { rig, first: bindDevice(rig.context, 1), second: bindDevice(rig.context, 2), attached };
}

function reservedOf(device: number): IovaRange {
  const start = (16n + BigInt(device)) * MIB;
  return { start, last: start + PAGE - 1n };
}

/** Whether something can be mapped where a device's reserved range is. */
function isReserved(rig: Rig, ioasId: number, device: number): boolean {
  const count = rig.call(IOAS_IOVA_RANGES, { ioasId, numIovas: 8, allowedIovas: rig.memory.mmap(PAGE_BYTES) }).numIovas;
  const userVa = rig.memory.mmap(PAGE_BYTES);
  const flags = IOAS_MAP_READABLE | IOAS_MAP_FIXED_IOVA;
  const args = { ioasId, flags, userVa, length: PAGE, iova: reservedOf(device).start };
  const refusal = rig.refusal(IOAS_MAP, args);
  if (refusal === '') rig.call(IOAS_UNMAP, { ioasId, iova: args.iova, length: PAGE });
  expect(count).toBeGreaterThan(0);
  return refusal === 'EINVAL iova';
}

test('devices of a group share an HWPT; each keeps its reserved range for as long as it is attached itself', () => {
  const { rig, first, second, attached } = twoOfAGroup();
  const { context } = rig;
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  const other = rig.call(IOAS_ALLOC).outIoasId;
  const hwpt = attachDevice(context, first, { ptId: ioasId });
  expect(refusalOf(() => attachDevice(context, second, { ptId: other }))).toBe('EINVAL pt_id');
  expect(attachDevice(context, second, { ptId: ioasId })).toBe(hwpt);
  expect([...attached.keys()]).toEqual([1, 2]);
  expect(isReserved(rig, ioasId, 2)).toBe(true);
  detachDevice(context, first); // the one that came first leaves, the other stays
  expect([...attached.keys()]).toEqual([2]);
  expect(isReserved(rig, ioasId, 1)).toBe(false);
  expect(isReserved(rig, ioasId, 2)).toBe(true);
  unbindDevice(context, first);
  detachDevice(context, second);
  expect(attached.size).toBe(0);
  unbindDevice(context, second);
  rig.expectNothingLeft();
});

test('replace moves a group whole', () => {
  const { rig, first, second, attached } = twoOfAGroup();
  const { context } = rig;
  const from = rig.call(IOAS_ALLOC).outIoasId;
  const to = rig.call(IOAS_ALLOC).outIoasId;
  for (const id of [first, second]) attachDevice(context, id, { ptId: from });
  const old = attached.get(1);
  const hwpt = replaceDevice(context, second, { ptId: to });
  expect(attached.get(1)).toBe(attached.get(2));
  expect(attached.get(1)).not.toBe(old);
  expect([1, 2].map((device) => isReserved(rig, from, device))).toEqual([false, false]);
  expect([1, 2].map((device) => isReserved(rig, to, device))).toEqual([true, true]);
  expect(replaceDevice(context, first, { ptId: hwpt })).toBe(hwpt);
  for (const id of [first, second]) {
    detachDevice(context, id);
    unbindDevice(context, id);
  }
  rig.expectNothingLeft();
});

test('where one device of a group cannot follow, the others go back', () => {
  const { rig, first, second, attached } = twoOfAGroup();
  const { context } = rig;
  const from = rig.call(IOAS_ALLOC).outIoasId;
  const to = rig.call(IOAS_ALLOC).outIoasId;
  for (const id of [first, second]) attachDevice(context, id, { ptId: from });
  const before = new Map(attached);
  const hwpt = rig.call(HWPT_ALLOC, { devId: first, ptId: to }).outHwptId;
  const { attach } = rig.lab.driver;
  rig.lab.driver.attach = (device, pasid, domain, old) => {
    if (device === 2) throw new IommuError('ENOMEM', 'attach', 'device', device, 'made to fail');
    attach(device, pasid, domain, old);
  };
  expect(refusalOf(() => replaceDevice(context, first, { ptId: hwpt }))).toBe('ENOMEM device');
  rig.lab.driver.attach = attach;
  expect(attached).toEqual(before);
  expect([1, 2].map((device) => isReserved(rig, from, device))).toEqual([true, true]);
  expect([1, 2].map((device) => isReserved(rig, to, device))).toEqual([false, false]);
  rig.destroy(hwpt); // nobody uses it
  for (const id of [first, second]) {
    detachDevice(context, id);
    unbindDevice(context, id);
  }
  rig.expectNothingLeft();
});

test('a mapping in the way of a reserved range refuses the attachment, and nothing of it is left', () => {
  const { rig, first, second } = twoOfAGroup();
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  const userVa = rig.memory.mmap(PAGE_BYTES);
  attachDevice(rig.context, first, { ptId: ioasId });
  const flags = IOAS_MAP_READABLE | IOAS_MAP_FIXED_IOVA;
  rig.call(IOAS_MAP, { ioasId, flags, userVa, length: PAGE, iova: reservedOf(2).start });
  expect(refusalOf(() => attachDevice(rig.context, second, { ptId: ioasId }))).toBe('EADDRINUSE reserved range');
  detachDevice(rig.context, first);
  for (const id of [first, second]) unbindDevice(rig.context, id);
  rig.expectNothingLeft();
});

test('a group belongs to the context that bound first, until its last device is unbound', () => {
  const { rig, first, second } = twoOfAGroup();
  const stranger = openContext(rig.lab.machine);
  const bindThere = (): string => refusalOf(() => bindDevice(stranger, 1));
  expect(bindThere()).toBe('EPERM device');
  expect(refusalOf(() => bindDevice(rig.context, 1))).toBe('EBUSY device');
  unbindDevice(rig.context, first);
  expect(bindThere()).toBe('EPERM device');
  rig.lab.machine.fail.arm(1);
  expect(refusalOf(() => bindDevice(rig.context, 1))).toBe('ENOMEM objects');
  unbindDevice(rig.context, second); // a bind that failed does not count
  const id = bindDevice(stranger, 1);
  unbindDevice(stranger, id);
  stranger.put();
  rig.expectNothingLeft();
});

test('a device that is attached cannot be unbound, and stays as it is', () => {
  const { rig, first, second } = twoOfAGroup();
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  attachDevice(rig.context, first, { ptId: ioasId });
  expect(refusalOf(() => unbindDevice(rig.context, first))).toBe('EBUSY dev_id');
  expect(refusalOf(() => rig.destroy(first))).toBe('EBUSY id');
  detachDevice(rig.context, first);
  for (const id of [first, second]) unbindDevice(rig.context, id);
  rig.expectNothingLeft();
});
