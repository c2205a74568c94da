// What reaches the domains: every start and length, from memory and from files.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  ACCESS_NEEDS_PIN,
  TEST_ACCESS_PAGES,
  TEST_ACCESS_REPLACE_IOAS,
  TEST_DESTROY_ACCESS_PAGES,
} from '../testing/test-commands/index.ts';
import { HWPT_ALLOC, HWPT_ALLOC_NEST_PARENT, IOAS_COPY, IOAS_MAP_FILE, IOAS_MAP_READABLE } from '../uapi/index.ts';
import {
  APERTURE,
  createAccess,
  destroy,
  destroyErrno,
  expectMapped,
  expectPins,
  FIXED,
  hwptAlloc,
  ioasAlloc,
  type MockDomain,
  map,
  mapErrno,
  mockDomain,
  RW,
  replace,
  replaceErrno,
  unmap,
} from './actions.test-help.ts';
import { variants } from './inventory.ts';
import { type Device, HUGE, MOCK_PAGE, PAGE, System } from './system.test-help.ts';

interface Variant {
  readonly domains: number;
  readonly huge: boolean;
  readonly file: boolean;
}
const VARIANTS = variants<Variant>('iommufd_mock_domain', {
  one_domain: { domains: 1, huge: false, file: false },
  two_domains: { domains: 2, huge: false, file: false },
  one_domain_hugepage: { domains: 1, huge: true, file: false },
  two_domains_hugepage: { domains: 2, huge: true, file: false },
  one_domain_file: { domains: 1, huge: false, file: true },
  one_domain_file_hugepage: { domains: 1, huge: true, file: true },
});
const BUFFER = 16 * PAGE;

describe.each(VARIANTS)('iommufd_mock_domain.%s', (_name, variant) => {
  const bytes = variant.huge ? 2 * HUGE : 8 * PAGE;
  let system: System;
  let device: Device;
  let ioas: number;
  let mocks: MockDomain[];
  beforeEach(() => {
    system = new System({ frames: 8192, window: 8192 });
    device = system.process.open();
    ioas = ioasAlloc(device);
    mocks = Array.from({ length: variant.domains }, () => mockDomain(device, ioas));
  });
  afterEach(() => system.expectNothingLeft());

  /** Memory of the process's, and what maps `length` bytes of it from `start` on. */
  function memory(): { readonly at: bigint; mapPart(start: number, length: number): bigint } {
    const { process } = system;
    if (!variant.file) {
      const at = process.memory.mmap(bytes, { huge: variant.huge });
      return { at, mapPart: (start, length) => map(device, ioas, at + BigInt(start), length) };
    }
    const { fd, file } = process.memfd(bytes, { huge: variant.huge });
    const at = process.memory.mmap(bytes, { frames: file.frames });
    const mapPart = (start: number, length: number): bigint =>
      device.call(IOAS_MAP_FILE, { flags: RW, ioasId: ioas, fd, start: BigInt(start), length: BigInt(length) }).iova;
    return { at, mapPart };
  }

  /** Each start and length: of large memory fewer, as it takes long. */
  function* parts(): Generator<{ readonly start: number; readonly length: number }> {
    const step = variant.huge ? bytes / 16 : MOCK_PAGE;
    for (let start = 0; start < bytes; start += step)
      for (let end = variant.huge ? bytes - MOCK_PAGE : start + MOCK_PAGE; end < bytes; end += MOCK_PAGE)
        yield { start, length: end - start };
  }

  function expectPart(at: bigint, iova: bigint, { start, length }: { start: number; length: number }): void {
    for (const { hwpt } of mocks) expectMapped(device, hwpt, iova, at + BigInt(start), length);
    const first = start - (start % PAGE);
    const end = start + length - ((start + length) % PAGE);
    if (end > first) expectPins(device, at + BigInt(first), end - first, 1);
  }

  test('basic', () => {
    const { process } = system;
    const page = process.memory.mmap(PAGE);
    for (const { hwpt } of mocks) expectMapped(device, hwpt, map(device, ioas, page, PAGE), page, PAGE);
    const buffer = process.memory.mmap(bytes, { huge: variant.huge });
    process.memory.munmap(buffer + BigInt(bytes / 2), bytes / 2);
    expect(mapErrno(device, ioas, buffer, bytes)).toBe('EFAULT');
    expectPins(device, buffer, bytes / 2, 0);
    process.memory.munmap(buffer, bytes / 2);
    expect(mapErrno(device, ioas, buffer, bytes)).toBe('EFAULT');
  });

  test('ro_unshare', () => {
    const { process } = system;
    const page = process.memory.mmap(PAGE);
    const child = system.fork(device); // the page is shared, until somebody writes
    const iova = map(device, ioas, page, PAGE, IOAS_MAP_READABLE);
    expectMapped(device, mocks[0].hwpt, iova, page, PAGE);
    process.memory.write(page, new Uint8Array(PAGE).fill(1));
    expectMapped(device, mocks[0].hwpt, iova, page, PAGE);
    process.memory.munmap(page, PAGE);
    system.exit(child);
  });

  test('all_aligns', () => {
    const { at, mapPart } = memory();
    for (const part of parts()) {
      const iova = mapPart(part.start, part.length);
      expectPart(at, iova, part);
      expect(unmap(device, ioas, iova, part.length)).toBe(BigInt(part.length));
    }
    expectPins(device, at, bytes, 0);
  });

  test('all_aligns_copy', () => {
    const { at, mapPart } = memory();
    for (const part of parts()) {
      const iova = mapPart(part.start, part.length);
      mocks.push(mockDomain(device, ioas));
      expectPart(at, iova, part);
      destroy(device, (mocks.pop() as MockDomain).stdev);
      expectPart(at, iova, part);
      unmap(device, ioas, iova, part.length);
    }
    expectPins(device, at, bytes, 0);
  });

  test('user_copy', () => {
    const { process } = system;
    const buffer = process.memory.mmap(BUFFER);
    const length = BigInt(BUFFER);
    const pinned = ioasAlloc(device);
    const srcIova = map(device, pinned, buffer, BUFFER);
    const id = createAccess(device, pinned, ACCESS_NEEDS_PIN);
    const pin = { id, iova: srcIova, length, uptr: buffer };
    const first = device.call(TEST_ACCESS_PAGES, pin).outAccessPagesId;
    const copy = { flags: FIXED, dstIoasId: ioas, dstIova: APERTURE, srcIoasId: pinned, srcIova, length };
    device.call(IOAS_COPY, copy);
    for (const { hwpt } of mocks) expectMapped(device, hwpt, APERTURE, buffer, BUFFER);

    const other = ioasAlloc(device);
    const otherIova = map(device, other, buffer, BUFFER);
    device.call(TEST_ACCESS_REPLACE_IOAS, { id, ioasId: other });
    expect(device.errno(TEST_DESTROY_ACCESS_PAGES, { id, accessPagesId: first })).toBe('ENOENT'); // let go of on the way
    expect(device.errno(TEST_ACCESS_REPLACE_IOAS, { id, ioasId: 999 })).toBe('ENOENT');
    unmap(device, ioas, APERTURE, BUFFER);
    destroy(device, pinned);

    const second = device.call(TEST_ACCESS_PAGES, { ...pin, iova: otherIova }).outAccessPagesId;
    device.call(IOAS_COPY, { ...copy, srcIoasId: other, srcIova: otherIova });
    for (const { hwpt } of mocks) expectMapped(device, hwpt, APERTURE, buffer, BUFFER);
    device.call(TEST_DESTROY_ACCESS_PAGES, { id, accessPagesId: second });
    expect(destroyErrno(device, other)).toBe('EBUSY'); // the access is on it
    process.files.close(id);
    destroy(device, other);
  });

  test('replace', () => {
    const other = ioasAlloc(device);
    const [{ stdev, hwpt }] = mocks;
    const fresh = replace(device, stdev, other);
    if (variant.domains === 1) expect(replaceErrno(device, stdev, hwpt)).toBe('ENOENT'); // went with its last device
    expect(replace(device, stdev, other)).toBe(fresh);
    if (variant.domains > 1) for (const target of [hwpt, hwpt]) expect(replace(device, stdev, target)).toBe(hwpt);
    replace(device, stdev, ioas);
    expect(replaceErrno(device, stdev, stdev)).toBe('EINVAL');
    destroy(device, other);
  });

  test('alloc_hwpt', () => {
    for (const { stdev, idev } of mocks) {
      expect(device.errno(HWPT_ALLOC, { devId: idev, ptId: ioas, flags: 0xfffffffe })).toBe('EOPNOTSUPP');
      const plain = hwptAlloc(device, { devId: idev, ptId: ioas });
      const parent = hwptAlloc(device, { devId: idev, ptId: ioas, flags: HWPT_ALLOC_NEST_PARENT });
      for (const hwpt of [plain, parent]) {
        expect(replace(device, stdev, hwpt)).toBe(hwpt);
        expect(destroyErrno(device, hwpt)).toBe('EBUSY');
      }
      replace(device, stdev, ioas);
      destroy(device, parent);
      const { stdev: another } = mockDomain(device, plain);
      destroy(device, another);
      destroy(device, plain);
      expect(destroyErrno(device, idev)).toBe('EBUSY');
    }
  });
});
