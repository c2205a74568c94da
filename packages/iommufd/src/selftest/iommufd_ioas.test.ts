// Objects and addresses of an IOAS.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { U64_MAX } from '../memory/index.ts';
import { MOCK_HW_INFO_REG, MOCK_HW_INFO_TYPE } from '../testing/mock/index.ts';
import { TEST_ADD_RESERVED } from '../testing/test-commands/index.ts';
import {
  GET_HW_INFO,
  IOAS_ALLOW_IOVAS,
  IOAS_IOVA_RANGES,
  OPTION,
  OPTION_HUGE_PAGES,
  OPTION_OP_GET,
  OPTION_OP_SET,
} from '../uapi/index.ts';
import {
  APERTURE,
  APERTURE_LAST,
  destroyErrno,
  map,
  mapErrno,
  mapFixed,
  mapFixedErrno,
  mockDomain,
  mockDomainErrno,
  reserve,
  unmap,
  unmapErrno,
} from './actions.test-help.ts';
import { IOAS_VARIANTS, type IoasFixture, ioasFixture } from './ioas.test-help.ts';
import { MOCK_PAGE, PAGE } from './system.test-help.ts';

const P = BigInt(PAGE);

describe.each(IOAS_VARIANTS)('iommufd_ioas.%s', (_name, variant) => {
  let self: IoasFixture;
  beforeEach(() => {
    self = ioasFixture(variant);
  });
  afterEach(() => self.system.expectNothingLeft());
  const hasDomain = variant.devices > 0;

  const lowestBit = (value: number): bigint => BigInt(value & -value);
  const allow = (start: bigint, last: bigint): string => {
    const { device, ioas, system } = self;
    const allowedIovas = system.process.place(new Uint8Array(BigUint64Array.of(start, last).buffer));
    return device.errno(IOAS_ALLOW_IOVAS, { ioasId: ioas, numIovas: 1, allowedIovas });
  };

  test('ioas_auto_destroy', () => {
    expect(self.system.lab.machine.live().ioas).toBe(1);
  });

  test('ioas_destroy', () => {
    expect(destroyErrno(self.device, self.ioas)).toBe(hasDomain ? 'EBUSY' : '');
  });

  test('hwpt_attach', () => {
    const { device, mock } = self;
    if (!hasDomain) expect(mockDomainErrno(device, mock.hwpt)).toBe('ENOENT');
    else expect(mockDomain(device, mock.hwpt).hwpt).toBe(mock.hwpt);
  });

  test('ioas_area_destroy', () => {
    mapFixed(self.device, self.ioas, self.buffer, PAGE, self.base);
    expect(destroyErrno(self.device, self.ioas)).toBe(hasDomain ? 'EBUSY' : '');
  });

  test('ioas_area_auto_destroy', () => {
    for (let i = 0n; i < 10n; i++) mapFixed(self.device, self.ioas, self.buffer, PAGE, self.base + i * P);
    expect(self.system.lab.machine.live().areas).toBe(10);
  });

  test('get_hw_info', () => {
    const { device, mock, system } = self;
    const info = (address: bigint, dataLen: number): string =>
      device.errno(GET_HW_INFO, { devId: mock.idev, dataUptr: address, dataLen });
    if (!hasDomain) {
      expect(info(self.buffer, 8)).toBe('ENOENT');
      return;
    }
    expect(device.call(GET_HW_INFO, { devId: mock.idev })).toMatchObject({ dataType: MOCK_HW_INFO_TYPE, dataLen: 8 });
    for (const length of [4, 8, 24]) {
      const at = system.process.place(new Uint8Array(32).fill(0xaa));
      expect(info(at, length)).toBe('');
      const wanted = new Uint8Array(32).fill(0xaa);
      const known = new Uint8Array(Uint32Array.of(0, MOCK_HW_INFO_REG).buffer);
      wanted.set(known.subarray(0, Math.min(8, length)));
      if (length > 8) wanted.fill(0, 8, length);
      expect(system.process.bytes(at, 32)).toEqual(wanted);
    }
    expect(device.errno(GET_HW_INFO, { devId: mock.idev, flags: 2 })).toBe('EOPNOTSUPP');
    // Linux 7.2's flag INPUT_TYPE
    expect(device.errno(GET_HW_INFO, { devId: mock.idev, flags: 1, dataType: MOCK_HW_INFO_TYPE })).toBe('');
    expect(device.errno(GET_HW_INFO, { devId: mock.idev, flags: 1, dataType: 1 })).toBe('EOPNOTSUPP');
  });

  test('area', () => {
    const { device, ioas, buffer, base } = self;
    for (let i = 0n; i < 10n; i++) expect(unmapErrno(device, ioas, i * P, P)).toBe('ENOENT');
    for (let i = 0n; i < 10n; i++) mapFixed(device, ioas, buffer, PAGE, base + i * P);
    for (let i = 0n; i < 10n; i++) expect(unmap(device, ioas, base + i * P, P)).toBe(P);

    const at = base + 16n * P;
    mapFixed(device, ioas, buffer, 2 * PAGE, at);
    for (const half of [at, at + P]) expect(unmapErrno(device, ioas, half, P)).toBe('ENOENT');
    for (const [from, pages] of [
      [at, 2],
      [at, 1],
      [at + P, 1],
      [at - P, 2],
      [at - P, 3],
    ] as const)
      expect(mapFixedErrno(device, ioas, buffer, pages * PAGE, from)).toBe('EEXIST');
    expect(unmap(device, ioas, 0n, U64_MAX)).toBe(2n * P);
    expect(unmap(device, ioas, 0n, U64_MAX)).toBe(0n);
  });

  test('unmap_fully_contained_areas', () => {
    const { device, ioas, buffer } = self;
    const base = self.base + 4n * P;
    for (let i = 0n; i < 4n; i++) mapFixed(device, ioas, buffer, 8 * PAGE, base + i * 16n * P);
    expect(unmapErrno(device, ioas, base - 4n * P, 8n * P)).toBe('ENOENT');
    expect(unmapErrno(device, ioas, base + 48n * P + 4n * P, 8n * P)).toBe('ENOENT');
    expect(unmap(device, ioas, base - 4n * P, 60n * P)).toBe(32n * P);
  });

  test('area_auto_iova', () => {
    const { device, ioas, buffer } = self;
    const iovas = (check: (iova: bigint, length: bigint) => void): void => {
      const found: [bigint, bigint][] = [];
      for (let pages = 1; pages <= 10; pages++) {
        const iova = map(device, ioas, buffer, pages * PAGE);
        expect(iova % lowestBit(pages * PAGE)).toBe(0n);
        check(iova, BigInt(pages) * P);
        found.push([iova, BigInt(pages) * P]);
      }
      for (const [iova, length] of found) expect(unmap(device, ioas, iova, length)).toBe(length);
    };
    iovas((iova) => expect(iova).not.toBe(0n));
    expect(reserve(device, ioas, 4n * P, 100n * P)).toBe('');
    iovas((iova, length) => expect(iova + length <= 4n * P || iova >= 104n * P).toBe(true));
    expect(allow(P, 600n * P)).toBe('EADDRINUSE');
    const [start, last] = hasDomain ? [APERTURE + P, APERTURE + 600n * P - 1n] : [200n * P, 600n * P - 1n];
    expect(allow(start, last)).toBe('');
    iovas((iova, length) => expect(iova >= start && iova + length - 1n <= last).toBe(true));
    // The allowed list binds chosen addresses alone.
    mapFixed(device, ioas, buffer, PAGE, last + 1n);
  });

  test('reserved_overflow', () => {
    const { device, ioas, buffer } = self;
    if (hasDomain) return; // all up there is outside the aperture, and reserved already
    const start = U64_MAX - P + 1n;
    expect(reserve(device, ioas, start, P)).toBe('');
    expect(reserve(device, ioas, start, 2n * P)).toBe('EINVAL');
    expect(mapFixedErrno(device, ioas, buffer, PAGE, start)).toBe('EINVAL');
    expect(mapFixedErrno(device, ioas, buffer, 2 * PAGE, start)).toBe('EOVERFLOW');
    expect(mapErrno(device, ioas, U64_MAX - P + 1n, PAGE)).toBe('EOVERFLOW');
    mapFixed(device, ioas, buffer, PAGE, start - P);
  });

  test('area_allowed', () => {
    const { device, ioas, base } = self;
    expect(allow(base, base + 600n * P)).toBe('');
    expect(reserve(device, ioas, base + P, P)).toBe('EADDRINUSE');
    expect(device.errno(IOAS_ALLOW_IOVAS, { ioasId: ioas })).toBe('');
    expect(reserve(device, ioas, base + P, P)).toBe('');
    expect(allow(base, base + 600n * P)).toBe('EADDRINUSE');
    expect(allow(base + 8n * P, base + 8n * P)).toBe('EINVAL');
    expect(device.errno(TEST_ADD_RESERVED, { id: 99, start: 0n, length: 1n })).toBe('ENOENT');
  });

  test('iova_ranges', () => {
    const { device, ioas, system } = self;
    const room = 8;
    const list = (numIovas: number): { errno: string; count: number; alignment: bigint; ranges: bigint[] } => {
      const allowedIovas = system.process.place(new Uint8Array(room * 16));
      const { errno, out } = device.raw(IOAS_IOVA_RANGES, { ioasId: ioas, numIovas, allowedIovas });
      const ranges = [...new BigUint64Array(system.process.bytes(allowedIovas, room * 16).buffer)];
      return { errno, count: out.numIovas, alignment: out.outIovaAlignment, ranges: ranges.slice(0, 4) };
    };
    const whole = hasDomain ? [APERTURE, APERTURE_LAST] : [0n, U64_MAX];
    const alignment = hasDomain ? BigInt(MOCK_PAGE) : 1n;
    expect(list(room)).toEqual({ errno: '', count: 1, alignment, ranges: [...whole, 0n, 0n] });
    expect(list(0)).toEqual({ errno: 'EMSGSIZE', count: 1, alignment, ranges: [0n, 0n, 0n, 0n] });
    expect(reserve(device, ioas, P, P)).toBe('');
    const two = [0n, P - 1n, 2n * P, U64_MAX];
    if (hasDomain) {
      expect(list(room)).toEqual({ errno: '', count: 1, alignment, ranges: [...whole, 0n, 0n] });
      expect(list(1)).toEqual({ errno: '', count: 1, alignment, ranges: [...whole, 0n, 0n] });
    } else {
      expect(list(room)).toEqual({ errno: '', count: 2, alignment, ranges: two });
      expect(list(1)).toEqual({ errno: 'EMSGSIZE', count: 2, alignment, ranges: [0n, P - 1n, 0n, 0n] });
    }
  });

  test('ioas_option_huge_pages', () => {
    const option = { optionId: OPTION_HUGE_PAGES, objectId: self.ioas };
    const get = (): bigint => self.device.call(OPTION, { ...option, op: OPTION_OP_GET, val64: 3n }).val64;
    const set = (val64: bigint): string => self.device.errno(OPTION, { ...option, op: OPTION_OP_SET, val64 });
    expect(get()).toBe(1n);
    expect([set(0n), get()]).toEqual(['', 0n]);
    expect([set(2n), get()]).toEqual(['EINVAL', 0n]);
    expect([set(1n), get()]).toEqual(['', 1n]);
    if (!hasDomain) return;
    mapFixed(self.device, self.ioas, self.buffer, PAGE, self.base);
    expect(set(0n)).toBe('EINVAL');
  });

  test('ioas_iova_alloc', () => {
    const { device, ioas, buffer } = self;
    for (let length = 1; length < 2 * PAGE; length += length % 512 === 0 ? 1 : 511) {
      if (hasDomain && length % MOCK_PAGE !== 0) {
        expect(mapErrno(device, ioas, buffer, length)).toBe('EINVAL');
        continue;
      }
      const iova = map(device, ioas, buffer, length);
      expect(unmap(device, ioas, iova, length)).toBe(BigInt(length));
    }
  });

  test('ioas_align_change', () => {
    if (hasDomain) return; // with a domain and mappings the option does not change
    const { device, ioas, buffer } = self;
    const large = (val64: bigint): string =>
      device.errno(OPTION, { optionId: OPTION_HUGE_PAGES, objectId: ioas, op: OPTION_OP_SET, val64 });
    mapFixed(device, ioas, buffer, PAGE, APERTURE);
    expect(large(0n)).toBe('');
    expect(mapFixedErrno(device, ioas, buffer + BigInt(MOCK_PAGE), PAGE, APERTURE + P)).toBe('EINVAL');
    expect(large(0n)).toBe('');
    expect(large(1n)).toBe('');
    mapFixed(device, ioas, buffer + BigInt(MOCK_PAGE), PAGE, APERTURE + P);
    expect(large(0n)).toBe('EADDRINUSE');
    unmap(device, ioas, APERTURE + P, P);
    expect(large(0n)).toBe('');
  });
});
