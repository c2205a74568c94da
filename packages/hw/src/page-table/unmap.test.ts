// What an unmap takes, in which order, and what it leaves to be flushed.
import { expect, test } from 'vitest';
import { DirtyBitmap } from './dirty-bitmap.ts';
import { PROT_READ, PROT_WRITE } from './format.ts';
import { amdV1 } from './formats/amdv1.ts';
import { FAULT_TRANSLATION } from './hardware-walker.ts';
import { leavesOf, rigOf } from './rig.test-help.ts';
import { allocPageTable, openPageTable } from './standalone.ts';

const RW = PROT_READ | PROT_WRITE;

test('AMD before 6.19: a large leaf that an unmap touches anywhere goes whole, and counts whole', () => {
  const format = amdV1({ partialUnmap: 'whole-leaf-anywhere' });
  const { table } = openPageTable(allocPageTable(format), format);
  table.map(512, 1024, 1024, RW); // 2 MiB twice: at 2 MiB, and at 4 MiB
  expect(leavesOf(table).map(({ pages }) => pages)).toEqual([512, 512]);
  expect(table.unmap(700, 1)).toBe(512);
  expect([table.gather.first, table.gather.last]).toEqual([512, 1023]);
  expect(table.iovaToPhys(512)).toBe(-1);
  expect(table.unmap(1024 + 16, 4)).toBe(512);
  expect(leavesOf(table)).toEqual([]);
});

test('one call over several leaves and tables, from the middle of one to the middle of another', () => {
  const rig = rigOf('vtd 48 bits');
  const { table } = rig;
  table.map(100, 0x10001, 2000, RW); // small leaves in four tables
  expect(table.unmap(700, 1000)).toBe(1000);
  expect(leavesOf(table).map(({ page }) => page)).toEqual([
    ...Array.from({ length: 600 }, (_, page) => 100 + page),
    ...Array.from({ length: 400 }, (_, page) => 1700 + page),
  ]);
  expect(table.gather.tables).toBe(1); // 1024 to 1535: the one that was covered whole
});

test('all of the 64-bit addresses in one call', () => {
  const rig = rigOf('amdv1 from level 5');
  const { table } = rig;
  table.map(0, 0, 2 ** 39, RW); // 2^51 bytes, from the first address on
  expect(table.unmap(0, 2 ** 52)).toBe(2 ** 39);
  table.map(2 ** 52 - 1, 5, 1, RW);
  expect(table.unmap(2 ** 52 - 1, 1)).toBe(1);
  expect([table.gather.first, table.gather.last]).toEqual([0, 2 ** 52 - 1]);
});

test('nothing unmapped, nothing to flush', () => {
  const rig = rigOf('vtd 48 bits');
  expect(rig.table.unmap(5, 10)).toBe(0);
  rig.table.gather.sync();
  expect([rig.invalidator.ranges, rig.invalidator.syncs]).toEqual([0, 0]);
});

test('entries are clear before the invalidation, which is over before a table is freed', () => {
  const order: string[] = [];
  const rig = rigOf('vtd 48 bits', {
    invalidator: {
      invalidate: (first, last, tables) => {
        order.push(`${first}-${last}${tables ? ' tables' : ''}, ${leavesOf(rig.table).length} leaves`);
      },
      sync: () => void order.push(`sync, ${rig.table.deferred.pending()} wait`),
    },
  });
  const { table } = rig;
  table.map(512, 1025, 1024, RW);
  table.unmap(512, 1024);
  expect(order).toEqual([]);
  table.gather.sync();
  expect(order).toEqual(['512-1535 tables, 0 leaves', 'sync, 0 wait']);
  expect(table.deferred.pending()).toBe(2);
});

test('destroying invalidates nothing: the driver has cut the hardware off', () => {
  const rig = rigOf('vtd 48 bits');
  rig.table.map(512, 1025, 1024, RW);
  rig.table.destroy();
  expect([rig.invalidator.syncs, rig.pool.live()]).toEqual([0, 0]);
  expect(() => rig.table.destroy()).toThrow('was destroyed already');
});

test('a replicated leaf whose copies are being cleared serves hardware through those that are left, until the flush', () => {
  const rig = rigOf('amdv1 from level 2');
  const { table } = rig;
  table.map(64, 128, 16, RW);
  const walker = table.walker(undefined, { tlbEntries: 1 });
  const { store } = Atomics;
  const seen: number[] = [];
  Atomics.store = ((words: BigInt64Array<SharedArrayBuffer>, at: number, value: bigint) => {
    walker.idle(); // looks at the table again
    seen.push(walker.access(79, true));
    return store(words, at, value);
  }) as typeof Atomics.store;
  try {
    expect(table.unmap(64, 16)).toBe(16);
  } finally {
    Atomics.store = store;
  }
  expect(seen).toEqual(new Array(16).fill(143)); // the last copy goes last
  walker.idle();
  expect(walker.access(79, true)).toBe(FAULT_TRANSLATION);
});

test('an unmap does not say what was dirty: that is read before it, without cleaning or flushing', () => {
  const rig = rigOf('amdv1 from level 2');
  const { table } = rig;
  table.map(64, 128, 16, RW);
  table.walker().access(70, true);
  const bitmap = new DirtyBitmap(64, 16);
  expect(table.readDirty(64, 16, bitmap)).toBe(1);
  expect([table.gather.last, rig.invalidator.syncs]).toEqual([-1, 0]);
  expect(table.unmap(64, 16)).toBe(16);
  table.gather.sync();
  expect([bitmap.count(), rig.invalidator.syncs]).toEqual([16, 1]);
});
