import { expect, test } from 'vitest';
import { PAGE_BYTES } from '../../caller/index.ts';
import { Iommufd } from '../../iommufd.ts';
import { createMockLab, openMockLab } from '../mock-lab.ts';
import { MOCK_APERTURE_START } from './constants.ts';
import { MockDma } from './dma.ts';

test('a device reads and writes across pages where it is mapped, dirties what it writes, and faults elsewhere', () => {
  const lab = openMockLab(createMockLab());
  lab.driver.addDevice(1, 0);
  const { memory } = lab.caller(1);
  const iommufd = Iommufd.open(lab.machine, lab.caller(1));
  const dma = new MockDma(lab, 1);
  const devId = iommufd.bind(1);
  const ioasId = iommufd.ioasAlloc();
  const hwptId = iommufd.hwptAlloc({ devId, ptId: ioasId, dirtyTracking: true });
  const iova = MOCK_APERTURE_START;
  const length = BigInt(2 * PAGE_BYTES);
  const userVa = memory.mmap(Number(length));
  iommufd.ioasMap({ ioasId, userVa, length, iova });
  expect(dma.write(iova, Uint8Array.of(1))).toBe(false); // attached to nothing
  iommufd.attach(devId, hwptId);
  iommufd.setDirtyTracking(hwptId, true);
  const across = iova + BigInt(PAGE_BYTES - 2);
  expect(dma.write(across, Uint8Array.of(1, 2, 3, 4))).toBe(true);
  const bytes = new Uint8Array(4);
  memory.read(userVa + BigInt(PAGE_BYTES - 2), bytes);
  expect([...bytes]).toEqual([1, 2, 3, 4]);
  expect(dma.read(across, bytes.fill(0))).toBe(true);
  expect([...bytes]).toEqual([1, 2, 3, 4]);
  // By pages of 2 KiB: the two that meet in the middle.
  expect([...iommufd.getDirtyBitmap({ hwptId, iova, length, pageSize: 2048n })]).toEqual([0b0110]);
  expect(dma.write(iova + length - 1n, Uint8Array.of(9, 9))).toBe(false);
  memory.read(userVa + length - 1n, bytes.subarray(0, 1));
  expect(bytes[0]).toBe(9); // what lies before the fault is written
  iommufd.close();
});
