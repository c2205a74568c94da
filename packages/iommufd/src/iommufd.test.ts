import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryFile, PAGE_BYTES } from './caller/index.ts';
import { Context } from './context/index.ts';
import { FILE_MEMORY } from './files/index.ts';
import { reserveRanges, unreserveRanges } from './ioas/index.ts';
import { Iommufd } from './iommufd.ts';
import { EVERYTHING } from './iommufd-inputs.ts';
import {
  MOCK_APERTURE_START,
  MOCK_DEV_PASID,
  MOCK_HW_INFO_TYPE,
  MOCK_HW_QUEUE_TYPE,
  MOCK_HWPT_DATA_TYPE,
  MOCK_INVALIDATE_TYPE,
  MOCK_PAGE_BYTES,
  MOCK_VEVENTQ_TYPE,
  MOCK_VIOMMU_TYPE,
} from './testing/mock/index.ts';
import { createMockLab, openMockLab } from './testing/mock-lab.ts';
import { refusalOf } from './testing/rig.test-help.ts';
import {
  HW_CAP_DIRTY_TRACKING,
  OBJ_IOAS,
  OPTION_HUGE_PAGES,
  OPTION_RLIMIT_MODE,
  VFIO_IOAS_CLEAR,
  VFIO_IOAS_GET,
  VFIO_IOAS_SET,
} from './uapi/index.ts';

const PAGE = BigInt(PAGE_BYTES);

function openRig() {
  const lab = openMockLab(createMockLab());
  const caller = lab.caller(1);
  lab.driver.addDevice(1, MOCK_DEV_PASID);
  const iommufd = Iommufd.open(lab.machine, caller);
  const expectNothingLeft = (): void => {
    iommufd.close();
    expect(lab.machine.live()).toEqual(Object.fromEntries(Object.keys(lab.machine.live()).map((name) => [name, 0])));
    expect(lab.ram.pinned()).toBe(0);
    expect(lab.driver.pages.used()).toBe(0);
  };
  return { lab, caller, memory: caller.memory, iommufd, expectNothingLeft };
}

test('maps, copies, moves and unmaps memory', () => {
  const { iommufd, memory, lab, expectNothingLeft } = openRig();
  const ioasId = iommufd.ioasAlloc();
  const hwptId = iommufd.attach(iommufd.bind(1), ioasId);
  expect(iommufd.ioasIovaRanges(ioasId)).toEqual({
    ranges: [{ start: MOCK_APERTURE_START, last: 2n ** 31n - 1n }],
    alignment: BigInt(MOCK_PAGE_BYTES),
  });
  const userVa = memory.mmap(2 * PAGE_BYTES);
  const iova = MOCK_APERTURE_START;
  expect(iommufd.ioasMap({ ioasId, userVa, length: 2n * PAGE, iova })).toBe(iova);
  expect(iommufd.noiommuGetPa({ ioasId, iova, length: PAGE }).length).toBe(PAGE);
  const dstIoasId = iommufd.ioasAlloc();
  const copy = iommufd.ioasCopy({ srcIoasId: ioasId, srcIova: iova, length: PAGE, dstIoasId, writable: false });
  expect(copy).not.toBe(0n);
  expect(iommufd.ioasUnmap({ ioasId: dstIoasId, ...EVERYTHING })).toBe(PAGE);
  expect(iommufd.ioasUnmap({ ioasId: dstIoasId, ...EVERYTHING })).toBe(0n);
  expect(refusalOf(() => iommufd.ioasUnmap({ ioasId, iova, length: PAGE }))).toBe('ENOENT iova');
  expect(refusalOf(() => iommufd.ioasMap({ ioasId, userVa, length: 1n, iova }))).toBe('EINVAL length');
  expect(refusalOf(() => iommufd.destroy(hwptId))).toBe('EBUSY id');
  expect(lab.ram.pinned()).toBe(2);
  expectNothingLeft();
});

test('maps a file, from within it; more ranges than one question has room for', () => {
  const { iommufd, lab, caller, expectNothingLeft } = openRig();
  const file = MemoryFile.create(lab.ram, 3 * PAGE_BYTES);
  lab.mappable.set(1, file);
  const fd = caller.files.install('memfd', FILE_MEMORY, 0, 1);
  const ioasId = iommufd.ioasAlloc();
  const iova = iommufd.ioasMapFile({ ioasId, fd, start: PAGE, length: PAGE, writable: false });
  expect(iommufd.ioasUnmap({ ioasId, iova, length: PAGE })).toBe(PAGE);
  caller.files.close(fd);
  file.close();
  const context = new Context(lab.machine, 1);
  const ioas = context.objects.get('test', 'ioas_id', ioasId, OBJ_IOAS);
  const holes = Array.from({ length: 99 }, (_, i) => ({ start: BigInt(i) << 20n, last: (BigInt(i) << 20n) + 4095n }));
  reserveRanges(context, ioas, 1, holes);
  const { ranges } = iommufd.ioasIovaRanges(ioasId);
  expect(ranges.length).toBe(99);
  expect(ranges[98]).toEqual({ start: (98n << 20n) + 4096n, last: 2n ** 64n - 1n });
  unreserveRanges(context, ioas, 1);
  context.objects.put(ioas);
  expectNothingLeft();
});

test('allowed ranges, options and the compat IOAS', () => {
  const { iommufd, memory, expectNothingLeft } = openRig();
  expect(iommufd.option({ optionId: OPTION_RLIMIT_MODE, value: 1n })).toBe(1n);
  expect(iommufd.option({ optionId: OPTION_RLIMIT_MODE })).toBe(1n);
  const ioasId = iommufd.ioasAlloc();
  expect(iommufd.option({ optionId: OPTION_HUGE_PAGES, objectId: ioasId })).toBe(1n);
  iommufd.ioasAllowIovas(ioasId, [{ start: 0x5000n, last: 0x5fffn }]);
  const map = (): bigint => iommufd.ioasMap({ ioasId, userVa: memory.mmap(PAGE_BYTES), length: PAGE });
  expect(map()).toBe(0x5000n);
  expect(refusalOf(map)).toBe('ENOSPC length');
  expect(refusalOf(() => iommufd.vfioIoas({ op: VFIO_IOAS_GET }))).toBe('ENODEV ioas');
  iommufd.vfioIoas({ op: VFIO_IOAS_SET, ioasId });
  expect(iommufd.vfioIoas({ op: VFIO_IOAS_GET })).toBe(ioasId);
  iommufd.vfioIoas({ op: VFIO_IOAS_CLEAR });
  expect(refusalOf(() => iommufd.vfioIoas({ op: VFIO_IOAS_GET }))).toBe('ENODEV ioas');
  expect(refusalOf(() => iommufd.changeProcess())).toContain('EINVAL');
  expectNothingLeft();
});

test('dirty pages as a bitmap of values', () => {
  const { iommufd, memory, lab, expectNothingLeft } = openRig();
  const devId = iommufd.bind(1);
  const ioasId = iommufd.ioasAlloc();
  const hwptId = iommufd.hwptAlloc({ devId, ptId: ioasId, dirtyTracking: true });
  const iova = MOCK_APERTURE_START;
  const length = 10n * PAGE;
  iommufd.ioasMap({ ioasId, userVa: memory.mmap(Number(length)), length, iova });
  iommufd.attach(devId, hwptId);
  iommufd.setDirtyTracking(hwptId, true);
  const domain = 1;
  for (const page of [0n, 9n]) lab.driver.access(domain, iova + page * PAGE, true);
  const read = { hwptId, iova, length, pageSize: PAGE };
  expect([...iommufd.getDirtyBitmap({ ...read, noClear: true })]).toEqual([0b1, 0b10]);
  expect([...iommufd.getDirtyBitmap({ ...read, bitmap: Uint8Array.of(0b100, 0) })]).toEqual([0b101, 0b10]);
  expect([...iommufd.getDirtyBitmap(read)]).toEqual([0, 0]);
  expect(refusalOf(() => iommufd.getDirtyBitmap({ ...read, pageSize: 0n }))).toBe('EINVAL page_size');
  expect(refusalOf(() => iommufd.getDirtyBitmap({ ...read, length: 2n ** 60n }))).toBe('ENOMEM length');
  expect(refusalOf(() => iommufd.setDirtyTracking(ioasId, true))).toBe('ENOENT hwpt_id');
  expectNothingLeft();
});

test('what a machine is made of: vIOMMU, vdevice, queues, nested page tables, invalidation', () => {
  const { iommufd, memory, caller, expectNothingLeft } = openRig();
  const devId = iommufd.bind(1);
  const ioasId = iommufd.ioasAlloc();
  const parent = iommufd.hwptAlloc({ devId, ptId: ioasId, nestParent: true });
  const data = new Uint8Array(24).fill(5, 0, 4);
  const viommuId = iommufd.viommuAlloc({ type: MOCK_VIOMMU_TYPE, devId, hwptId: parent, data });
  expect([...data.subarray(4, 8)]).toEqual([5, 5, 5, 5]); // the mock loops it back
  iommufd.vdeviceAlloc({ viommuId, devId, virtId: 0x99n });
  const { veventqFd } = iommufd.veventqAlloc({ viommuId, type: MOCK_VEVENTQ_TYPE, depth: 2 });
  const iova = MOCK_APERTURE_START;
  iommufd.ioasMap({ ioasId, userVa: memory.mmap(PAGE_BYTES), length: PAGE, iova });
  iommufd.hwQueueAlloc({ viommuId, type: MOCK_HW_QUEUE_TYPE, index: 0, iova, length: PAGE });
  expect(refusalOf(() => iommufd.ioasUnmap({ ioasId, iova, length: PAGE }))).toContain('EBUSY');
  const hwptId = iommufd.hwptAlloc({
    devId,
    ptId: parent,
    dataType: MOCK_HWPT_DATA_TYPE,
    data: Uint8Array.of(1, 0, 0, 0),
  });
  const invalidate = { hwptId, dataType: MOCK_INVALIDATE_TYPE, entryBytes: 8 };
  expect(iommufd.hwptInvalidate(invalidate)).toEqual({ handled: 0, refusal: undefined });
  // Of two entries the second names no cache entry.
  const entries = new Uint8Array(Uint32Array.of(0, 1, 0, 99).buffer);
  const { handled, refusal } = iommufd.hwptInvalidate({ ...invalidate, entries });
  expect([handled, refusal?.code]).toEqual([1, 'EINVAL']);
  caller.files.close(veventqFd);
  expectNothingLeft();
});

test("a device's IOMMU says what it is", () => {
  const { iommufd, expectNothingLeft } = openRig();
  const devId = iommufd.bind(1);
  const info = { type: MOCK_HW_INFO_TYPE, bytes: Uint8Array.of(0, 0, 0, 0, 0xef, 0xbe, 0xad, 0xde) };
  expect(iommufd.getHwInfo(devId)).toEqual({ ...info, maxPasidLog2: 20, capabilities: BigInt(HW_CAP_DIRTY_TRACKING) });
  expect(refusalOf(() => iommufd.getHwInfo(devId, 1))).toBe('EOPNOTSUPP in_data_type');
  expectNothingLeft();
});

test('closing detaches and unbinds, also PASIDs; what is bound elsewhere is not unbound here', () => {
  const { iommufd, lab, caller, expectNothingLeft } = openRig();
  const devId = iommufd.bind(1);
  const ioasId = iommufd.ioasAlloc();
  const pasidHwpt = iommufd.hwptAlloc({ devId, ptId: ioasId, pasid: true });
  iommufd.attach(devId, pasidHwpt);
  iommufd.attach(devId, pasidHwpt, 5);
  expect(iommufd.replace(devId, pasidHwpt, 5)).toBe(pasidHwpt);
  const other = new Iommufd(lab.machine, caller, iommufd.fd);
  expect(refusalOf(() => other.unbind(devId))).toBe('ENOENT dev_id');
  expect(refusalOf(() => iommufd.unbind(devId))).toBe('EBUSY dev_id');
  iommufd.detach(devId, 5);
  expectNothingLeft();
  expect(refusalOf(() => other.ioasAlloc())).toBe('EBADF fd');
  other.close();
  iommufd.close();
});

test('a fault file keeps what its descriptor is of, after /dev/iommu is closed', () => {
  const { iommufd, lab, caller } = openRig();
  const { faultFd } = iommufd.faultQueueAlloc();
  expect(refusalOf(() => new Iommufd(lab.machine, caller, faultFd))).toBe('ENOTTY fd');
  iommufd.close();
  expect(lab.machine.live().objects).toBe(1);
  caller.files.close(faultFd);
  expect(lab.machine.live().objects).toBe(0);
});

test('who holds what was closed does not reach what has its number now', () => {
  const { iommufd, lab, caller } = openRig();
  const first = iommufd.faultQueueAlloc();
  const stale = iommufd.openFaultFile(first.faultFd);
  stale.close();
  iommufd.destroy(first.faultId);
  const second = iommufd.faultQueueAlloc();
  expect(second).toEqual(first); // the same in all numbers
  expect([stale.isOpen(), refusalOf(() => stale.next())]).toEqual([false, 'EBADF fd']);
  stale.close();
  caller.files.close(second.faultFd);
  iommufd.close();
  const next = Iommufd.open(lab.machine, caller);
  expect(next.fd).toBe(iommufd.fd);
  expect(refusalOf(() => iommufd.ioasAlloc())).toBe('EBADF fd');
  iommufd.close();
  expect(next.ioasAlloc()).toBe(1);
  next.close();
  expect(lab.machine.live()).toMatchObject({ objects: 0, files: 0 });
});

test('an ioctl by bytes on the same descriptor', () => {
  const { iommufd, memory, expectNothingLeft } = openRig();
  const at = memory.mmap(PAGE_BYTES);
  memory.write(at, new Uint8Array(Uint32Array.of(12, 0, 0).buffer));
  expect(iommufd.ioctl(0x3b81, at)).toBe(0);
  expect(iommufd.lastError).toBeUndefined();
  expect(iommufd.ioctl(0x3bff, at)).toBe(-25);
  expect(String(iommufd.lastError)).toContain('request');
  expectNothingLeft();
});

test('ids, addresses and lengths of all kinds are refused as errors that name a field', () => {
  const { iommufd, expectNothingLeft } = openRig();
  const id = fc.nat(8);
  const wide = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const calls = fc.oneof(
    fc.record({ ioasId: id, userVa: wide, length: wide, iova: wide }).map((i) => () => iommufd.ioasMap(i)),
    fc.record({ ioasId: id, fd: fc.nat(9), length: wide, start: wide }).map((i) => () => iommufd.ioasMapFile(i)),
    fc.record({ ioasId: id, iova: wide, length: wide }).map((i) => () => iommufd.ioasUnmap(i)),
    fc.record({ hwptId: id, iova: wide, length: wide, pageSize: wide }).map((i) => () => iommufd.getDirtyBitmap(i)),
    fc.record({ devId: id, ptId: id, faultId: id }).map((i) => () => iommufd.hwptAlloc(i)),
    fc.record({ devId: id, hwptId: id, type: fc.nat() }).map((i) => () => iommufd.viommuAlloc(i)),
    fc.record({ viommuId: id, devId: id, virtId: wide }).map((i) => () => iommufd.vdeviceAlloc(i)),
    fc.tuple(id, id, fc.nat()).map((args) => () => iommufd.attach(...args)),
    fc.nat(20).map((device) => () => iommufd.bind(device)),
    id.map((each) => () => iommufd.destroy(each)),
  );
  fc.assert(
    fc.property(calls, (call) => {
      const refusal = refusalOf(call); // throws what is no IommuError
      return refusal === '' || /^E[A-Z0-9]+ \w/.test(refusal);
    }),
    { numRuns: 500 },
  );
  expectNothingLeft();
});

test('numbers that no struct can hold are refused by name, and leave everything as it was', () => {
  const { iommufd, memory, expectNothingLeft } = openRig();
  const devId = iommufd.bind(1);
  const ioasId = iommufd.ioasAlloc();
  const hwptId = iommufd.hwptAlloc({ devId, ptId: ioasId, dirtyTracking: true, pasid: true });
  const userVa = memory.mmap(PAGE_BYTES);
  const iova = MOCK_APERTURE_START;
  const map = { ioasId, userVa, iova, length: PAGE };
  expect([
    refusalOf(() => iommufd.ioasMap({ ...map, length: -PAGE })),
    refusalOf(() => iommufd.ioasMap({ ...map, iova: iova - 2n ** 64n })),
    refusalOf(() => iommufd.ioasMap({ ...map, ioasId: 2 ** 32 + ioasId })),
    refusalOf(() => iommufd.ioasUnmap({ ioasId, iova, length: 2n ** 64n })),
    refusalOf(() => iommufd.option({ optionId: 0.5 })),
    refusalOf(() => iommufd.vfioIoas({ op: 2 ** 16 })),
    refusalOf(() => iommufd.ioasAllowIovas(ioasId, [{ start: -PAGE, last: -1n }])),
    refusalOf(() => iommufd.attach(devId, hwptId, 1.5)),
  ]).toEqual([
    'EINVAL length',
    'EINVAL iova',
    'EINVAL ioas_id',
    'EINVAL length',
    'EINVAL option_id',
    'EINVAL op',
    'EINVAL allowed_iovas.start',
    'EINVAL pasid',
  ]);
  const { refusal } = iommufd.hwptInvalidate({ hwptId, dataType: -1, entryBytes: 0 });
  expect(refusal?.field).toBe('data_type');
  iommufd.setDirtyTracking(hwptId, true); // ends
  expect(iommufd.ioasMap(map)).toBe(iova);
  expectNothingLeft();
});
