import { decodeStruct, HW_INFO_AMD, HW_INFO_TYPE_AMD, HWPT_DATA_AMD_GUEST } from '@faultline/iommufd';
import { expect, test } from 'vitest';
import { type AmdLab, BLOCKED, DEVICE, makeAmdLab, PLAIN_DEVICE, RID } from './amd-lab.test-help.ts';
import { AmdIommufdDriver } from './index.ts';

const PAGE = 4096;
const IOVA = 0x40_0000;
const PASID = 5;

function expectNothingLeft(lab: AmdLab): void {
  lab.iommufd.close();
  lab.driver.removeDevice(DEVICE);
  lab.driver.removeDevice(PLAIN_DEVICE);
  lab.driver.domains.settle();
  expect(lab.machine.live()).toEqual(Object.fromEntries(Object.keys(lab.machine.live()).map((name) => [name, 0])));
  expect(lab.ram.pinned()).toBe(0);
  expect(lab.driver.domains.pool.live()).toBe(0);
  expect(lab.driver.attached.list(() => true)).toEqual([]);
}

/** What the IOMMU was told to forget since it was last asked, and was waited for: in order, without answers to page requests. */
function invalidations(lab: AmdLab): string[] {
  return lab.commands().flatMap(({ name, values }) => {
    const range = values.s === 1 ? 'all' : `0x${values.addressLo?.toString(16)}`;
    const pasid = (low: number): string => (values.gn === 1 ? `PASID ${low}` : 'no PASID');
    if (name === 'INVALIDATE_IOMMU_PAGES') return `pages of domain ${values.domain}, ${pasid(values.pasid)}: ${range}`;
    if (name === 'INVALIDATE_IOTLB_PAGES') return `device ${values.device}, ${pasid(values.pasid7_0)}: ${range}`;
    if (name === 'INVALIDATE_DEVTAB_ENTRY') return `entry of ${values.device}`;
    return name === 'COMPLETION_WAIT' ? 'waited for' : [];
  });
}

/** The code and field of a refusal. */
function refusal(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    const { code, field } = error as { code: string; field: string };
    return `${code} ${field}`;
  }
  return '';
}

test('a PASID’s page is missing: it is asked for, mapped and answered, and the bytes arrive', async () => {
  const lab = makeAmdLab();
  const { iommufd } = lab;
  const { memory } = lab.caller(1);
  const [ioasId, guestIoasId] = [iommufd.ioasAlloc(), iommufd.ioasAlloc()];
  const devId = iommufd.bind(DEVICE);
  iommufd.attach(devId, iommufd.hwptAlloc({ devId, ptId: ioasId, pasid: true }));
  const { faultId, faultFd } = iommufd.faultQueueAlloc();
  const hwptId = iommufd.hwptAlloc({ devId, ptId: guestIoasId, faultId, pasid: true });
  iommufd.attach(devId, hwptId, PASID);
  const at = memory.mmap(2 * PAGE);
  const map = (page: number): void => {
    const userVa = at + BigInt(page * PAGE);
    iommufd.ioasMap({ ioasId: guestIoasId, userVa, length: BigInt(PAGE), iova: BigInt(IOVA + page * PAGE) });
  };
  map(0);
  const sent = Uint8Array.from({ length: 2 * PAGE }, (_, i) => (i * 7 + 1) & 0xff);
  const write = lab.write(PASID, IOVA, sent);
  expect(write.next().done).toBe(false); // waits for its second page
  const faults = iommufd.openFaultFile(faultFd);
  for await (const group of faults) {
    const { addr, pasid, perm } = group.fault;
    expect([group.devId, group.count, addr, pasid, perm]).toEqual([devId, 1, BigInt(IOVA + PAGE), PASID, 3]);
    map(1);
    expect(group.respond()).toBe(true);
    break;
  }
  expect(write.next()).toEqual({ done: true, value: true });
  const arrived = new Uint8Array(2 * PAGE);
  memory.read(at, arrived);
  expect(arrived).toEqual(sent);

  // What is unmapped is not reached; what is asked for then and refused fails.
  const hostDomain = lab.driver.attached.domainOf(DEVICE, 0);
  lab.commands();
  iommufd.ioasUnmap({ ioasId: guestIoasId, iova: BigInt(IOVA), length: BigInt(PAGE) });
  expect(invalidations(lab)).toEqual([
    `pages of domain ${hostDomain}, PASID 5: 0x400000`, // a PASID's are kept under the device's own domain
    'device 8, PASID 5: 0x400000',
    'waited for',
  ]);
  expect(lab.translate(RID, PASID, IOVA / PAGE, false)).toBeLessThan(0);
  const lost = lab.write(PASID, IOVA, sent);
  expect(lost.next().done).toBe(false);
  iommufd.detach(devId, PASID); // answers what nobody has
  expect(lost.next()).toEqual({ done: true, value: false });
  expect(lab.translate(RID, PASID, IOVA / PAGE + 1, false)).toBe(BLOCKED);
  expect(invalidations(lab)).toEqual([
    `pages of domain ${hostDomain}, PASID 5: all`,
    'device 8, PASID 5: all',
    'waited for',
    'entry of 8',
    'waited for',
  ]);
  iommufd.detach(devId);
  expect(invalidations(lab)).toEqual([
    'entry of 8',
    `pages of domain ${hostDomain}, no PASID: all`,
    `pages of domain ${hostDomain}, PASID 0: all`,
    'device 8, no PASID: all',
    'waited for',
  ]);
  faults.close();
  expectNothingLeft(lab);
});

test('without a PASID: the host’s table, replaced by one that tracks what the device writes', () => {
  const lab = makeAmdLab();
  const { iommufd } = lab;
  const { memory } = lab.caller(1);
  const ioasId = iommufd.ioasAlloc();
  const length = BigInt(16 * PAGE);
  iommufd.ioasMap({ ioasId, userVa: memory.mmap(16 * PAGE), length, iova: BigInt(IOVA) });
  const devId = iommufd.bind(DEVICE);
  iommufd.attach(devId, ioasId);
  expect(lab.write(0, IOVA, Uint8Array.of(1)).next().value).toBe(true);
  const hwptId = iommufd.hwptAlloc({ devId, ptId: ioasId, dirtyTracking: true });
  iommufd.replace(devId, hwptId);
  iommufd.setDirtyTracking(hwptId, true);
  for (const page of [2, 3, 9]) expect(lab.write(0, IOVA + page * PAGE, Uint8Array.of(page)).next().value).toBe(true);
  const range = { hwptId, iova: BigInt(IOVA), length, pageSize: BigInt(PAGE) };
  const dirty = [...iommufd.getDirtyBitmap(range)].slice(0, 2);
  expect(dirty).toEqual([0b0000_1100, 0b0000_0010]);
  expect([...iommufd.getDirtyBitmap(range)].slice(0, 2)).toEqual([0, 0]);
  iommufd.detach(devId);
  expect(lab.translate(RID, 0, IOVA / PAGE, false)).toBe(BLOCKED);
  expectNothingLeft(lab);
});

test('what the IOMMU has is told, and what it has not is refused', () => {
  const lab = makeAmdLab();
  const { iommufd } = lab;
  const devId = iommufd.bind(DEVICE);
  const plainId = iommufd.bind(PLAIN_DEVICE);
  const { type, bytes, maxPasidLog2 } = iommufd.getHwInfo(devId);
  expect([type, maxPasidLog2]).toEqual([HW_INFO_TYPE_AMD, 9]);
  const { efr, efr2 } = decodeStruct(HW_INFO_AMD, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  expect([efr & 0x52n, (efr >> 32n) & 0x1fn, efr2]).toEqual([0x52n, 8n, 0n]); // PPR, GT, invalidate-all; PASIDs of 9 bits
  expect(refusal(() => iommufd.getHwInfo(devId, 1))).toBe('EOPNOTSUPP in_data_type');
  const ptId = iommufd.ioasAlloc();
  const alloc = (more: object): string => refusal(() => iommufd.hwptAlloc({ devId, ptId, ...more }));
  expect(alloc({ nestParent: true })).toBe('EOPNOTSUPP flags');
  expect(alloc({ pasid: true, dirtyTracking: true })).toBe('EOPNOTSUPP flags');
  expect(alloc({ dataType: HWPT_DATA_AMD_GUEST, data: new Uint8Array(32) })).toBe('EOPNOTSUPP data_type');
  const { faultId, faultFd } = iommufd.faultQueueAlloc();
  const faulting = iommufd.hwptAlloc({ devId, ptId, faultId, pasid: true });
  expect(refusal(() => iommufd.attach(plainId, faulting))).toBe('ENODEV device');
  expect(refusal(() => iommufd.attach(devId, faulting, PASID))).toBe('EOPNOTSUPP deviceId'); // the device itself has no domain
  const second = iommufd.hwptAlloc({ devId, ptId, pasid: true });
  iommufd.attach(devId, second);
  iommufd.attach(devId, faulting, PASID);
  expect(refusal(() => iommufd.replace(devId, second, PASID))).toBe('EOPNOTSUPP pasid');
  // Which device has which is one thread's: others map and unmap.
  const other = new AmdIommufdDriver(lab.arena, { self: { id: 2, spins: 0 }, ops: lab.ops });
  expect(refusal(() => other.detach(DEVICE, PASID, 1))).toBe('EOPNOTSUPP thread');
  expect(other.traits(DEVICE)).toEqual(lab.driver.traits(DEVICE));
  iommufd.openFaultFile(faultFd).close();
  expectNothingLeft(lab);
});
