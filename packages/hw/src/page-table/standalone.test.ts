import { expect, test } from 'vitest';
import * as pt from './index.ts';

test('the ten lines that map and sweep a table', () => {
  const format = pt.amdV1();
  const { table } = pt.openPageTable(pt.allocPageTable(format), format);
  table.map(0x100, 0x80100, 0x300, pt.PROT_READ | pt.PROT_WRITE); // pages of 4 KiB: 1 MiB, and 2 MiB at 2 MiB
  const device = table.walker();
  expect(device.access(0x180, true)).toBe(0x80180); // a write, somewhere in the first leaf
  const bitmap = new pt.DirtyBitmap(0x100, 0x300);
  expect(table.readAndClearDirty(0x100, 0x300, bitmap)).toBe(1);
  table.gather.sync();
  expect(bitmap.count()).toBe(0x100); // the whole leaf: one bit a leaf is all that hardware has
  expect(pt.describeTable(table).length).toBe(5);
});

test('threads share it', () => {
  const format = pt.vtdSecondStage();
  const shared = pt.allocPageTable(format, { threads: 2 });
  const first = pt.openPageTable(shared, format);
  const second = pt.openPageTable(shared, format, { id: 2, spins: 0 });
  first.table.map(1, 2, 1, pt.PROT_READ);
  expect(second.table.iovaToPhys(1)).toBe(2);
  expect(() => pt.openPageTable(shared, format, { id: 3, spins: 0 })).toThrow('self.id');
  expect(() => pt.allocPageTable(format, { threads: 0 })).toThrow('threads = 0');
});

test('a joined root stands beside the tables', () => {
  const format = pt.armLpae({ stage: 2, granuleLg2: 14, iasLg2: 40, oasLg2: 40 });
  const { table } = pt.openPageTable(pt.allocPageTable(format), format);
  table.map(2 ** 28 - 4, 4, 4, pt.PROT_READ);
  expect(table.iovaToPhys(2 ** 28 - 1)).toBe(7);
  table.destroy();
  expect(table.tree.pool.live()).toBe(0);
});

test('every benchmark of every format runs', () => {
  for (const format of [pt.amdV1(), pt.x86FirstStage(), pt.armLpae({ stage: 1, granuleLg2: 16, dirty: true })])
    for (const { run, before, operations } of pt.pageTableCosts(format)) {
      for (let round = 0; round < 2; round++) {
        before?.();
        run();
      }
      expect(operations).toBe(512);
    }
});
