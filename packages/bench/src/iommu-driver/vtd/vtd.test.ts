import {
  decodeStruct,
  encodeData,
  HW_INFO_TYPE_INTEL_VTD,
  HW_INFO_VTD,
  HWPT_DATA_VTD_S1,
  HWPT_INVALIDATE_DATA_VTD_S1,
  HWPT_VTD_S1,
  HWPT_VTD_S1_INVALIDATE,
  PAGE_RESPONSE,
  PGFAULT,
} from '@faultline/iommufd';
import { expect, test } from 'vitest';
import { DEVICE, makeVtdLab, PLAIN_DEVICE, type VtdLab } from './vtd-lab.test-help.ts';

const PAGE = 4096;
/** Where the guest's memory is in its own eyes: its tables first, then data. */
const GUEST = 0x100_0000n;
const DATA = GUEST + 0x8000n;
const GUEST_PAGES = 32;
/** A guest's address whose indices are 0, 0, 1, 2. */
const VA = 0x20_2000;
const PRESENT = 0x7n;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function stageOne(values: { flags?: bigint; pgtblAddr?: bigint; addrWidth?: number }): Uint8Array {
  const bytes = new Uint8Array(HWPT_VTD_S1.bytes);
  encodeData(HWPT_VTD_S1, { pgtblAddr: GUEST, addrWidth: 48, ...values }, viewOf(bytes));
  return bytes;
}

function stale(addr: bigint, npages: bigint, flags = 0): Uint8Array {
  const bytes = new Uint8Array(HWPT_VTD_S1_INVALIDATE.bytes);
  encodeData(HWPT_VTD_S1_INVALIDATE, { addr, npages, flags }, viewOf(bytes));
  return bytes;
}

/** A guest with memory and four levels of tables, on a nesting parent. */
function makeGuest(lab: VtdLab) {
  const { iommufd } = lab;
  const { memory } = lab.caller(1);
  const at = memory.mmap(GUEST_PAGES * PAGE);
  const ioasId = iommufd.ioasAlloc();
  const length = BigInt(GUEST_PAGES * PAGE);
  iommufd.ioasMap({ ioasId, userVa: at, length, iova: GUEST });
  const write64 = (address: bigint, value: bigint): void => {
    const bytes = new Uint8Array(8);
    viewOf(bytes).setBigUint64(0, value, true);
    expect(memory.write(at + (address - GUEST), bytes)).toBe(true);
  };
  const tables = [0, 1, 2, 3].map((level) => GUEST + BigInt(level * PAGE));
  write64(tables[0], tables[1] | PRESENT);
  write64(tables[1], tables[2] | PRESENT);
  write64(tables[2] + 8n, tables[3] | PRESENT);
  const devId = iommufd.bind(DEVICE);
  const parentId = iommufd.hwptAlloc({ devId, ptId: ioasId, nestParent: true, dirtyTracking: true });
  return {
    ...{ devId, ioasId, parentId, length },
    /** Maps a guest's page to one of its data pages. */
    mapPage: (index: number, data: bigint) => write64(tables[3] + BigInt((2 + index) * 8), data | PRESENT),
    read(address: bigint, count: number): number[] {
      const bytes = new Uint8Array(count);
      memory.read(at + (address - GUEST), bytes);
      return [...bytes];
    },
    scratch: memory.mmap(PAGE),
    memory,
  };
}

function expectNothingLeft(lab: VtdLab): void {
  lab.iommufd.close();
  lab.driver.removeDevice(DEVICE);
  lab.driver.removeDevice(PLAIN_DEVICE);
  lab.driver.domains.settle();
  expect(lab.machine.live()).toEqual(Object.fromEntries(Object.keys(lab.machine.live()).map((name) => [name, 0])));
  expect(lab.ram.pinned()).toBe(0);
  expect(lab.driver.domains.pool.live()).toBe(0);
  expect(lab.driver.attached.list(() => true)).toEqual([]);
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

test.each([0, 5])(
  'a guest’s page table under PASID %i: fault, mend, invalidate, answer, and the bytes arrive',
  (pasid) => {
    const lab = makeVtdLab();
    const { iommufd } = lab;
    const guest = makeGuest(lab);
    const { devId, parentId, memory, scratch } = guest;
    const { faultId, faultFd } = iommufd.faultQueueAlloc();
    const nestedId = iommufd.hwptAlloc({
      ...{ devId, ptId: parentId, faultId, pasid: pasid !== 0 },
      ...{ dataType: HWPT_DATA_VTD_S1, data: stageOne({}) },
    });
    iommufd.attach(devId, nestedId, pasid);
    iommufd.setDirtyTracking(parentId, true);

    guest.mapPage(0, DATA);
    const device = lab.access(pasid);
    const sent = Uint8Array.from({ length: 2 * PAGE }, (_, i) => (i * 7 + 1) & 0xff);
    const write = device.write(VA, sent);
    expect(write.next().done).toBe(false); // waits for its second page

    const faults = iommufd.openFaultFile(faultFd);
    const { file } = faults;
    expect(file.read(memory, scratch, PGFAULT.bytes)).toBe(PGFAULT.bytes);
    const record = new Uint8Array(PGFAULT.bytes);
    memory.read(scratch, record);
    const view = viewOf(record);
    expect(view.getUint32(PGFAULT.devId, true)).toBe(devId);
    expect(view.getUint32(PGFAULT.pasid, true)).toBe(pasid);
    expect(view.getUint32(PGFAULT.perm, true)).toBe(3);
    expect(view.getBigUint64(PGFAULT.addr, true)).toBe(BigInt(VA + PAGE));

    guest.mapPage(1, DATA + 0x3000n);
    const invalidate = { hwptId: nestedId, dataType: HWPT_INVALIDATE_DATA_VTD_S1, entryBytes: 24 };
    const gone = { ...invalidate, entries: stale(BigInt(VA + PAGE), 1n, 1) };
    expect(iommufd.hwptInvalidate(gone)).toMatchObject({ handled: 1 });
    const answer = new Uint8Array(PAGE_RESPONSE.bytes);
    viewOf(answer).setUint32(PAGE_RESPONSE.cookie, view.getUint32(PGFAULT.cookie, true), true);
    memory.write(scratch, answer);
    expect(file.write(memory, scratch, PAGE_RESPONSE.bytes)).toBe(PAGE_RESPONSE.bytes);
    expect(write.next()).toEqual({ done: true, value: true });
    expect(guest.read(DATA, PAGE)).toEqual([...sent.subarray(0, PAGE)]);
    expect(guest.read(DATA + 0x3000n, PAGE)).toEqual([...sent.subarray(PAGE)]);

    // What the hardware kept it goes on using until the guest asks for it to be forgotten.
    expect(device.write(VA, Uint8Array.of(0x99)).next().value).toBe(true);
    guest.mapPage(0, DATA + 0x5000n);
    expect(device.write(VA, Uint8Array.of(0xaa)).next().value).toBe(true);
    expect(guest.read(DATA, 1)).toEqual([0xaa]);
    iommufd.hwptInvalidate({ ...invalidate, entries: stale(0n, 2n ** 64n - 1n) });
    expect(device.write(VA, Uint8Array.of(0xbb)).next().value).toBe(true);
    expect(guest.read(DATA + 0x5000n, 1)).toEqual([0xbb]);
    expect(guest.read(DATA, 1)).toEqual([0xaa]);
    const back = new Uint8Array(1);
    expect(device.read(VA, back).next().value).toBe(true);
    expect([...back]).toEqual([0xbb]);

    // Four tables whose accessed bits were set, and three pages that were written to.
    const range = { hwptId: parentId, iova: GUEST, length: guest.length, pageSize: BigInt(PAGE) };
    const dirty = [0b0000_1111, 0b0010_1001, 0, 0];
    expect([...iommufd.getDirtyBitmap(range)]).toEqual(dirty);
    expect([...iommufd.getDirtyBitmap(range)]).toEqual([0, 0, 0, 0]);

    iommufd.detach(devId, pasid);
    expect(lab.remapper.access(8, pasid === 0 ? -1 : pasid, VA / PAGE, false)).toBe(-1);
    iommufd.destroy(nestedId);
    faults.close();
    expectNothingLeft(lab);
  },
);

test('the capability registers are what the unit has, and reserved ranges are kept free', () => {
  const lab = makeVtdLab({ errata772415: true });
  const devId = lab.iommufd.bind(DEVICE);
  const { type, bytes, maxPasidLog2 } = lab.iommufd.getHwInfo(devId);
  expect([type, maxPasidLog2]).toEqual([HW_INFO_TYPE_INTEL_VTD, 10]);
  const info = decodeStruct(HW_INFO_VTD, viewOf(bytes));
  expect(info.flags).toBe(1);
  expect(info.capReg).toBe(0x11d2078c002f0406n); // as Linux's positions have it
  expect(info.ecapReg).toBe(0x0000ef64e4000046n);
  expect(refusal(() => lab.iommufd.getHwInfo(devId, 2))).toBe('EOPNOTSUPP in_data_type');
  const ioasId = lab.iommufd.ioasAlloc();
  lab.iommufd.attach(devId, ioasId);
  expect(lab.iommufd.ioasIovaRanges(ioasId).ranges).toEqual([
    { start: 0n, last: 0xfedfffffn },
    { start: 0xfef00000n, last: 2n ** 56n - 1n },
  ]);
  // Parents take no read-only mappings on parts with the erratum.
  const { memory } = lab.caller(1);
  const parentId = lab.iommufd.hwptAlloc({ devId, ptId: ioasId, nestParent: true });
  const userVa = memory.mmap(PAGE);
  const readOnly = { ioasId, userVa, length: BigInt(PAGE), iova: 0x1000n, writable: false };
  expect(refusal(() => lab.iommufd.ioasMap(readOnly))).toBe('EINVAL prot');
  lab.iommufd.destroy(parentId);
  lab.iommufd.ioasMap(readOnly);
  expectNothingLeft(lab);
});

test('what a guest passes wrong has its errno, and what came before it is done', () => {
  const lab = makeVtdLab({ capabilities: { srs: 0, eafs: 0, fl5lp: 0 } });
  const { iommufd } = lab;
  const { devId, ioasId, parentId } = makeGuest(lab);
  const plainId = iommufd.bind(PLAIN_DEVICE);
  const { faultId, faultFd } = iommufd.faultQueueAlloc();
  const nest = (data: Uint8Array, more = {}): number =>
    iommufd.hwptAlloc({ devId, ptId: parentId, dataType: HWPT_DATA_VTD_S1, data, ...more });
  expect(refusal(() => nest(stageOne({}), { dataType: 2 }))).toBe('EOPNOTSUPP data_type');
  expect(refusal(() => nest(stageOne({}).subarray(0, 20)))).toBe('EINVAL data_len');
  expect(refusal(() => nest(new Uint8Array(32)))).toBe('EINVAL data_len');
  expect(refusal(() => nest(stageOne({}), { dirtyTracking: true }))).toBe('EOPNOTSUPP flags');
  expect(refusal(() => nest(stageOne({}), { ptId: ioasId }))).toBe('EOPNOTSUPP data_type'); // a paging one takes no data
  // The rest is looked at when it is attached: and what was attached stays.
  iommufd.attach(devId, parentId);
  for (const [data, field] of [
    [stageOne({ addrWidth: 39 }), 'addr_width'],
    [stageOne({ addrWidth: 57 }), 'addr_width'],
    [stageOne({ flags: 1n }), 'flags'],
    [stageOne({ flags: 2n }), 'flags'],
  ] as const) {
    const id = nest(data);
    expect(refusal(() => iommufd.replace(devId, id))).toBe(`EINVAL ${field}`);
    iommufd.destroy(id);
  }
  expect(lab.remapper.access(8, -1, Number(DATA / 4096n), true)).toBeGreaterThan(0);
  const faulting = nest(stageOne({}), { faultId });
  expect(refusal(() => iommufd.attach(plainId, faulting))).toBe('ENODEV device');
  // An address that leads nowhere is the guest's own affair: its device faults.
  const nowhere = nest(stageOne({ pgtblAddr: 2n ** 52n - 4096n, flags: 4n }));
  iommufd.replace(devId, nowhere);
  expect(lab.remapper.access(8, -1, 0, false)).toBe(-3);
  iommufd.replace(devId, faulting);
  const forget = (entries: Uint8Array, more = {}) =>
    iommufd.hwptInvalidate({
      ...{ hwptId: faulting, dataType: HWPT_INVALIDATE_DATA_VTD_S1, entryBytes: 24, entries },
      ...more,
    });
  const two = (second: Uint8Array): Uint8Array => Uint8Array.of(...stale(0x1000n, 512n, 1), ...second);
  const reserved = stale(0n, 1n);
  viewOf(reserved).setUint32(20, 1, true);
  const max = 2n ** 64n - 1n;
  for (const [second, expected] of [
    [stale(0x1000n, 1n, 2), 'EOPNOTSUPP entry.flags'],
    [reserved, 'EOPNOTSUPP entry.reserved'],
    [stale(0x1001n, 1n), 'EINVAL entry.addr'],
    [stale(0x1000n, max), 'EINVAL entry.addr'],
  ] as const) {
    const { handled, refusal: error } = forget(two(second));
    expect([handled, `${error?.code} ${error?.field}`]).toEqual([1, expected]);
  }
  expect(forget(two(stale(2n ** 64n - 4096n, max - 1n))).handled).toBe(2);
  expect(forget(new Uint8Array(16), { entryBytes: 16 }).refusal?.field).toBe('entry_len');
  expect(forget(new Uint8Array(32), { entryBytes: 32 }).refusal?.field).toBe('entry_len');
  expect(forget(stale(0n, 1n), { dataType: 1 }).refusal?.field).toBe('data_type');
  expect(refusal(() => iommufd.viommuAlloc({ type: 1, devId, hwptId: parentId }))).toBe('EOPNOTSUPP type');
  iommufd.openFaultFile(faultFd).close();
  expectNothingLeft(lab);
});
