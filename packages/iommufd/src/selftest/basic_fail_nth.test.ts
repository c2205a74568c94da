// Each allocation of a sequence of calls fails once, from the first to the last, until the sequence comes through untouched: every refusal
// is one that is documented, and nothing is left behind.
import { IommuError } from '@faultline/core/errors';
import { describe, expect, test } from 'vitest';
import {
  MOCK_DEV_PASID,
  MOCK_HW_QUEUE_TYPE,
  MOCK_HWPT_DATA_TYPE,
  MOCK_VEVENTQ_TYPE,
  MOCK_VIOMMU_TYPE,
} from '../testing/mock/index.ts';
import {
  ACCESS_NEEDS_PIN,
  ACCESS_RW_SLOW_PATH,
  ACCESS_RW_WRITE,
  TEST_ACCESS_PAGES,
  TEST_ACCESS_RW,
  TEST_CREATE_ACCESS,
  TEST_DESTROY_ACCESS_PAGES,
  TEST_MOCK_DOMAIN_FLAGS,
  TEST_MOCK_DOMAIN_REPLACE,
  TEST_PASID_ATTACH,
  TEST_PASID_DETACH,
  TEST_PASID_REPLACE,
  TEST_SET_TEMP_MEMORY_LIMIT,
  TEST_TRIGGER_IOPF,
  TEST_TRIGGER_VEVENT,
} from '../testing/test-commands/index.ts';
import {
  FAULT_QUEUE_ALLOC,
  GET_HW_INFO,
  HW_QUEUE_ALLOC,
  HWPT_ALLOC_NEST_PARENT,
  HWPT_ALLOC_PASID,
  HWPT_FAULT_ID_VALID,
  IOAS_ALLOW_IOVAS,
  IOAS_COPY,
  IOAS_IOVA_RANGES,
  IOAS_MAP_FILE,
  IOAS_UNMAP,
  PGFAULT,
  VDEVICE_ALLOC,
  VEVENTQ_ALLOC,
  VIOMMU_ALLOC,
} from '../uapi/index.ts';
import { APERTURE, destroy, hwptAlloc, ioasAlloc, map, mapFixed, mockDomain, RW, unmap } from './actions.test-help.ts';
import { type Device, errnoName, PAGE, Refused, System } from './system.test-help.ts';

/** Memory that a pin asks for, and a descriptor: nothing else is ever short. */
const DOCUMENTED = ['ENOMEM', 'EMFILE'];
const MOST = 400;
const BUFFER = 64 * PAGE;
const MAPPED = 16 * PAGE;

/** What a sequence has to work with. */
interface Bench {
  readonly system: System;
  readonly buffer: bigint;
  /** A memfd's number, of as much as is mapped. */
  readonly file: number;
  /** 256 bytes, zeroed. */
  readonly scratch: bigint;
  /** From here on allocations fail. */
  enable(): void;
}

/** Runs a sequence with its n-th allocation failing, for every n. @returns how many allocations it makes. */
function sweep(sequence: (bench: Bench) => void): number {
  const system = new System();
  const { fail } = system.lab.machine;
  const buffer = system.process.memory.mmap(BUFFER);
  const scratch = system.process.place(new Uint8Array(256));
  const file = system.process.makeFile(MAPPED).number;
  const used = system.lab.ram.used();
  const seen = new Set<string>();
  for (let nth = 1; nth < MOST; nth++) {
    let errno = '';
    try {
      sequence({ system, buffer, file, scratch, enable: () => fail.arm(nth) });
    } catch (error) {
      if (!(error instanceof Refused) && !(error instanceof IommuError)) throw error;
      errno = error instanceof Refused ? error.errno : error.code;
    }
    const failedAt = fail.failedAt;
    fail.arm(0);
    if (failedAt !== '') expect(DOCUMENTED, `${failedAt} fails with ${errno}`).toContain(errno);
    system.closeAll();
    expect(system.lab.ram.used(), failedAt).toBe(used);
    if (failedAt === '') {
      expect(errno).toBe('');
      expect(seen.size).toBeGreaterThan(0);
      system.expectNothingLeft();
      return nth - 1;
    }
    seen.add(failedAt);
  }
  throw new Error(`more than ${MOST} allocations`);
}

describe('basic_fail_nth', () => {
  test('basic', () => {
    const count = sweep(({ system, buffer, scratch, enable }) => {
      enable();
      const device = system.process.open();
      const ioas = ioasAlloc(device);
      device.call(IOAS_IOVA_RANGES, { ioasId: ioas, numIovas: 10, allowedIovas: scratch });
      system.process.memory.write(scratch, new Uint8Array(BigUint64Array.of(BigInt(4 * PAGE), 2n ** 30n - 1n).buffer));
      device.call(IOAS_ALLOW_IOVAS, { ioasId: ioas, numIovas: 1, allowedIovas: scratch });
      const iova = map(device, ioas, buffer, BUFFER);
      const copy = { flags: RW, dstIoasId: ioas, srcIoasId: ioas, srcIova: iova, length: 160n };
      device.call(IOAS_COPY, copy);
      unmap(device, ioas, iova, BUFFER);
      expect(device.errno(IOAS_UNMAP, { ioasId: ioas, iova, length: BigInt(BUFFER) })).toBe('ENOENT');
    });
    expect(count).toBeGreaterThan(5);
  });

  const withLimit = (system: System): { readonly device: Device; readonly ioas: number } => {
    const device = system.process.open();
    device.call(TEST_SET_TEMP_MEMORY_LIMIT, { limit: 32 });
    return { device, ioas: ioasAlloc(device) };
  };

  test('map_domain', () => {
    const count = sweep(({ system, buffer, enable }) => {
      const { device, ioas } = withLimit(system);
      enable();
      const { stdev } = mockDomain(device, ioas);
      map(device, ioas, buffer, MAPPED);
      destroy(device, stdev);
      mockDomain(device, ioas);
    });
    expect(count).toBeGreaterThan(2 * (MAPPED / PAGE)); // every pin, twice
  });

  test('map_file_domain', () => {
    sweep(({ system, file, enable }) => {
      const fd = system.process.openFile(file);
      const { device, ioas } = withLimit(system);
      enable();
      const { stdev } = mockDomain(device, ioas);
      device.call(IOAS_MAP_FILE, { flags: RW, ioasId: ioas, fd, length: BigInt(MAPPED) });
      destroy(device, stdev);
      mockDomain(device, ioas);
    });
  });

  test('map_two_domains', () => {
    sweep(({ system, buffer, enable }) => {
      const { device, ioas } = withLimit(system);
      const { stdev } = mockDomain(device, ioas);
      enable();
      const { stdev: second } = mockDomain(device, ioas);
      map(device, ioas, buffer, MAPPED);
      destroy(device, stdev);
      destroy(device, second);
      for (let i = 0; i < 2; i++) mockDomain(device, ioas);
    });
  });

  test('access_rw', () => {
    sweep(({ system, buffer, scratch, enable }) => {
      const { device, ioas } = withLimit(system);
      const iova = map(device, ioas, buffer, MAPPED);
      enable();
      const id = device.call(TEST_CREATE_ACCESS, { id: ioas }).outAccessFd;
      const rw = { id, iova, length: 64n, uptr: scratch };
      for (const flags of [0, ACCESS_RW_WRITE, ACCESS_RW_SLOW_PATH, ACCESS_RW_SLOW_PATH | ACCESS_RW_WRITE])
        device.call(TEST_ACCESS_RW, { ...rw, flags });
      device.call(TEST_ACCESS_RW, { ...rw, length: BigInt(2 * PAGE), uptr: buffer });
      system.process.files.close(id);
    });
  });

  const pinAll = (device: Device, id: number, iova: bigint, uptr: bigint): void => {
    const args = { id, iova, length: BigInt(MAPPED), uptr };
    const { outAccessPagesId: accessPagesId } = device.call(TEST_ACCESS_PAGES, args);
    device.call(TEST_DESTROY_ACCESS_PAGES, { id, accessPagesId });
  };

  test('access_pin', () => {
    sweep(({ system, buffer, enable }) => {
      const { device, ioas } = withLimit(system);
      const iova = map(device, ioas, buffer, MAPPED);
      const id = device.call(TEST_CREATE_ACCESS, { id: ioas, flags: ACCESS_NEEDS_PIN }).outAccessFd;
      enable();
      pinAll(device, id, iova, buffer);
    });
  });

  test('access_pin_domain', () => {
    sweep(({ system, buffer, enable }) => {
      const { device, ioas } = withLimit(system);
      const { stdev } = mockDomain(device, ioas);
      const iova = map(device, ioas, buffer, MAPPED);
      const id = device.call(TEST_CREATE_ACCESS, { id: ioas, flags: ACCESS_NEEDS_PIN }).outAccessFd;
      enable();
      pinAll(device, id, iova, buffer);
      system.process.files.close(id);
      destroy(device, stdev);
    });
  });

  test('device', () => {
    const count = sweep(({ system, buffer, scratch, enable }) => {
      const { process } = system;
      const device = process.open();
      const [ioas, other] = [ioasAlloc(device), ioasAlloc(device)];
      mapFixed(device, ioas, buffer, PAGE, APERTURE);
      enable();
      const made = device.call(TEST_MOCK_DOMAIN_FLAGS, { id: ioas, devFlags: MOCK_DEV_PASID });
      const { outStdevId: id, outIdevId: devId } = made;
      device.call(GET_HW_INFO, { devId, dataUptr: scratch, dataLen: 8 });
      const hwpt = hwptAlloc(device, { devId, ptId: ioas, flags: HWPT_ALLOC_PASID });
      for (const ptId of [other, hwpt]) device.call(TEST_MOCK_DOMAIN_REPLACE, { id, ptId });

      const parent = hwptAlloc(device, { devId, ptId: ioas, flags: HWPT_ALLOC_NEST_PARENT });
      const viommu = { type: MOCK_VIOMMU_TYPE, devId, hwptId: parent, dataLen: 24, dataUptr: scratch };
      const viommuId = device.call(VIOMMU_ALLOC, viommu).outViommuId;
      device.call(VDEVICE_ALLOC, { viommuId, devId, virtId: 1n });
      const queue = { viommuId, type: MOCK_HW_QUEUE_TYPE, nestingParentIova: APERTURE, length: BigInt(PAGE) };
      device.call(HW_QUEUE_ALLOC, queue);
      const { outFaultId: faultId, outFaultFd } = device.call(FAULT_QUEUE_ALLOC);
      const data = { devId, dataType: MOCK_HWPT_DATA_TYPE, dataLen: 4, dataUptr: scratch };
      const flags = HWPT_FAULT_ID_VALID | HWPT_ALLOC_PASID;
      const nested = hwptAlloc(device, { ...data, ptId: viommuId, flags, faultId });
      device.call(TEST_MOCK_DOMAIN_REPLACE, { id, ptId: nested });
      device.call(TEST_TRIGGER_IOPF, { devId, grpid: 1, perm: 1 });
      const read = process.read(outFaultFd, buffer, PGFAULT.bytes);
      // Where there is no memory for the fault, the device has its answer, and nobody is told.
      if (read <= 0) throw new Refused('read', read < 0 ? errnoName(read) : 'ENOMEM', undefined);
      device.call(VEVENTQ_ALLOC, { viommuId, type: MOCK_VEVENTQ_TYPE, veventqDepth: 2 });
      device.call(TEST_TRIGGER_VEVENT, { devId });

      device.call(TEST_PASID_ATTACH, { id, pasid: 200, ptId: hwpt });
      device.call(TEST_PASID_REPLACE, { id, pasid: 200, ptId: nested });
      device.call(TEST_PASID_DETACH, { id, pasid: 200 });
    });
    expect(count).toBeGreaterThan(30);
  });
});
