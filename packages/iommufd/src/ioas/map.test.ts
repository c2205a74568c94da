import { expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { U64_MAX } from '../memory/index.ts';
import { makeRig, type Rig } from '../testing/rig.test-help.ts';
import {
  IOAS_ALLOC,
  IOAS_COPY,
  IOAS_MAP,
  IOAS_MAP_FIXED_IOVA,
  IOAS_MAP_READABLE,
  IOAS_MAP_WRITEABLE,
  IOAS_UNMAP,
} from '../uapi/index.ts';

const RW = IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE;
const FIXED = RW | IOAS_MAP_FIXED_IOVA;
const PAGE = BigInt(PAGE_BYTES);

function ioasOf(rig: Rig): number {
  return rig.call(IOAS_ALLOC).outIoasId;
}

test('what is mapped is unmapped whole, by the range or as everything', () => {
  const rig = makeRig();
  const ioasId = ioasOf(rig);
  const userVa = rig.memory.mmap(4 * PAGE_BYTES);
  const map = (iova: bigint, pages: bigint): void =>
    void rig.call(IOAS_MAP, { ioasId, flags: FIXED, userVa, length: pages * PAGE, iova });
  map(PAGE, 1n);
  map(4n * PAGE, 2n);
  expect(rig.refusal(IOAS_UNMAP, { ioasId, iova: 4n * PAGE, length: PAGE })).toBe('ENOENT iova');
  expect(rig.refusal(IOAS_UNMAP, { ioasId, iova: 2n * PAGE, length: PAGE })).toBe('ENOENT iova');
  expect(rig.call(IOAS_UNMAP, { ioasId, iova: 0n, length: 6n * PAGE }).length).toBe(3n * PAGE);
  map(PAGE, 1n);
  expect(rig.call(IOAS_UNMAP, { ioasId, iova: 0n, length: U64_MAX }).length).toBe(PAGE);
  expect(rig.call(IOAS_UNMAP, { ioasId, iova: 0n, length: U64_MAX }).length).toBe(0n);
  rig.expectNothingLeft();
});

test('what stands in the way of a mapping has its errno', () => {
  const rig = makeRig();
  const ioasId = ioasOf(rig);
  const userVa = rig.memory.mmap(4 * PAGE_BYTES);
  const good = { ioasId, flags: FIXED, userVa, length: PAGE, iova: PAGE };
  rig.call(IOAS_MAP, good);
  expect(rig.refusal(IOAS_MAP, good)).toBe('EEXIST iova');
  expect(rig.refusal(IOAS_MAP, { ...good, flags: FIXED | 8 })).toBe('EOPNOTSUPP flags');
  expect(rig.refusal(IOAS_MAP, { ...good, flags: IOAS_MAP_FIXED_IOVA })).toBe('EINVAL flags');
  expect(rig.refusal(IOAS_MAP, { ...good, length: 0n })).toBe('EINVAL length');
  expect(rig.refusal(IOAS_MAP, { ...good, length: U64_MAX })).toBe('EOVERFLOW length');
  expect(rig.refusal(IOAS_MAP, { ...good, iova: U64_MAX })).toBe('EOVERFLOW iova');
  expect(rig.refusal(IOAS_MAP, { ...good, iova: U64_MAX - PAGE + 2n })).toBe('EOVERFLOW iova');
  expect(rig.refusal(IOAS_MAP, { ...good, ioasId: 99 })).toBe('ENOENT ioas_id');
  expect(rig.refusal(IOAS_UNMAP, { ioasId, iova: PAGE, length: 0n })).toBe('EINVAL length');
  expect(rig.refusal(IOAS_UNMAP, { ioasId, iova: U64_MAX - 1n, length: 3n })).toBe('EOVERFLOW iova');
  rig.expectNothingLeft();
});

test('a place is found above 0, aligned as the memory is, in the first gap', () => {
  const rig = makeRig();
  const ioasId = ioasOf(rig);
  const userVa = rig.memory.mmap(16 * PAGE_BYTES);
  const map = (length: bigint): bigint => rig.call(IOAS_MAP, { ioasId, flags: RW, userVa, length }).iova;
  const first = map(PAGE);
  expect(first).toBe(PAGE);
  expect(map(4n * PAGE) % (4n * PAGE)).toBe(0n);
  expect(map(PAGE)).toBe(2n * PAGE);
  expect(map(PAGE)).toBe(3n * PAGE);
  expect(map(PAGE)).toBe(8n * PAGE);
  // A huge page's alignment is the most that it gets: where the memory is need not be there yet.
  const large = { ioasId, flags: RW, userVa: 2n ** 40n, length: 2n ** 30n };
  expect(rig.call(IOAS_MAP, large).iova).toBe(2n ** 21n);
  expect(rig.call(IOAS_MAP, { ...large, userVa: 0n }).iova).toBe(2n ** 30n + 2n ** 21n);
  rig.expectNothingLeft();
});

test('a copy shares its pages, and outlives what it was copied from', () => {
  const rig = makeRig();
  const srcIoasId = ioasOf(rig);
  const dstIoasId = ioasOf(rig);
  const userVa = rig.memory.mmap(4 * PAGE_BYTES);
  rig.call(IOAS_MAP, { ioasId: srcIoasId, flags: FIXED, userVa, length: 2n * PAGE, iova: PAGE });
  rig.call(IOAS_MAP, { ioasId: srcIoasId, flags: FIXED, userVa, length: PAGE, iova: 3n * PAGE });
  const copy = { srcIoasId, dstIoasId, flags: FIXED, srcIova: 2n * PAGE, length: 2n * PAGE, dstIova: 8n * PAGE };
  rig.call(IOAS_COPY, copy);
  expect(rig.refusal(IOAS_COPY, copy)).toBe('EEXIST dst_iova');
  expect(rig.refusal(IOAS_COPY, { ...copy, length: 4n * PAGE })).toBe('ENOENT src_iova');
  rig.destroy(srcIoasId);
  expect(rig.call(IOAS_UNMAP, { ioasId: dstIoasId, iova: 8n * PAGE, length: 2n * PAGE }).length).toBe(2n * PAGE);
  rig.expectNothingLeft();
});
