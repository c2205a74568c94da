// AMD's root, which grows.
import { expect, test } from 'vitest';
import { PROT_READ, PROT_WRITE } from './format.ts';
import { TOP_LEVEL_MASK } from './layout.ts';
import { Rig, rigOf, share } from './rig.test-help.ts';

const RW = PROT_READ | PROT_WRITE;

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
