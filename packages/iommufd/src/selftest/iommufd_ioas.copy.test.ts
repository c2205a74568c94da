// Copies, other processes' memory, files.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  TEST_ACCESS_RW,
  TEST_DMABUF_GET,
  TEST_DMABUF_REVOKE,
  TEST_MD_CHECK_MAP,
} from '../testing/test-commands/index.ts';
import { type Args, IOAS_COPY, IOAS_MAP_FILE, IOAS_MAP_FIXED_IOVA } from '../uapi/index.ts';
import {
  APERTURE,
  createAccess,
  destroy,
  FIXED,
  ioasAlloc,
  mapFixed,
  mockDomain,
  mockDomainErrno,
  RW,
  unmap,
} from './actions.test-help.ts';
import { BUFFER, IOAS_VARIANTS, type IoasFixture, ioasFixture } from './ioas.test-help.ts';
import { MOCK_PAGE, PAGE } from './system.test-help.ts';

const P = BigInt(PAGE);

describe.each(IOAS_VARIANTS)('iommufd_ioas.%s', (_name, variant) => {
  let self: IoasFixture;
  beforeEach(() => {
    self = ioasFixture(variant);
  });
  afterEach(() => self.system.expectNothingLeft());
  const hasDomain = variant.devices > 0;

  /** What an access reads of the IOAS. */
  const readThrough = (fd: number, iova: bigint, length: number): Uint8Array => {
    const { process } = self.system;
    const uptr = process.place(new Uint8Array(length));
    self.device.call(TEST_ACCESS_RW, { id: fd, iova, length: BigInt(length), uptr });
    return process.bytes(uptr, length);
  };

  test('copy_area', () => {
    const { device, ioas, buffer, base } = self;
    mapFixed(device, ioas, buffer, PAGE, base);
    const copy = { flags: FIXED, srcIoasId: ioas, dstIoasId: ioas, srcIova: base, dstIova: base + P, length: P };
    device.call(IOAS_COPY, copy);
    expect(device.errno(IOAS_COPY, copy)).toBe('EEXIST');
    device.call(IOAS_COPY, { ...copy, dstIoasId: ioasAlloc(device), dstIova: 0n });
    expect(device.errno(IOAS_COPY, { ...copy, flags: IOAS_MAP_FIXED_IOVA, dstIova: base + 2n * P })).toBe('EINVAL');
  });

  test('copy_sweep', () => {
    const { device, ioas, buffer } = self;
    const dstIoasId = ioasAlloc(device);
    const length = hasDomain ? BUFFER : BUFFER - 1;
    mapFixed(device, ioas, buffer, length, APERTURE);
    const end = APERTURE + BigInt(length);
    const copy = { flags: FIXED, srcIoasId: ioas, dstIoasId, dstIova: APERTURE, length: BigInt(MOCK_PAGE) };
    for (let srcIova = APERTURE - P; srcIova < end; srcIova += 511n) {
      const isInside = srcIova >= APERTURE && srcIova + copy.length <= end;
      expect(device.errno(IOAS_COPY, { ...copy, srcIova }), `${srcIova}`).toBe(isInside ? '' : 'ENOENT');
      if (isInside) expect(unmap(device, dstIoasId, APERTURE, MOCK_PAGE)).toBe(copy.length);
    }
    destroy(device, dstIoasId);
  });

  test('fork_gone', () => {
    const { device, ioas, buffer, system } = self;
    const access = createAccess(device, ioas);
    const child = system.fork(device);
    const bytes = Uint8Array.from({ length: BUFFER }, (_, i) => (i * 7) & 0xff);
    child.process.memory.write(buffer, bytes);
    mapFixed(child.device, ioas, buffer, BUFFER, APERTURE);
    system.exit(child);
    if (hasDomain) {
      // Pinned while the child lived: a domain takes it from the other.
      mockDomain(device, ioas);
      expect(readThrough(access, APERTURE + 50n, BUFFER - 50)).toEqual(bytes.subarray(50));
    } else expect(mockDomainErrno(device, ioas)).toBe('EFAULT');
  });

  test('fork_present', () => {
    const { device, ioas, buffer, system } = self;
    const access = createAccess(device, ioas);
    const child = system.fork(device);
    const bytes = Uint8Array.from({ length: BUFFER }, (_, i) => (i * 11) & 0xff);
    child.process.memory.write(buffer, bytes);
    mapFixed(child.device, ioas, buffer, BUFFER, APERTURE);
    mockDomain(device, ioas);
    expect(readThrough(access, APERTURE, BUFFER)).toEqual(bytes);
    expect(system.process.bytes(buffer, BUFFER)).toEqual(new Uint8Array(BUFFER));
    system.exit(child);
    expect(readThrough(access, APERTURE, BUFFER)).toEqual(bytes);
  });

  const buf = (pages: number): number => self.device.raw(TEST_DMABUF_GET, { length: pages * PAGE }).result;
  const mapFile = (args: Partial<Args<typeof IOAS_MAP_FILE>>): string =>
    self.device.errno(IOAS_MAP_FILE, { flags: RW, ioasId: self.ioas, length: 4n * P, ...args });

  test('dmabuf_simple', () => {
    const { device } = self;
    const fd = buf(4);
    expect(fd).toBeGreaterThan(2);
    expect(mapFile({ fd, length: 0n })).toBe('EINVAL');
    expect(mapFile({ fd, start: 4n * P })).toBe('EINVAL');
    expect(mapFile({ fd, length: 4n * P + 1n })).toBe('EINVAL');
    expect(mapFile({ fd: fd + 100 })).toBe('EBADF');
    expect(mapFile({ fd })).toBe('');
    expect(mapFile({ fd, start: P, length: P })).toBe('');
    expect(device.errno(TEST_DMABUF_GET, {})).toBe('EINVAL');
    expect(device.errno(TEST_DMABUF_GET, { length: 513 * PAGE })).toBe('EINVAL');
    self.system.process.files.close(fd); // what is mapped keeps the buffer
  });

  test('dmabuf_revoke', () => {
    const { device, ioas, mock, buffer } = self;
    const fd = buf(4);
    const revoke = (revoked: number): string => device.errno(TEST_DMABUF_REVOKE, { dmabufFd: fd, revoked });
    const at = { flags: FIXED, fd, iova: APERTURE };
    expect(mapFile(at)).toBe('');
    const reaches = (): boolean => self.system.lab.driver.access(1, APERTURE, false) >= 0;
    if (hasDomain) expect(reaches()).toBe(true);
    expect(revoke(1)).toBe('');
    if (hasDomain) expect(reaches()).toBe(false);
    expect(mapFile({ fd })).toBe('ENODEV');
    expect(revoke(0)).toBe('');
    if (hasDomain) expect(reaches()).toBe(false); // what was there before does not come back
    expect(mapFile({ ...at, iova: APERTURE + 4n * P })).toBe('');
    expect(revoke(1)).toBe('');
    if (hasDomain) {
      const check = { id: mock.hwpt, iova: APERTURE, length: P, uptr: buffer };
      expect(device.errno(TEST_MD_CHECK_MAP, check)).toBe('EINVAL');
    }
    expect(unmap(device, ioas, APERTURE, 8n * P)).toBe(8n * P);
    expect(device.errno(TEST_DMABUF_REVOKE, { dmabufFd: device.fd })).toBe('EINVAL');
    expect(device.errno(TEST_DMABUF_REVOKE, { dmabufFd: 999 })).toBe('EBADF');
  });
});
