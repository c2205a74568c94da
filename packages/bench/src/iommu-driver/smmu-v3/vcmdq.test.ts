import {
  HW_QUEUE_TYPE_TEGRA241_CMDQV,
  MMAP_SHARED,
  mmapRegion,
  unmapRegion,
  VIOMMU_TYPE_TEGRA241_CMDQV,
} from '@faultline/iommufd';
import { expect, test } from 'vitest';
import { Guest, makeSmmuLab, refusal, VSID } from './lab.test-help.ts';

const PAGE = 0x10000n;
/** Of a queue's block of registers, in words. */
const [CONS, PROD, CONFIG, STATUS, GERROR, GERRORN] = [0, 1, 2, 3, 4, 5];
const QUEUE = 0x10000;
const TLBI_NH_VA = 0x12n | (9n << 48n);
const SYNC = 0x46n;
const CFGI_CD = 0x05n | (BigInt(VSID) << 32n);

test('a guest’s own queue: mapped registers, commands read from its memory and done without the host', async () => {
  const smmu = await makeSmmuLab({ vcmdqs: 2 });
  const { iommufd, context, lab, turn } = smmu;
  const data = new Uint8Array(16);
  const guest = new Guest(smmu, VIOMMU_TYPE_TEGRA241_CMDQV, data);
  const [offset, length] = new BigUint64Array(data.buffer);
  expect([offset > 0n, length]).toEqual([true, PAGE]);
  const region = mmapRegion(context, offset, length, MMAP_SHARED);
  const registers = new Int32Array(lab.ram.bytes.buffer, region.physical, Number(PAGE) / 4);
  const { viommuId, devId } = guest;
  const make = (index: number, iova = QUEUE, bytes = 256): number =>
    iommufd.hwQueueAlloc({
      ...{ viommuId, type: HW_QUEUE_TYPE_TEGRA241_CMDQV, index },
      ...{ iova: BigInt(iova), length: BigInt(bytes) },
    });
  const refused = (...args: Parameters<typeof make>): string => refusal(() => make(...args));
  expect(refused(2)).toBe('EINVAL index');
  expect(refused(1)).toBe('EIO index'); // in ascending order
  expect([refused(0, QUEUE, 48), refused(0, QUEUE, 16), refused(0, QUEUE + 32)]).toEqual(
    new Array(3).fill('EINVAL index'),
  );
  expect(refused(0, Guest.PAGES * 4096)).toBe('ENOENT nesting_parent_iova');
  const first = make(0);
  expect(refused(0)).toBe('EEXIST index');
  const second = make(1, QUEUE + 4096);
  expect(refusal(() => iommufd.destroy(first))).toBe('EBUSY id');
  expect(refusal(() => iommufd.destroy(viommuId))).toBe('EBUSY id');

  guest.vdevice();
  guest.map(7, 9);
  guest.write(0x9000, Uint8Array.of(9));
  guest.write(0xa000, Uint8Array.of(10));
  iommufd.attach(devId, guest.nested());
  const dma = smmu.dma();
  expect(dma.read(0x7000, 1)).toEqual(Uint8Array.of(9));
  guest.map(7, 10);
  const put = (slot: number, w0: bigint, w1: bigint): void =>
    guest.write(QUEUE + slot * 16, new Uint8Array(BigUint64Array.of(w0, w1).buffer));
  put(0, TLBI_NH_VA, 0x7000n);
  put(1, SYNC, 0n);
  registers[PROD] = 2;
  turn();
  expect([registers[STATUS], registers[CONS]]).toEqual([0, 0]); // it is off
  registers[CONFIG] = 1;
  turn();
  expect([registers[STATUS], registers[CONS], dma.read(0x7000, 1)]).toEqual([1, 2, Uint8Array.of(10)]);

  // What is not for such a queue stops it, until that is acknowledged; the host's way takes it.
  put(2, CFGI_CD, 1n);
  put(3, SYNC, 0n);
  registers[PROD] = 4;
  turn();
  expect([registers[CONS] & 0xff, registers[CONS] >>> 24, registers[GERROR] ^ registers[GERRORN]]).toEqual([2, 1, 1]);
  expect(guest.invalidate(CFGI_CD, 1n)).toEqual([1, '']);
  put(2, SYNC, 0n);
  registers[GERRORN] = registers[GERROR];
  turn();
  expect(registers[CONS]).toBe(4);

  iommufd.destroy(second);
  iommufd.destroy(first);
  expect([registers[STATUS], registers[CONFIG], registers[PROD]]).toEqual([0, 0, 0]);
  make(0); // as new
  registers[CONFIG] = 1;
  turn();
  expect([registers[STATUS], registers[CONS]]).toEqual([1, 0]);
  unmapRegion(context, region);
  iommufd.detach(devId);
  smmu.expectNothingLeft();
});

test('without data, or of the wrong length, there is no such vIOMMU; a plain one has no queues', async () => {
  const smmu = await makeSmmuLab({ vcmdqs: 2 });
  const guest = new Guest(smmu);
  const { devId, parentId, viommuId } = guest;
  const make = (data?: Uint8Array): string => {
    const viommu = { type: VIOMMU_TYPE_TEGRA241_CMDQV, devId, hwptId: parentId };
    return refusal(() => smmu.iommufd.viommuAlloc(data === undefined ? viommu : { ...viommu, data }));
  };
  expect([make(), make(new Uint8Array(8)), make(new Uint8Array(24))]).toEqual(new Array(3).fill('EINVAL data_len'));
  const queue = { viommuId, type: HW_QUEUE_TYPE_TEGRA241_CMDQV, index: 0, iova: 0x10000n, length: 256n };
  expect(refusal(() => smmu.iommufd.hwQueueAlloc(queue))).toBe('EOPNOTSUPP type');
  // Every allocation on the way fails in turn: nothing is left of it.
  const { machine, ram } = smmu.lab;
  const [used, live] = [ram.used(), machine.live()];
  for (let nth = 1; ; nth++) {
    machine.fail.arm(nth);
    const outcome = make(new Uint8Array(16));
    if (machine.fail.failedAt === '') break;
    expect([outcome.slice(0, 6), ram.used(), machine.live()]).toEqual(['ENOMEM', used, live]);
  }
  smmu.expectNothingLeft();
});
