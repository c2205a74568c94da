// An IOAS as a legacy VFIO container, version 1 and 2.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  CAP_HEADER,
  CAP_IOVA_RANGE,
  INFO,
  VFIO_DMA_UNMAP_FLAG_ALL,
  VFIO_INFO_CAP_DMA_AVAIL,
  VFIO_INFO_CAP_IOVA_RANGE,
  VFIO_IOMMU_GET_INFO,
  VFIO_IOMMU_INFO_CAPS,
  VFIO_IOMMU_INFO_PGSIZES,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_UNMAP_DMA,
  VFIO_SET_IOMMU,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1V2_IOMMU,
} from '../compat/index.ts';
import { OPTION, OPTION_HUGE_PAGES, OPTION_OP_GET, VFIO_IOAS, VFIO_IOAS_SET } from '../uapi/index.ts';
import { APERTURE, APERTURE_LAST, expectMapped, ioasAlloc, type MockDomain, mockDomain } from './actions.test-help.ts';
import { variants } from './inventory.ts';
import { type Device, errnoName, HUGE, PAGE, System } from './system.test-help.ts';

const VARIANTS = variants('vfio_compat_mock_domain', { Ver1v2: VFIO_TYPE1V2_IOMMU, Ver1v0: VFIO_TYPE1_IOMMU });
const BUFFER = 16 * PAGE;

describe.each(VARIANTS)('vfio_compat_mock_domain.%s', (_name, version) => {
  const canCut = version === VFIO_TYPE1_IOMMU;
  let system: System;
  let device: Device;
  let ioas: number;
  let mock: MockDomain;
  beforeEach(() => {
    system = new System();
    device = system.process.open();
    ioas = ioasAlloc(device);
    device.call(VFIO_IOAS, { op: VFIO_IOAS_SET, ioasId: ioas });
    mock = mockDomain(device, ioas);
    expect(system.process.ioctl(device.fd, VFIO_SET_IOMMU, BigInt(version))).toBe(0);
  });
  afterEach(() => system.expectNothingLeft());

  const struct = (flags: number, ...more: readonly bigint[]): bigint => {
    const bytes = new Uint8Array(8 + more.length * 8);
    bytes.set(new Uint8Array(Uint32Array.of(bytes.length, flags).buffer));
    bytes.set(new Uint8Array(BigUint64Array.from(more).buffer), 8);
    return system.process.place(bytes);
  };
  const map = (vaddr: bigint, iova: bigint, size: number, flags: number = 3): string =>
    errnoName(system.process.ioctl(device.fd, VFIO_IOMMU_MAP_DMA, struct(flags, vaddr, iova, BigInt(size))));
  /** @returns errno, and bytes that were unmapped. */
  const unmap = (iova: bigint, size: number, flags: number = 0): [string, number] => {
    const at = struct(flags, iova, BigInt(size));
    const errno = errnoName(system.process.ioctl(device.fd, VFIO_IOMMU_UNMAP_DMA, at));
    return [errno, Number(new DataView(system.process.bytes(at, 24).buffer).getBigUint64(16, true))];
  };

  test('simple_close', () => {
    expect(system.lab.machine.live().ioas).toBe(1);
  });

  test('option_huge_pages', () => {
    const args = { optionId: OPTION_HUGE_PAGES, op: OPTION_OP_GET, objectId: ioas, val64: 3n };
    expect(device.call(OPTION, args).val64).toBe(canCut ? 0n : 1n);
  });

  test('get_info', () => {
    const { process } = system;
    const info = (argsz: number): DataView<ArrayBuffer> => {
      const at = process.place(new Uint8Array(256));
      process.memory.write(at, new Uint8Array(Uint32Array.of(argsz).buffer));
      expect(process.ioctl(device.fd, VFIO_IOMMU_GET_INFO, at)).toBe(0);
      return new DataView(process.bytes(at, 256).buffer);
    };
    const short = info(INFO.bytes);
    expect(short.getUint32(INFO.flags, true)).toBe(VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS);
    expect(short.getBigUint64(INFO.iovaPgsizes, true)).not.toBe(0n);
    expect(short.getUint32(INFO.capOffset, true)).toBe(0); // there is no room for them: argsz says how much they want
    const whole = info(short.getUint32(INFO.argsz, true));
    const caps = new Map<number, number>();
    for (let at = whole.getUint32(INFO.capOffset, true); at !== 0; at = whole.getUint32(at + CAP_HEADER.next, true)) {
      expect(whole.getUint16(at + CAP_HEADER.version, true)).toBe(1);
      caps.set(whole.getUint16(at + CAP_HEADER.id, true), at);
    }
    expect([...caps.keys()].sort()).toEqual([VFIO_INFO_CAP_IOVA_RANGE, VFIO_INFO_CAP_DMA_AVAIL]);
    const ranges = caps.get(VFIO_INFO_CAP_IOVA_RANGE) as number;
    expect(whole.getUint32(ranges + CAP_IOVA_RANGE.count, true)).toBe(1);
    expect(whole.getBigUint64(ranges + CAP_IOVA_RANGE.bytes, true)).toBe(APERTURE);
    expect(whole.getBigUint64(ranges + CAP_IOVA_RANGE.bytes + 8, true)).toBe(APERTURE_LAST);
  });

  test('map', () => {
    const buffer = system.process.memory.mmap(BUFFER);
    expect(map(buffer, APERTURE, BUFFER)).toBe('');
    expectMapped(device, mock.hwpt, APERTURE, buffer, BUFFER);
    expect(map(buffer, APERTURE, BUFFER)).toBe('EEXIST');
    expect(unmap(APERTURE, BUFFER)).toEqual(['', BUFFER]);
    expect(map(buffer, APERTURE, BUFFER)).toBe('');
    expect(unmap(APERTURE, 0, VFIO_DMA_UNMAP_FLAG_ALL)[0]).toBe('EINVAL');
    expect(unmap(0n, BUFFER, VFIO_DMA_UNMAP_FLAG_ALL)[0]).toBe('EINVAL');
    expect(unmap(0n, 0, VFIO_DMA_UNMAP_FLAG_ALL)).toEqual(['', BUFFER]);
    expect(unmap(0n, 0, VFIO_DMA_UNMAP_FLAG_ALL)).toEqual(['', 0]);
    expect(unmap(APERTURE, BUFFER)).toEqual(['', 0]);
  });

  test('huge_map', () => {
    const buffer = system.process.memory.mmap(HUGE, { huge: true });
    expect(map(buffer, APERTURE, HUGE)).toBe('');
    expectMapped(device, mock.hwpt, APERTURE, buffer, HUGE);
    const quarter = HUGE / 4;
    if (canCut) {
      // The middle, then both ends.
      expect(unmap(APERTURE + BigInt(quarter), 2 * quarter)).toEqual(['', 2 * quarter]);
      expectMapped(device, mock.hwpt, APERTURE, buffer, quarter);
      expectMapped(device, mock.hwpt, APERTURE + BigInt(3 * quarter), buffer + BigInt(3 * quarter), quarter);
      expect(unmap(APERTURE, quarter)).toEqual(['', quarter]);
      expect(unmap(APERTURE + BigInt(3 * quarter), quarter)).toEqual(['', quarter]);
      return;
    }
    for (let i = 0; i < 4; i++) expect(unmap(APERTURE + BigInt(i * quarter), quarter)).toEqual(['ENOENT', 0]); // an area goes whole
    expect(unmap(APERTURE, HUGE)).toEqual(['', HUGE]);
  });
});
