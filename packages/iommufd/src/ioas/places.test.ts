import type { IommuError } from '@faultline/core/errors';
import { describe, expect, test } from 'vitest';
import { MemoryFile, PAGE_BYTES } from '../caller/index.ts';
import { attachDevice, detachDevice, unbindDevice } from '../device/index.ts';
import { FILE_MEMORY } from '../files/layout.ts';
import { U64_MAX } from '../memory/index.ts';
import { makeRig, type Rig, refusalOf } from '../testing/rig.test-help.ts';
import {
  FAULT_QUEUE_ALLOC,
  HWPT_ALLOC,
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_GET_DIRTY_BITMAP,
  IOAS_ALLOC,
  IOAS_ALLOW_IOVAS,
  IOAS_COPY,
  IOAS_IOVA_RANGES,
  IOAS_MAP,
  IOAS_MAP_FILE,
  IOAS_NOIOMMU_GET_PA,
  IOAS_UNMAP,
  OPTION,
  OPTION_HUGE_PAGES,
  OPTION_OP_GET,
  OPTION_OP_SET,
} from '../uapi/index.ts';

const PAGE = BigInt(PAGE_BYTES);
const HALF = PAGE / 2n;
const BASE = 1n << 24n;
const RW = 6;
const FIXED = 7;

/** Puts 64-bit words into memory of the caller's. @returns where. */
function words(rig: Rig, ...values: bigint[]): bigint {
  const at = rig.memory.mmap(PAGE_BYTES);
  rig.memory.write(at, new Uint8Array(new BigUint64Array(values).buffer));
  return at;
}
function read(rig: Rig, at: bigint, count: number): bigint[] {
  const bytes = new Uint8Array(8 * count);
  rig.memory.read(at, bytes);
  return [...new BigUint64Array(bytes.buffer)];
}
/** Device 1 on an IOAS. */
function linkedRig(): { rig: Rig; ioasId: number; end(): void } {
  const rig = makeRig();
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  const id = rig.bind(1);
  attachDevice(rig.context, id, { ptId: ioasId });
  return {
    rig,
    ioasId,
    end(): void {
      detachDevice(rig.context, id);
      unbindDevice(rig.context, id);
      rig.expectNothingLeft();
    },
  };
}

describe('allowed IOVAs', () => {
  const allow = (rig: Rig, ioasId: number, ...list: bigint[]): string =>
    rig.refusal(IOAS_ALLOW_IOVAS, { ioasId, numIovas: list.length / 2, allowedIovas: words(rig, ...list) });

  test('bind what has no address of its own; ranges that touch are one', () => {
    const rig = makeRig();
    const ioasId = rig.call(IOAS_ALLOC).outIoasId;
    const userVa = rig.memory.mmap(4 * PAGE_BYTES);
    expect(allow(rig, ioasId, 0x2000n, 0x2fffn, 0x3000n, 0x3fffn)).toBe('');
    const map = { ioasId, flags: RW, userVa, length: 2n * PAGE };
    expect(rig.call(IOAS_MAP, map).iova).toBe(0x2000n); // across both
    expect(rig.refusal(IOAS_MAP, map)).toBe('ENOSPC length');
    rig.call(IOAS_MAP, { ...map, flags: FIXED, iova: BASE }); // an address of one's own may lie elsewhere
    expect(allow(rig, ioasId)).toBe('');
    expect(rig.call(IOAS_MAP, map).iova).toBe(0x4000n);
    rig.expectNothingLeft();
  });

  test('are refused as a whole, and the old list stays', () => {
    const { rig, ioasId, end } = linkedRig();
    const userVa = rig.memory.mmap(PAGE_BYTES);
    const place = BASE + 64n * PAGE;
    expect(allow(rig, ioasId, place, place + PAGE - 1n)).toBe('');
    expect(allow(rig, ioasId, 5n, 5n)).toBe('EINVAL allowed_iovas.last');
    expect(allow(rig, ioasId, BASE, BASE + 10n, BASE + 10n, BASE + 20n)).toBe('EINVAL allowed_iovas.start');
    expect(allow(rig, ioasId, BASE + PAGE, BASE + 2n * PAGE, 0n, 1n)).toBe('EADDRINUSE allowed_iovas.start');
    expect(rig.refusal(IOAS_ALLOW_IOVAS, { ioasId, numIovas: 1, allowedIovas: 0n })).toBe('EFAULT allowed_iovas');
    expect(rig.call(IOAS_MAP, { ioasId, flags: RW, userVa, length: PAGE }).iova).toBe(place);
    end();
  });

  test('are looked at in their order: what is wrong with one comes before that the rest cannot be read', () => {
    const rig = makeRig();
    const ioasId = rig.call(IOAS_ALLOC).outIoasId;
    const pages = rig.memory.mmap(2 * PAGE_BYTES);
    rig.memory.munmap(pages + PAGE, PAGE_BYTES);
    const list = pages + PAGE - 32n; // two ranges are there
    const put = (...values: bigint[]): boolean =>
      rig.memory.write(list, new Uint8Array(BigUint64Array.from(values).buffer));
    const refusal = (numIovas: number): string =>
      rig.refusal(IOAS_ALLOW_IOVAS, { ioasId, numIovas, allowedIovas: list });
    put(PAGE, 2n * PAGE, PAGE, 2n * PAGE);
    for (const count of [3, 0xffff_ffff]) expect(refusal(count)).toBe('EINVAL allowed_iovas.start');
    put(PAGE, 2n * PAGE, 3n * PAGE, 4n * PAGE);
    for (const count of [3, 0xffff_ffff]) expect(refusal(count)).toBe('EFAULT allowed_iovas');
    expect(refusal(2)).toBe('');
    rig.expectNothingLeft();
  });
});

test('IOVA ranges: a query, too little room, enough', () => {
  const { rig, ioasId, end } = linkedRig();
  rig.lab.driver.reservedRanges = () => [{ start: BASE + PAGE, last: BASE + 2n * PAGE - 1n }];
  const second = rig.bind(2);
  attachDevice(rig.context, second, { ptId: ioasId });
  const at = words(rig, 7n, 7n, 7n, 7n);
  const args = { ioasId, allowedIovas: at, numIovas: 0 };
  expect(rig.refusal(IOAS_IOVA_RANGES, args)).toBe('EMSGSIZE num_iovas');
  expect(rig.refusal(IOAS_IOVA_RANGES, { ...args, numIovas: 1 })).toBe('EMSGSIZE num_iovas');
  expect(read(rig, at, 4)).toEqual([BASE, BASE + PAGE - 1n, 7n, 7n]);
  expect(rig.call(IOAS_IOVA_RANGES, { ...args, numIovas: 9 })).toMatchObject({ numIovas: 2, outIovaAlignment: 2048n });
  expect(read(rig, at, 4)).toEqual([BASE, BASE + PAGE - 1n, BASE + 2n * PAGE, (1n << 31n) - 1n]);
  detachDevice(rig.context, second);
  unbindDevice(rig.context, second);
  end();
});

test('edges of 64 bits', () => {
  const rig = makeRig();
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  const userVa = rig.memory.mmap(PAGE_BYTES);
  const map = { ioasId, flags: FIXED, userVa, length: PAGE, iova: U64_MAX - 1n };
  expect(rig.refusal(IOAS_MAP, map)).toBe('EOVERFLOW iova'); // wraps
  expect(rig.refusal(IOAS_MAP, { ...map, flags: RW, iova: U64_MAX })).toBe('EOVERFLOW iova'); // means nothing, yet
  expect(rig.refusal(IOAS_MAP, { ...map, userVa: U64_MAX, iova: 0n })).toBe('EOVERFLOW user_va');
  expect(rig.refusal(IOAS_MAP, { ...map, userVa: 0n, length: U64_MAX - 1n, iova: 0n })).toBe('EINVAL length');
  expect(rig.refusal(IOAS_MAP, { ...map, flags: RW, userVa: 0n, length: 1n << 63n })).toBe('EOVERFLOW length');
  expect(rig.call(IOAS_MAP, { ...map, length: 1n << 62n, iova: 0n }).iova).toBe(0n); // lazily: nothing is pinned
  expect(rig.call(IOAS_MAP, { ...map, iova: U64_MAX - PAGE + 1n }).iova).toBe(U64_MAX - PAGE + 1n); // to the last byte
  const copy = {
    srcIoasId: ioasId,
    dstIoasId: ioasId,
    flags: FIXED,
    length: PAGE,
    dstIova: 1n << 62n,
    srcIova: U64_MAX,
  };
  expect(rig.refusal(IOAS_COPY, copy)).toBe('EOVERFLOW src_iova');
  expect(rig.refusal(IOAS_COPY, { ...copy, flags: 1 })).toBe('EOVERFLOW src_iova'); // before what the flags lack
  expect(rig.refusal(IOAS_COPY, { ...copy, flags: 1, srcIova: 0n })).toBe('EINVAL flags');
  rig.call(IOAS_COPY, { ...copy, srcIova: (1n << 62n) - PAGE });
  expect(rig.refusal(IOAS_UNMAP, { ioasId, iova: 1n, length: U64_MAX })).toBe('EOVERFLOW length');
  expect(rig.call(IOAS_UNMAP, { ioasId, iova: 0n, length: U64_MAX }).length).toBe((1n << 62n) + 2n * PAGE);
  rig.expectNothingLeft();
});

test('halves of pages, as the IOMMU’s pages are: each byte is where the memory is', () => {
  const { rig, ioasId, end } = linkedRig();
  const userVa = rig.memory.mmap(3 * PAGE_BYTES);
  const physical = (iova: bigint): number => rig.lab.driver.iovaToPhys(1, iova);
  const frame = (page: bigint): number => rig.memory.frameAt(userVa + page * PAGE) * PAGE_BYTES;
  rig.call(IOAS_MAP, { ioasId, flags: FIXED, userVa: userVa + HALF, length: 2n * PAGE, iova: BASE });
  expect([0n, HALF, PAGE, PAGE + HALF, 2n * PAGE].map((at) => physical(BASE + at))).toEqual([
    frame(0n) + 2048,
    frame(1n),
    frame(1n) + 2048,
    frame(2n),
    -1,
  ]);
  expect(rig.lab.ram.pinned()).toBe(3);
  // Another piece of the same pages, from their middle: pinned already.
  rig.call(IOAS_COPY, {
    srcIoasId: ioasId,
    dstIoasId: ioasId,
    flags: FIXED,
    srcIova: BASE + HALF,
    dstIova: BASE + 8n * PAGE,
    length: PAGE,
  });
  expect(physical(BASE + 8n * PAGE)).toBe(frame(1n));
  rig.call(IOAS_UNMAP, { ioasId, iova: BASE, length: 2n * PAGE });
  expect(rig.lab.ram.pinned()).toBe(1);
  expect(physical(BASE + 8n * PAGE + HALF)).toBe(frame(1n) + 2048);
  expect(rig.refusal(IOAS_MAP, { ioasId, flags: FIXED, userVa: userVa + 5n, length: PAGE, iova: BASE })).toBe(
    'EINVAL user_va',
  );
  expect(rig.refusal(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: 5n, iova: BASE })).toBe('EINVAL length');
  expect(rig.refusal(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: PAGE, iova: BASE + 5n })).toBe('EINVAL iova');
  end();
});

test('large pages are given up before there is anything in a domain', () => {
  const { rig, ioasId, end } = linkedRig();
  const userVa = rig.memory.mmap(2 * PAGE_BYTES, { huge: true });
  const set = (val64: bigint): string =>
    rig.refusal(OPTION, { optionId: OPTION_HUGE_PAGES, op: OPTION_OP_SET, objectId: ioasId, val64 });
  const get = (): bigint =>
    rig.call(OPTION, { optionId: OPTION_HUGE_PAGES, op: OPTION_OP_GET, objectId: ioasId }).val64;
  const pieces: number[] = [];
  const { map } = rig.lab.driver;
  rig.lab.driver.map = (domain, iova, physical, bytes, prot) => {
    pieces.push(bytes);
    map.call(rig.lab.driver, domain, iova, physical, bytes, prot);
  };
  const area = { ioasId, flags: FIXED, userVa, length: 2n * PAGE, iova: BASE };
  rig.call(IOAS_MAP, area);
  expect(pieces).toEqual([2 * PAGE_BYTES]);
  expect(set(0n)).toBe('EINVAL val64');
  expect(set(2n)).toBe('EINVAL val64');
  rig.call(IOAS_UNMAP, { ioasId, iova: BASE, length: 2n * PAGE });
  expect(get()).toBe(1n);
  expect(set(0n)).toBe('');
  expect(get()).toBe(0n);
  rig.call(IOAS_MAP, area);
  expect(pieces).toEqual([2 * PAGE_BYTES, PAGE_BYTES, PAGE_BYTES]);
  expect(rig.refusal(IOAS_MAP, { ...area, length: HALF, iova: BASE + 8n * PAGE })).toBe('EINVAL length'); // whole pages only
  expect(set(1n)).toBe('');
  end();
  const plain = makeRig();
  const other = plain.call(IOAS_ALLOC).outIoasId;
  plain.call(IOAS_MAP, { ioasId: other, flags: FIXED, userVa, length: HALF, iova: 0n });
  const off = { optionId: OPTION_HUGE_PAGES, op: OPTION_OP_SET, objectId: other, val64: 0n };
  expect(plain.refusal(OPTION, off)).toBe('EADDRINUSE iova');
  expect(plain.refusal(OPTION, { ...off, objectId: 0 })).toBe('ENOENT object_id');
  plain.expectNothingLeft();
});

test('a file is mapped from an offset; what lies beyond its end is found when it is pinned', () => {
  const { rig, ioasId, end } = linkedRig();
  const file = MemoryFile.create(rig.lab.ram, 3 * PAGE_BYTES);
  rig.lab.mappable.set(1, file);
  const files = rig.lab.caller(1).files;
  const fd = files.install('test', FILE_MEMORY, 0, 1);
  const map = { ioasId, flags: FIXED, fd, start: PAGE + HALF, length: PAGE, iova: BASE };
  rig.call(IOAS_MAP_FILE, map);
  expect(rig.lab.driver.iovaToPhys(1, BASE)).toBe(file.frames[1] * PAGE_BYTES + 2048);
  expect(rig.lab.driver.iovaToPhys(1, BASE + HALF)).toBe(file.frames[2] * PAGE_BYTES);
  expect(rig.refusal(IOAS_MAP_FILE, { ...map, start: 2n * PAGE, length: 2n * PAGE, iova: BASE + 8n * PAGE })).toBe(
    'EINVAL start',
  );
  expect(rig.refusal(IOAS_MAP_FILE, { ...map, start: U64_MAX })).toBe('EOVERFLOW start');
  expect(rig.refusal(IOAS_MAP_FILE, { ...map, fd: 77 })).toBe('EBADF fd');
  expect(rig.refusal(IOAS_MAP_FILE, { ...map, fd: 77, ioasId: 77 })).toBe('ENOENT ioas_id');
  const unlinked = rig.call(IOAS_ALLOC).outIoasId;
  expect(rig.refusal(IOAS_MAP_FILE, { ...map, ioasId: unlinked, start: 9n * PAGE })).toBe('');
  files.close(fd);
  end();
});

test('a file that is not in memory is found as it is pinned: when it is mapped, or when a device comes', () => {
  const { rig, ioasId, end } = linkedRig();
  const { outFaultFd: fd, outFaultId } = rig.call(FAULT_QUEUE_ALLOC);
  const map = { ioasId, flags: FIXED, fd, length: PAGE, iova: BASE };
  expect(rig.refusal(IOAS_MAP_FILE, map)).toBe('EINVAL start');
  expect(rig.refusal(IOAS_MAP_FILE, { ...map, fd: 77, length: 0n })).toBe('EINVAL length'); // its bytes come first
  expect(rig.refusal(IOAS_MAP_FILE, { ...map, fd: 77 })).toBe('EBADF fd');
  const unlinked = rig.call(IOAS_ALLOC).outIoasId;
  rig.call(IOAS_MAP_FILE, { ...map, ioasId: unlinked });
  const devId = rig.bind(2);
  expect(refusalOf(() => attachDevice(rig.context, devId, { ptId: unlinked }))).toBe('EINVAL start');
  expect(rig.lab.ram.pinned()).toBe(0);
  unbindDevice(rig.context, devId);
  rig.lab.caller(1).files.close(fd);
  rig.destroy(outFaultId);
  end();
});

test('what is less aligned than the IOMMU’s pages is named as the call names it, with what was given', () => {
  const { rig, ioasId, end } = linkedRig();
  const { files } = rig.lab.caller(1);
  rig.lab.mappable.set(1, MemoryFile.create(rig.lab.ram, PAGE_BYTES));
  const fd = files.install('test', FILE_MEMORY, 0, 1);
  const userVa = rig.memory.mmap(2 * PAGE_BYTES) + 5n;
  const loose = rig.call(IOAS_ALLOC).outIoasId;
  rig.call(IOAS_MAP, { ioasId: loose, flags: FIXED, userVa, length: PAGE, iova: 7n });
  const refused = (body: () => unknown): [string, string, unknown] | undefined => {
    try {
      body();
    } catch (error) {
      const { call, field, value } = error as IommuError;
      return [call, field, value];
    }
    return undefined;
  };
  for (const flags of [RW, FIXED]) {
    const place = { ioasId, flags, length: HALF, iova: BASE };
    const copy = { srcIoasId: loose, srcIova: 7n, dstIoasId: ioasId, flags, length: HALF, dstIova: BASE };
    expect([
      refused(() => rig.call(IOAS_MAP, { ...place, userVa })),
      refused(() => rig.call(IOAS_MAP_FILE, { ...place, fd, start: 9n })),
      refused(() => rig.call(IOAS_COPY, copy)),
    ]).toEqual([
      ['IOAS_MAP', 'user_va', userVa],
      ['IOAS_MAP_FILE', 'start', 9n],
      ['IOAS_COPY', 'src_iova', 7n],
    ]);
  }
  const devId = rig.bind(2);
  const flags = HWPT_ALLOC_DIRTY_TRACKING;
  expect(refused(() => rig.call(HWPT_ALLOC, { devId, ptId: loose, flags }))?.[0]).toBe('HWPT_ALLOC');
  const { outHwptId: hwptId } = rig.call(HWPT_ALLOC, { devId, ptId: ioasId, flags });
  const range = { hwptId, iova: BASE, length: PAGE + 1n, pageSize: PAGE };
  expect(refused(() => rig.call(HWPT_GET_DIRTY_BITMAP, range))?.[2]).toBe(PAGE + 1n);
  unbindDevice(rig.context, devId);
  files.close(fd);
  end();
});

test('where memory is: as much as lies in one piece, from pinned pages only', () => {
  const { rig, ioasId, end } = linkedRig();
  const whole = rig.memory.mmap(4 * PAGE_BYTES, { huge: true });
  const at = (page: bigint): bigint => BigInt(rig.memory.frameAt(whole + page * PAGE) * PAGE_BYTES);
  rig.call(IOAS_MAP, { ioasId, flags: FIXED, userVa: whole, length: 2n * PAGE, iova: BASE });
  rig.call(IOAS_MAP, { ioasId, flags: FIXED, userVa: whole + 2n * PAGE, length: PAGE, iova: BASE + 2n * PAGE });
  rig.call(IOAS_MAP, { ioasId, flags: FIXED, userVa: whole, length: PAGE, iova: BASE + 3n * PAGE });
  const ask = (iova: bigint, length: bigint): unknown => {
    const { outPhys, length: bytes } = rig.call(IOAS_NOIOMMU_GET_PA, { ioasId, iova, length });
    return [outPhys, bytes];
  };
  expect(ask(BASE + 5n, 10n)).toEqual([at(0n) + 5n, 10n]);
  expect(ask(BASE + 5n, U64_MAX - BASE - 8n)).toEqual([at(0n) + 5n, 3n * PAGE - 5n]); // over two areas; the next is elsewhere
  expect(ask(BASE + 3n * PAGE, 9n * PAGE)).toEqual([at(0n), PAGE]);
  const refusal = (args: object): string =>
    rig.refusal(IOAS_NOIOMMU_GET_PA, { ioasId, iova: BASE, length: 1n, ...args });
  expect(refusal({ flags: 1 })).toBe('EOPNOTSUPP flags');
  expect(refusal({ length: 0n })).toBe('EINVAL length');
  expect(refusal({ iova: BASE + 4n * PAGE })).toBe('ENOENT iova');
  expect(refusal({ length: U64_MAX })).toBe('EOVERFLOW iova');
  const unlinked = rig.call(IOAS_ALLOC).outIoasId;
  rig.call(IOAS_MAP, { ioasId: unlinked, flags: FIXED, userVa: whole, length: PAGE, iova: BASE });
  expect(refusal({ ioasId: unlinked })).toBe('ENOENT iova'); // mapped, pinned nowhere in this IOAS
  end();
});
