import {
  HW_INFO_TYPE_AMD,
  HW_INFO_TYPE_ARM_SMMUV3,
  HW_INFO_TYPE_TEGRA241_CMDQV,
  HWPT_DATA_ARM_SMMUV3,
  HWPT_DATA_VTD_S1,
  VEVENTQ_TYPE_ARM_SMMUV3,
  VIOMMU_TYPE_TEGRA241_CMDQV,
} from '@faultline/iommufd';
import { expect, test } from 'vitest';
import { Guest, makeSmmuLab, READ_ONLY, refusal, SID, VSID } from './lab.test-help.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
/** A command's first word: opcode, StreamID or VMID | ASID << 16 above. */
const w0 = (op: number, high: number): bigint => BigInt(op) | (BigInt(high) << 32n);
const TLBI_NH_VA = 0x12;
const ASID = 9 << 16;

test('a device’s accesses pass both stages; a page that the guest lacks is asked for, mapped, invalidated and answered', async () => {
  const smmu = await makeSmmuLab();
  const { iommufd, turn } = smmu;
  const guest = new Guest(smmu);
  const dma = smmu.dma();
  const { faultId, faultFd } = iommufd.faultQueueAlloc();
  const faults = iommufd.openFaultFile(faultFd);
  guest.vdevice();
  const nestedId = guest.nested(0x100bn, 0n, faultId);
  guest.map(7, 9);
  guest.write(0x9010, text('stage 1 and 2'));
  iommufd.attach(guest.devId, nestedId);
  expect(dma.read(0x7010, 13)).toEqual(text('stage 1 and 2'));

  expect(dma.write(0x8020, text('after the fault'))).toBe(false);
  turn();
  const group = faults.next();
  if (group === undefined) throw new Error('no fault');
  expect([group.devId, group.count, dma.settle()]).toEqual([guest.devId, 1, undefined]);
  guest.map(8, 10);
  expect(guest.invalidate(w0(TLBI_NH_VA, ASID), 0x8000n)).toEqual([1, '']);
  group.respond();
  turn();
  expect(dma.settle()).toBe(true);
  expect(dma.write(0x8020, text('after the fault'))).toBe(true);
  expect(guest.read(0xa020, 15)).toEqual(text('after the fault'));

  guest.map(7, 11);
  guest.write(0xb010, text('elsewhere'));
  expect(dma.read(0x7010, 9)).toEqual(text('stage 1 a')); // kept until the guest says so
  expect(guest.invalidate(w0(TLBI_NH_VA, ASID), 0x7000n)).toEqual([1, '']);
  expect(dma.read(0x7010, 9)).toEqual(text('elsewhere'));

  guest.map(7, 12);
  guest.write(0xc010, text('of another entry'));
  iommufd.replace(guest.devId, guest.nested(0x100bn, 0n, faultId)); // nothing is kept of the one before
  expect(dma.read(0x7010, 16)).toEqual(text('of another entry'));

  // Detaching answers who still waits.
  expect(dma.read(0x6000, 1)).toBe(undefined);
  turn();
  iommufd.detach(guest.devId);
  turn();
  expect([dma.settle(), faults.next()]).toEqual([false, undefined]);
  expect(dma.read(0x7010, 9)).toBe(undefined);
  turn();
  expect(dma.settle()).toBe(false);
  faults.close();
  smmu.expectNothingLeft();
});

test('what does not stall is told to the guest by its own StreamID; what is stage 2’s is not, nor what comes after it has left', async () => {
  const smmu = await makeSmmuLab();
  const { iommufd, notes, turn } = smmu;
  const guest = new Guest(smmu);
  const dma = smmu.dma();
  const miss = (address: number, write = false): void => {
    expect(write ? dma.write(address, text('x')) || undefined : dma.read(address, 1)).toBe(undefined);
    turn();
    expect(dma.settle()).toBe(false);
  };
  guest.setContext({ s: 0 });
  guest.map(7, 9, READ_ONLY);
  guest.map(8, 0x1000); // past the guest's memory
  guest.vdevice();
  const { veventqFd } = iommufd.veventqAlloc({ viommuId: guest.viommuId, type: VEVENTQ_TYPE_ARM_SMMUV3, depth: 2 });
  const events = iommufd.openEventFile(veventqFd);
  const told = (): unknown[] => {
    const seen: unknown[] = [];
    for (let event = events.next(); event !== undefined; event = events.next()) {
      seen.push(event.isLost ? 'lost' : Array.from(new Uint32Array(event.payload.slice().buffer)));
    }
    return seen;
  };
  iommufd.attach(guest.devId, guest.nested());
  miss(0x7044, true);
  // F_TRANSLATION; w1: CLASS 2 in 41:40, a write; w2: the page.
  expect(told()).toEqual([[0x10, VSID, 0, 0x200, 0x7000, 0, 0, 0]]);
  miss(0x8000);
  expect([told(), notes.splice(0)]).toEqual([[], ['refused']]); // stage 2 stalls, and has no handler
  for (let i = 0; i < 3; i++) miss(0x6000);
  expect(told()).toEqual([[0x10, VSID, 0, 0x208, 0x6000, 0, 0, 0], [0x10, VSID, 0, 0x208, 0x6000, 0, 0, 0], 'lost']);
  // V = 0: the guest is to be told C_BAD_STE by who emulates it; the hardware aborts in silence.
  iommufd.replace(guest.devId, guest.nested(0n));
  miss(0x7000);
  // Bypass: the guest's own addresses are intermediate ones.
  iommufd.replace(guest.devId, guest.nested(0x9n));
  expect(dma.read(0x1004, 1)).toEqual(guest.read(0x1004, 1));
  iommufd.replace(guest.devId, guest.parentId);
  miss(0x1000_0000);
  expect([told(), notes]).toEqual([[], ['refused']]);
  events.close();
  iommufd.detach(guest.devId);
  smmu.expectNothingLeft();
});

test('a guest’s entry, flags, data and order of calls are checked as Linux does', async () => {
  const smmu = await makeSmmuLab();
  const { iommufd } = smmu;
  const guest = new Guest(smmu);
  const { devId, viommuId, parentId, ioasId } = guest;
  const entry = (ste0: bigint, ste1 = 0n): string => refusal(() => iommufd.destroy(guest.nested(ste0, ste1)));
  // w0: V 0, Config 3:1, S1Fmt 5:4, S1ContextPtr 51:6, S1CDMax 63:59; w1: S1DSS, S1CIR, S1COR, S1CSH 7:0, S1STALLD 27, EATS 28 (29: split).
  for (let bit = 0; bit < 64; bit++) {
    const isFirst = bit < 52 || bit >= 59;
    if (bit > 3) expect([bit, entry(0x9n | (1n << BigInt(bit)))]).toEqual([bit, isFirst ? '' : 'EIO ste']);
    const isSecond = bit <= 7 || bit === 27 || bit === 28;
    expect([bit, entry(0x100bn, 1n << BigInt(bit))]).toEqual([bit, isSecond ? '' : 'EIO ste']);
  }
  for (const config of [1n, 2n, 3n, 6n, 7n]) expect(entry(1n | (config << 1n))).toBe('EIO ste');
  expect(entry(-2n & (2n ** 64n - 1n), 0xffffn)).toBe(''); // without V nothing else counts
  const nested = (more: object): string => {
    const hwpt = { devId, ptId: viommuId, dataType: HWPT_DATA_ARM_SMMUV3, data: new Uint8Array(16), ...more };
    return refusal(() => iommufd.hwptAlloc(hwpt));
  };
  expect(nested({ pasid: true })).toBe('EOPNOTSUPP flags');
  expect(nested({ ptId: parentId })).toBe('EOPNOTSUPP pt_id');
  expect(nested({ dataType: HWPT_DATA_VTD_S1 })).toBe('EINVAL data_type');
  expect(nested({ data: new Uint8Array(8) })).toBe('EINVAL data_len');
  expect(nested({ data: new Uint8Array(24) })).toBe('EINVAL data_len');
  expect(refusal(() => iommufd.hwptAlloc({ devId, ptId: ioasId, nestParent: true, dirtyTracking: true }))).toBe(
    'EOPNOTSUPP flags',
  );
  expect(refusal(() => iommufd.viommuAlloc({ type: VIOMMU_TYPE_TEGRA241_CMDQV, devId, hwptId: parentId }))).toBe(
    'EOPNOTSUPP type',
  );
  const stage1 = guest.nested();
  expect(refusal(() => iommufd.attach(devId, stage1))).toBe('ENOENT dev_id');
  expect(refusal(() => iommufd.attach(devId, guest.nested(0x9n)))).toBe(''); // bypass needs no name
  iommufd.detach(devId);
  expect(refusal(() => iommufd.vdeviceAlloc({ viommuId, devId, virtId: 2n ** 20n }))).toBe('EINVAL virt_id');
  const vdevice = guest.vdevice();
  expect(iommufd.hwptInvalidate({ hwptId: stage1, dataType: 1, entryBytes: 16 }).refusal?.code).toBe('EOPNOTSUPP');
  const own = iommufd.hwptAlloc({ devId, ptId: ioasId, pasid: true });
  iommufd.attach(devId, own, 3);
  expect(refusal(() => iommufd.attach(devId, stage1))).toBe('EINVAL pt_id');
  iommufd.detach(devId, 3);
  iommufd.attach(devId, stage1);
  iommufd.destroy(vdevice); // as Linux has it: the stream goes on
  iommufd.detach(devId);
  smmu.expectNothingLeft();
});

test('a guest’s commands: those it may give are done in order, the first other one ends it, and says how many were', async () => {
  const smmu = await makeSmmuLab();
  const { iommufd } = smmu;
  const guest = new Guest(smmu);
  guest.vdevice();
  guest.map(7, 9);
  guest.write(0x9000, text('a'));
  guest.write(0xa000, text('b'));
  iommufd.attach(guest.devId, guest.nested());
  const dma = smmu.dma();
  const allowed = [0x05, 0x06, 0x10, 0x11, 0x12, 0x13, 0x30, 0x40];
  for (let op = 0; op < 256; op++) {
    const high = op === 5 || op === 6 || op === 0x40 ? VSID : 0;
    expect([op, guest.invalidate(w0(op, high), op === 5 ? 1n : 0n)]).toEqual([
      op,
      allowed.includes(op) ? [1, ''] : [0, 'EIO'],
    ]);
  }
  expect(dma.read(0x7000, 1)).toEqual(text('a'));
  guest.map(7, 10);
  // More than a batch of 63, a stream that is not the guest's at 70: what came before is done.
  const commands = Array.from({ length: 80 }, (_, i) => [w0(i === 70 ? 0x05 : TLBI_NH_VA, ASID), BigInt(i) << 12n]);
  expect(guest.invalidate(...commands.flat())).toEqual([70, 'EIO']);
  expect(dma.read(0x7000, 1)).toEqual(text('b'));
  const ask = (more: object): string => {
    const call = { hwptId: guest.viommuId, dataType: 1, entryBytes: 16, entries: new Uint8Array(16), ...more };
    const { handled, refusal: error } = iommufd.hwptInvalidate(call);
    return `${handled} ${error?.code} ${error?.field}`;
  };
  expect(ask({ dataType: 0 })).toBe('0 EINVAL data_type');
  expect(ask({ dataType: 0, entries: undefined })).toBe('0 EINVAL data_type');
  expect(ask({ entryBytes: 24, entries: Uint8Array.of(0x10, ...new Array(22).fill(0), 1) })).toBe('0 E2BIG entry_len');
  expect(ask({ entryBytes: 24, entries: Uint8Array.of(0x10, ...new Array(23).fill(0)) })).toBe('1 undefined undefined');
  expect(ask({ entryBytes: 8, entries: Uint8Array.of(0x10, ...new Array(7).fill(0)) })).toBe('1 undefined undefined');
  iommufd.detach(guest.devId);
  smmu.expectNothingLeft();
});

test('the registers are told, and types that the SMMU lacks refused', async () => {
  const smmu = await makeSmmuLab({ vcmdqs: 4 });
  const devId = smmu.iommufd.bind(1);
  const info = smmu.iommufd.getHwInfo(devId);
  expect([info.type, info.bytes.length, info.maxPasidLog2, info.capabilities]).toEqual([
    HW_INFO_TYPE_ARM_SMMUV3,
    40,
    4,
    9n, // dirty tracking; no ATS
  ]);
  const [flags, reserved, idr0] = new Uint32Array(info.bytes.slice().buffer);
  expect([flags, reserved, idr0 & 3]).toEqual([0, 0, 3]); // both stages
  const tegra = smmu.iommufd.getHwInfo(devId, HW_INFO_TYPE_TEGRA241_CMDQV);
  expect([tegra.type, ...tegra.bytes]).toEqual([HW_INFO_TYPE_TEGRA241_CMDQV, 0, 0, 0, 0, 1, 2, 4, 0]);
  expect(refusal(() => smmu.iommufd.getHwInfo(devId, HW_INFO_TYPE_AMD))).toBe('EOPNOTSUPP data_type');
  smmu.expectNothingLeft();
});

test('PASIDs: the host’s have a context each; a guest’s are in the guest’s table, and their faults go to its domain', async () => {
  const smmu = await makeSmmuLab();
  const { iommufd, turn } = smmu;
  const guest = new Guest(smmu);
  const { devId, ioasId } = guest;
  const dma = smmu.dma(3);
  guest.write(0x6000, text('six'));
  const own = iommufd.hwptAlloc({ devId, ptId: ioasId, pasid: true });
  iommufd.attach(devId, own, 3);
  expect(dma.read(0x6000, 3)).toEqual(text('six'));
  expect(smmu.dma().read(0x6000, 3)).toBe(undefined); // nothing is attached without one
  turn();
  expect(smmu.dma().settle()).toBe(false);
  expect(refusal(() => iommufd.attach(devId, guest.parentId, 2))).toBe('EINVAL pt_id');
  iommufd.detach(devId, 3);
  expect(dma.read(0x6000, 3)).toBe(undefined);
  turn();
  expect(dma.settle()).toBe(false);

  const { faultId, faultFd } = iommufd.faultQueueAlloc();
  const faults = iommufd.openFaultFile(faultFd);
  guest.vdevice();
  guest.setContext({}, 3);
  // Four descriptors (S1CDMax 2), those without a PASID using the first (S1DSS 2).
  iommufd.attach(devId, guest.nested(0x100bn | (2n << 59n), 2n, faultId));
  expect(dma.read(0x7000, 1)).toBe(undefined);
  turn();
  const group = faults.next();
  if (group === undefined) throw new Error('no fault');
  expect([group.devId, group.fault.pasid, group.fault.addr]).toEqual([devId, 3, 0x7000n]);
  guest.map(7, 6);
  group.respond();
  turn();
  expect([dma.settle(), dma.read(0x7000, 3)]).toEqual([true, text('six')]);
  faults.close();
  iommufd.detach(devId);
  smmu.expectNothingLeft();
});

test('what devices wrote is found, found again after it was cleaned, and gone with the mapping', async () => {
  const smmu = await makeSmmuLab();
  const { iommufd, lab, turn } = smmu;
  const dma = smmu.dma();
  const devId = iommufd.bind(1);
  const ioasId = iommufd.ioasAlloc();
  const userVa = lab.processes[0].mmap(0x10000);
  iommufd.ioasMap({ ioasId, userVa, length: 0x10000n, iova: 0x100000n });
  const hwptId = iommufd.hwptAlloc({ devId, ptId: ioasId, dirtyTracking: true });
  iommufd.attach(devId, hwptId);
  iommufd.setDirtyTracking(hwptId, true);
  const dirty = (noClear = false): number[] => [
    ...iommufd.getDirtyBitmap({ hwptId, iova: 0x100000n, length: 0x10000n, pageSize: 4096n, noClear }),
  ];
  for (const page of [2, 9]) expect(dma.write(0x100000 + page * 4096, text('w'))).toBe(true);
  expect(dma.read(0x104000, 1)).toEqual(Uint8Array.of(0));
  expect([dirty(true), dirty(), dirty()]).toEqual([
    [4, 2],
    [4, 2],
    [0, 0],
  ]);
  expect(dma.write(0x102000, text('w'))).toBe(true); // the translation that it had is gone
  expect(dirty()).toEqual([4, 0]);
  iommufd.ioasUnmap({ ioasId, iova: 0x100000n, length: 0x10000n });
  expect(dma.read(0x102000, 1)).toBe(undefined);
  turn();
  expect(dma.settle()).toBe(false);
  iommufd.detach(devId);
  smmu.expectNothingLeft();
});

test('what the queue holds of a stream before it is the guest’s, the guest is not told', async () => {
  const smmu = await makeSmmuLab({ devices: [{ streamId: SID, canStall: false }] });
  const { iommufd, machinery, notes } = smmu;
  const guest = new Guest(smmu);
  guest.vdevice();
  const { veventqFd } = iommufd.veventqAlloc({ viommuId: guest.viommuId, type: VEVENTQ_TYPE_ARM_SMMUV3, depth: 2 });
  const events = iommufd.openEventFile(veventqFd);
  iommufd.attach(guest.devId, guest.ioasId);
  expect(smmu.dma().read(0x1000_0000, 1)).toBe(undefined);
  machinery.pump(64); // recorded, and nobody has looked
  iommufd.replace(guest.devId, guest.nested());
  smmu.turn();
  expect([notes, events.next()]).toEqual([['events'], undefined]);
  events.close();
  smmu.expectNothingLeft();
});
