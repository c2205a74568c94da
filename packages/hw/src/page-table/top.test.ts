// AMD's root, which grows.
import { expect, test } from 'vitest';
import { loadEntry, seenHi } from './entry.ts';
import { PROT_READ, PROT_WRITE } from './format.ts';
import { PT_TOP, TOP_LEVEL_MASK, TOP_TABLE_SHIFT } from './layout.ts';
import { Rig, rigOf, share } from './rig.test-help.ts';

const RW = PROT_READ | PROT_WRITE;

test('hardware is told of the new root before anybody can see it; nothing is invalidated', () => {
  const seen: number[] = [];
  const rig = rigOf('amdv1 from level 0', {
    changeTop(table, level) {
      const { tree } = rig.table;
      const { words, base } = tree;
      const old = Atomics.load(words, base + PT_TOP);
      seen.push(old & TOP_LEVEL_MASK, level);
      // The older root is what the new one's first slot leads to, however many levels there are between.
      let below = table;
      for (let above = level; above > (old & TOP_LEVEL_MASK); above--)
        below = tree.tableOf(loadEntry(tree.entries, tree.at(below, 0)), seenHi());
      expect(below).toBe(old >>> TOP_TABLE_SHIFT);
    },
  });
  rig.table.map(3, 77, 1, RW);
  rig.table.map(2 ** 9, 78, 1, RW);
  rig.table.map(2 ** 30, 79, 1, RW);
  expect(seen).toEqual([0, 1, 1, 3]);
  expect([rig.table.gather.last, rig.invalidator.syncs, rig.table.deferred.pending()]).toEqual([-1, 0, 0]);
});

test('several levels at once; and a leaf above the top', () => {
  const rig = rigOf('amdv1 from level 0');
  rig.table.map(2 ** 51, 5, 1, RW);
  expect(rig.table.tree.top() & TOP_LEVEL_MASK).toBe(5);
  const other = rigOf('amdv1 from level 0');
  other.table.map(0, 0, 2 ** 18, RW); // 1 GiB at 0: a level 2 leaf
  expect(other.table.tree.top() & TOP_LEVEL_MASK).toBe(2);
  expect(other.table.iovaToPhys(2 ** 18 - 1)).toBe(2 ** 18 - 1);
});

test('another thread’s view follows', () => {
  const shared = share('amdv1 from level 2', 2);
  const [first, second] = [new Rig(shared, 1), new Rig(shared, 2)];
  expect(second.table.iovaToPhys(2 ** 40)).toBe(-1);
  first.table.map(2 ** 40, 9, 1, RW);
  expect(second.table.iovaToPhys(2 ** 40)).toBe(9);
  expect(second.table.unmap(2 ** 40, 1)).toBe(1);
  expect(first.table.iovaToPhys(2 ** 40)).toBe(-1);
});

test('a growth that runs out of tables leaves nothing behind', () => {
  const shared = share('amdv1 from level 0', 1, 1, 4);
  const rig = new Rig(shared);
  const live = rig.pool.live();
  expect(() => rig.table.map(2 ** 51, 5, 1, RW)).toThrow('ENOMEM');
  expect(rig.pool.live()).toBe(live);
  expect(rig.table.tree.top() & TOP_LEVEL_MASK).toBe(0);
  rig.table.map(3, 5, 1, RW);
  expect(rig.table.iovaToPhys(3)).toBe(5);
});

test('running out of tables in the middle of a map leaves nothing mapped', () => {
  for (let tables = 4; tables < 9; tables++) {
    const rig = new Rig(share('vtd 48 bits', 1, 1, tables));
    let failed = false;
    try {
      rig.table.map(512, 1025, 4 * 512, RW);
    } catch (error) {
      expect((error as { code: string }).code).toBe('ENOMEM');
      failed = true;
    }
    expect(failed).toBe(tables < 7);
    expect(rig.table.iovaToPhys(512)).toBe(failed ? -1 : 1025);
    rig.settle();
    rig.table.destroy();
    expect(rig.pool.live()).toBe(0);
  }
});
