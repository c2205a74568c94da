// A guest's own page table on VT-d: its device writes to a page that the guest has not mapped, and the VMM's loop hands the fault to the guest.
// One thread plays all parts; the machine, a VT-d unit and an endpoint with PRI, is that of the driver's tests.
// Run: node packages/bench/examples/guest-fault.ts
import * as iommufd from '@faultline/iommufd';
import { DEVICE, makeVtdLab } from '../src/iommu-driver/vtd/vtd-lab.test-help.ts';

const PAGE = 4096;
const PASID = 5;
/** Where the guest's memory begins in its own eyes: four tables, then data. */
const GUEST = 0x100_0000n;
const GUEST_PAGES = 16;
const DATA = [GUEST + 0x8000n, GUEST + 0xb000n];
/** The virtual address that the guest's driver gave to the device: its table indices are 0, 0, 1, 2. */
const VA = 0x20_2000;
const PRESENT_WRITABLE_USER = 7n;
const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

// The machine: the VMM is a process, and its memory is the guest's.
const lab = makeVtdLab();
const vmm = lab.iommufd;
const { memory } = lab.caller(1);
const userVa = memory.mmap(GUEST_PAGES * PAGE);
const inVmm = (address: bigint): bigint => userVa + (address - GUEST);

/** The guest writes to its memory. */
function store(address: bigint, value: bigint): void {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  memory.write(inVmm(address), bytes);
}
const tables = [0, 1, 2, 3].map((level) => GUEST + BigInt(level * PAGE));
function guestMaps(va: number, data: bigint): void {
  store(tables[3] + BigInt(((va / PAGE) & 511) * 8), data | PRESENT_WRITABLE_USER);
  console.log(`guest: ${hex(va)} is at ${hex(data)}`);
}

// The VMM: what the guest takes for memory is an IOAS, its HWPT the second stage of everything the guest does.
const devId = vmm.bind(DEVICE);
const ioasId = vmm.ioasAlloc();
vmm.ioasMap({ ioasId, userVa, length: BigInt(GUEST_PAGES * PAGE), iova: GUEST });
const parentId = vmm.hwptAlloc({ devId, ptId: ioasId, nestParent: true });
console.log(`vmm: ${GUEST_PAGES} pages of the guest from ${hex(GUEST)} are the second stage, HWPT ${parentId}`);

// The guest makes its table and tells its IOMMU, which the VMM traps: the table is the first stage, used by the hardware as it stands.
store(tables[0], tables[1] | PRESENT_WRITABLE_USER);
store(tables[1], tables[2] | PRESENT_WRITABLE_USER);
store(tables[2] + 8n, tables[3] | PRESENT_WRITABLE_USER);
guestMaps(VA, DATA[0]);
const { faultId, faultFd } = vmm.faultQueueAlloc();
const root = new Uint8Array(iommufd.HWPT_VTD_S1.bytes);
iommufd.encodeData(iommufd.HWPT_VTD_S1, { pgtblAddr: tables[0], addrWidth: 48 }, new DataView(root.buffer));
const first = { dataType: iommufd.HWPT_DATA_VTD_S1, data: root, faultId, pasid: true };
const nestedId = vmm.hwptAlloc({ devId, ptId: parentId, ...first });
vmm.attach(devId, nestedId, PASID);
console.log(`vmm: the guest's table at ${hex(tables[0])} is the first stage of PASID ${PASID}, HWPT ${nestedId}`);

// The device writes two pages. The second is missing: it asks for it, and waits.
const sent = Uint8Array.from({ length: 2 * PAGE }, (_, i) => (i * 7 + 1) & 0xff);
const write = lab.access(PASID).write(VA, sent);
console.log(`device: writes ${sent.length} bytes to ${hex(VA)}, and ${write.next().done ? 'is done' : 'waits'}`);

// The VMM's loop: each fault goes to the guest, which mends its table, has what was kept of the page forgotten, and answers.
const faults = vmm.openFaultFile(faultFd);
for await (const group of faults) {
  const { addr, pasid } = group.fault;
  console.log(`vmm: device ${group.devId} asks for ${hex(addr)} of PASID ${pasid}`);
  guestMaps(Number(addr), DATA[1]);
  const stale = new Uint8Array(iommufd.HWPT_VTD_S1_INVALIDATE.bytes);
  const page = { addr, npages: 1n, flags: iommufd.VTD_INV_FLAGS_LEAF };
  iommufd.encodeData(iommufd.HWPT_VTD_S1_INVALIDATE, page, new DataView(stale.buffer));
  const dataType = iommufd.HWPT_INVALIDATE_DATA_VTD_S1;
  vmm.hwptInvalidate({ hwptId: nestedId, dataType, entryBytes: stale.length, entries: stale });
  console.log(`vmm: answers ${group.respond() ? 'Success' : 'too late'}`);
  if (write.next().done) break; // the device has its answer, and goes on
}
console.log('device: is done');

const arrived = DATA.map((data, i) => {
  const bytes = new Uint8Array(PAGE);
  memory.read(inVmm(data), bytes);
  return bytes.every((byte, at) => byte === sent[i * PAGE + at]);
});
console.log(`guest: the bytes are in RAM at ${DATA.map(hex).join(' and ')}: ${arrived.join(', ')}`);
vmm.detach(devId, PASID);
faults.close();
vmm.close();
console.log(`vmm: closed, ${lab.ram.pinned()} pages are pinned`);
process.exitCode = arrived.every(Boolean) && lab.ram.pinned() === 0 ? 0 : 1;
