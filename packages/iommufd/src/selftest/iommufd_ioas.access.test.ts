// What accesses do with an IOAS: pin, read, write, let go.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  ACCESS_NEEDS_PIN,
  ACCESS_PAGES_WRITE,
  ACCESS_RW_SLOW_PATH,
  ACCESS_RW_WRITE,
  TEST_ACCESS_PAGES,
  TEST_ACCESS_RW,
  TEST_CREATE_ACCESS,
  TEST_DESTROY_ACCESS_PAGES,
} from '../testing/test-commands/index.ts';
import { IOAS_MAP_READABLE } from '../uapi/index.ts';
import {
  APERTURE,
  createAccess,
  destroy,
  expectMapped,
  expectPins,
  map,
  mapFixed,
  mockDomain,
  unmap,
} from './actions.test-help.ts';
import { BUFFER, IOAS_VARIANTS, type IoasFixture, ioasFixture } from './ioas.test-help.ts';
import { HUGE, MOCK_PAGE, PAGE } from './system.test-help.ts';

const P = BigInt(PAGE);

describe.each(IOAS_VARIANTS)('iommufd_ioas.%s', (_name, variant) => {
  let self: IoasFixture;
  beforeEach(() => {
    self = ioasFixture(variant);
  });
  afterEach(() => self.system.expectNothingLeft());
  const hasDomain = variant.devices > 0;

  const pin = (fd: number, iova: bigint, length: number, uptr: bigint, flags: number = 0): number =>
    self.device.call(TEST_ACCESS_PAGES, { id: fd, iova, length: BigInt(length), uptr, flags }).outAccessPagesId;
  const pinErrno = (fd: number, iova: bigint, length: bigint, more: { uptr?: bigint; flags?: number } = {}): string =>
    self.device.errno(TEST_ACCESS_PAGES, { id: fd, iova, length, ...more });
  const unpin = (fd: number, accessPagesId: number): string =>
    self.device.errno(TEST_DESTROY_ACCESS_PAGES, { id: fd, accessPagesId });
  const close = (fd: number): void => self.system.process.files.close(fd);

  test('access_domain_destory', () => {
    const { device, ioas, mock, base, system } = self;
    const huge = system.process.memory.mmap(HUGE, { huge: true });
    mapFixed(device, ioas, huge, HUGE, base);
    const access = createAccess(device, ioas, ACCESS_NEEDS_PIN);
    const item = pin(access, base + P, PAGE, huge + P);
    expectPins(device, huge + P, PAGE, 1);
    if (hasDomain) destroy(device, mock.stdev);
    expectPins(device, huge + P, PAGE, 1);
    expectPins(device, huge, PAGE, variant.devices > 1 ? 1 : 0);
    expect(unpin(access, item)).toBe('');
    expect(unpin(access, item)).toBe('ENOENT');
    close(access);
  });

  test('access_pin', () => {
    const { device, ioas, buffer } = self;
    const access = createAccess(device, ioas, ACCESS_NEEDS_PIN);
    for (let pages = 1; pages < BUFFER / PAGE; pages++) {
      const length = pages * PAGE;
      mapFixed(device, ioas, buffer, BUFFER, APERTURE);
      expect(unpin(access, pin(access, APERTURE, length, buffer))).toBe('');
      const [first, second] = [pin(access, APERTURE, length, buffer), pin(access, APERTURE, length, buffer)];
      expectPins(device, buffer, length, 1);
      expect([unpin(access, second), unpin(access, first)]).toEqual(['', '']);

      const item = pin(access, APERTURE, length, buffer);
      const { stdev, hwpt } = mockDomain(device, ioas);
      expectMapped(device, hwpt, APERTURE, buffer, BUFFER);
      expectPins(device, buffer, BUFFER, 1);
      destroy(device, stdev);
      expect(unpin(access, item)).toBe('');
      expectPins(device, buffer, BUFFER, hasDomain ? 1 : 0);
      expect(unmap(device, ioas, APERTURE, BUFFER)).toBe(BigInt(BUFFER));
    }
    // What a driver in the kernel is refused.
    mapFixed(device, ioas, buffer, 2 * PAGE, APERTURE);
    expect(pinErrno(access, APERTURE, 0n)).toBe('EINVAL');
    expect(pinErrno(access, APERTURE + 1n, P)).toBe('EINVAL');
    expect(pinErrno(access, APERTURE, 3n * P)).toBe('ENOENT');
    expect(pinErrno(access, 2n ** 64n - P, 2n * P)).toBe('EOVERFLOW');
    expect(pinErrno(access, APERTURE, P, { uptr: buffer + P })).toBe('EBADE');
    expect(pinErrno(access, APERTURE, P, { uptr: 1n })).toBe('EFAULT');
    expect(pinErrno(access, APERTURE, P, { flags: 2 })).toBe('EOPNOTSUPP');
    expect(pinErrno(createAccess(device, ioas), APERTURE, P)).toBe('EOPNOTSUPP');
    const readOnly = map(device, ioas, buffer, PAGE, IOAS_MAP_READABLE);
    expect(pinErrno(access, readOnly, P, { flags: ACCESS_PAGES_WRITE })).toBe('EPERM');
    expect(device.errno(TEST_CREATE_ACCESS, { id: ioas, flags: 2 })).toBe('EOPNOTSUPP');
    expect(device.errno(TEST_CREATE_ACCESS, { id: 99 })).toBe('ENOENT');
    expectPins(device, buffer + 2n * P, BUFFER - 2 * PAGE, 0);
  });

  test('access_pin_unmap', () => {
    const { device, ioas, buffer } = self;
    const access = createAccess(device, ioas, ACCESS_NEEDS_PIN);
    mapFixed(device, ioas, buffer, BUFFER, APERTURE);
    const item = pin(access, APERTURE, BUFFER, buffer);
    expect(unmap(device, ioas, APERTURE, BUFFER)).toBe(BigInt(BUFFER));
    expectPins(device, buffer, BUFFER, 0);
    expect(unpin(access, item)).toBe('ENOENT');
  });

  /** Reads and writes round a page's end, then everything at once. */
  function expectReadsAndWrites(access: number, iova: bigint, flags: number): void {
    const { device, buffer, system } = self;
    const { process } = system;
    const bytes = Uint8Array.from({ length: BUFFER }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
    process.memory.write(buffer, bytes);
    const scratch = process.memory.mmap(BUFFER);
    for (let at = PAGE - 50; at < PAGE + 50; at += 7)
      for (let length = 1; length < 64; length += 9) {
        const rw = { id: access, iova: iova + BigInt(at), length: BigInt(length), uptr: scratch };
        device.call(TEST_ACCESS_RW, { ...rw, flags });
        expect(process.bytes(scratch, length)).toEqual(process.bytes(buffer + BigInt(at), length));
        const written = Uint8Array.from({ length }, (_, i) => (at + length + i) & 0xff);
        process.memory.write(scratch, written);
        device.call(TEST_ACCESS_RW, { ...rw, flags: flags | ACCESS_RW_WRITE });
        expect(process.bytes(buffer + BigInt(at), length)).toEqual(written);
      }
    device.call(TEST_ACCESS_RW, { id: access, iova, length: BigInt(BUFFER), uptr: scratch, flags });
    expect(process.bytes(scratch, BUFFER)).toEqual(process.bytes(buffer, BUFFER));
  }

  test('access_rw', () => {
    const { device, ioas, buffer } = self;
    const access = createAccess(device, ioas);
    const iova = map(device, ioas, buffer, BUFFER);
    expectReadsAndWrites(access, iova, 0);
    expectReadsAndWrites(access, iova, ACCESS_RW_SLOW_PATH);
    expect(unmap(device, ioas, iova, BUFFER)).toBe(BigInt(BUFFER));
    const rw = { id: access, iova, length: 8n, uptr: buffer };
    expect(device.errno(TEST_ACCESS_RW, rw)).toBe('ENOENT');
    expect(device.errno(TEST_ACCESS_RW, { ...rw, length: 0n })).toBe('EINVAL');
    expect(device.errno(TEST_ACCESS_RW, { ...rw, iova: 2n ** 64n - 4n })).toBe('EOVERFLOW');
    expect(device.errno(TEST_ACCESS_RW, { ...rw, flags: 2 })).toBe('EOPNOTSUPP');
    expect(device.errno(TEST_ACCESS_RW, { ...rw, length: 2n ** 25n })).toBe('ENOMEM');
    expect(device.errno(TEST_ACCESS_RW, { ...rw, id: device.fd })).toBe('EBADFD');
    expect(device.errno(TEST_ACCESS_RW, { ...rw, id: 999 })).toBe('EBADFD');
    const readOnly = map(device, ioas, buffer, PAGE, IOAS_MAP_READABLE);
    expect(device.errno(TEST_ACCESS_RW, { ...rw, iova: readOnly })).toBe('');
    expect(device.errno(TEST_ACCESS_RW, { ...rw, iova: readOnly, flags: ACCESS_RW_WRITE })).toBe('EPERM');
    close(access);
  });

  test('access_rw_unaligned', () => {
    const { device, ioas, buffer, base } = self;
    const access = createAccess(device, ioas);
    const iova = base + BigInt(MOCK_PAGE);
    mapFixed(device, ioas, buffer, BUFFER, iova);
    expectReadsAndWrites(access, iova, 0);
    expect(unmap(device, ioas, iova, BUFFER)).toBe(BigInt(BUFFER));
    close(access);
  });
});
