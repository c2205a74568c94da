import { Arena, planArena } from '@faultline/core/memory';
import { vtdSecondStage } from '@faultline/hw/page-table';
import { HWPT_ALLOC_DIRTY_TRACKING, IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE } from '@faultline/iommufd';
import { expect, test } from 'vitest';
import { driverRegions, initDriverRegions, PagingDomains } from './index.ts';

const FORMAT = vtdSecondStage();
const RW = IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE;
const MIB2 = 2 ** 21;

function makeDomains(tables = 16, threads = [1]) {
  const sizes = { domains: 8, threads: 2, tables };
  const arena = Arena.create(planArena(driverRegions(sizes)));
  initDriverRegions(arena, sizes);
  const told: string[] = [];
  const invalidatorOf = (domain: number) => ({
    invalidate: (first: number, last: number) => void told.push(`${domain}: ${first}-${last}`),
    sync: () => void told.push(`${domain}: sync`),
  });
  const of = (id: number) => new PagingDomains(arena, { id, spins: 0 }, { formatOf: () => FORMAT, invalidatorOf });
  return { arena, told, domains: threads.map(of) };
}

test('what one thread maps another finds and unmaps, and its hardware is told once a batch', () => {
  const { told, domains } = makeDomains(16, [1, 2]);
  const [one, two] = domains;
  one.allocPaging(3, 0, 0);
  one.map(3, 0x20_0000n, MIB2 * 5, MIB2, RW);
  one.map(3, 0x40_0000n, 0x7000, 0x3000, IOAS_MAP_READABLE);
  expect(two.iovaToPhys(3, 0x20_1234n)).toBe(MIB2 * 5 + 0x1234);
  expect(two.iovaToPhys(3, 0x40_2fffn)).toBe(0x9fff);
  expect(() => two.map(3, 0x40_1000n, 0x1000, 0x2000, RW)).toThrow('EADDRINUSE');
  two.unmap(3, 0x20_0000n, 0x20_3000n);
  expect(two.iovaToPhys(3, 0x40_2000n)).toBe(-1);
  expect(told).toEqual([]);
  two.sync(3);
  expect(told).toEqual(['3: 512-1026', '3: sync']);
  two.free(3);
  // The number comes again with another table: what a thread knows of the old one is not used.
  two.allocPaging(3, 0, 0);
  expect(one.iovaToPhys(3, 0x20_1234n)).toBe(-1);
  one.free(3);
  for (const each of domains) each.settle();
  expect(one.pool.live()).toBe(0);
});

test('a map that no table is left for leaves nothing mapped', () => {
  const { domains } = makeDomains(5);
  const [one] = domains;
  one.allocPaging(1, 0, 0);
  one.map(1, 0n, 0x5000, 0x1000, RW);
  expect(() => one.map(1, 2n ** 30n - 0x1000n, 0x8000, 0x2000, RW)).toThrow('ENOMEM');
  expect(one.iovaToPhys(1, 2n ** 30n - 0x1000n)).toBe(-1);
  one.sync(1);
  one.free(1);
  one.settle();
  expect(one.pool.live()).toBe(0);
});

test('dirty pages are reported as runs, cleaned unless they are kept, and not without tracking', () => {
  const { domains } = makeDomains();
  const [one] = domains;
  one.allocPaging(1, 0, HWPT_ALLOC_DIRTY_TRACKING);
  one.allocPaging(2, 0, 0);
  one.map(1, 0n, 2 ** 30, 0x8000, RW);
  one.map(1, BigInt(MIB2), MIB2 * 4, MIB2, RW);
  const read = (keep: boolean): string[] => {
    const found: string[] = [];
    const mark = (first: bigint, last: bigint): void => void found.push(`${first.toString(16)}-${last.toString(16)}`);
    one.readDirty(1, 0n, BigInt(2 * MIB2), keep, { mark });
    return found;
  };
  expect(() => read(false)).toThrow('EINVAL');
  expect(() => one.setDirtyTracking(2, true)).toThrow('EOPNOTSUPP');
  one.setDirtyTracking(1, true);
  one.online(() => {
    const walker = one.tableOf(1).walker();
    for (const page of [2, 3, 5, 512 + 100]) walker.access(page, true);
    walker.access(6, false);
  });
  const dirty = ['2000-3fff', '5000-5fff', '200000-3fffff'];
  expect(read(true)).toEqual(dirty);
  expect(read(false)).toEqual(dirty);
  expect(read(false)).toEqual([]);
  one.unmap(1, 0n, 0x8000n);
  one.unmap(1, BigInt(MIB2), BigInt(MIB2));
  one.sync(1);
  for (const domain of [1, 2]) one.free(domain);
  one.settle();
  expect(one.pool.live()).toBe(0);
});
