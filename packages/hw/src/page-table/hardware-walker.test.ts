import { expect, test } from 'vitest';
import { compareExchangeEntry, loadEntry, seenHi } from './entry.ts';
import { PROT_READ, PROT_WRITE } from './format.ts';
import { FAULT_TRANSLATION } from './hardware-walker.ts';
import { leavesOf, rigOf } from './rig.test-help.ts';

const RW = PROT_READ | PROT_WRITE;

test('marks accessed by a read, dirty by a write, each once', () => {
  const { table } = rigOf('vtd 48 bits');
  table.map(3, 30, 1, RW);
  const walker = table.walker(undefined, { tlbEntries: 1 });
  const lo = (): number => leavesOf(table)[0].lo & 0x300;
  expect(lo()).toBe(0);
  walker.access(3, false);
  expect([lo(), walker.marks]).toEqual([0x100, 1]);
  walker.access(3, true);
  expect([lo(), walker.marks]).toEqual([0x300, 2]);
  walker.idle();
  walker.access(3, true);
  expect([walker.marks, walker.hits, walker.walks]).toEqual([2, 0, 3]);
});

test('a read’s translation is not used for a write: the page must become dirty', () => {
  const { table } = rigOf('vtd 48 bits');
  table.map(3, 30, 1, RW);
  const walker = table.walker();
  walker.access(3, false);
  walker.access(3, true);
  expect([walker.hits, walker.walks]).toEqual([0, 2]);
  walker.access(3, true);
  walker.access(3, false);
  expect(walker.hits).toBe(2);
});

test('serves an unmapped page from its cache until the invalidation, and no longer', () => {
  const rig = rigOf('amdv1 from level 2');
  const { table } = rig;
  table.map(3, 30, 1, RW);
  const walker = table.walker(rig.port());
  walker.access(3, true);
  table.unmap(3, 1);
  expect(walker.access(3, true)).toBe(30); // as real hardware does
  walker.idle();
  table.gather.sync();
  expect(walker.access(3, true)).toBe(FAULT_TRANSLATION);
});

test('an AMD leaf with only its last copy dirty: hardware marks the copy that it walked to', () => {
  const { table } = rigOf('amdv1 from level 2');
  table.map(16, 32, 16, RW); // 64 KiB: sixteen copies
  const { tree } = table;
  table.walker().access(31, true);
  const dirty: number[] = [];
  let at = 0;
  tree.entries.forEach((entry, index) => {
    if ((entry & 0xe41n) === 0xe41n) dirty.push(index);
    if ((entry & 0xe01n) === 0xe01n && at === 0) at = index;
  });
  expect(dirty).toEqual([at + 15]);
  expect(table.readAndClearDirty(16, 16, undefined)).toBe(1);
  expect(table.readAndClearDirty(16, 16, undefined)).toBe(0);
});

test('a mark is refused by an entry that changed since it was read', () => {
  const { table } = rigOf('vtd 48 bits');
  table.map(3, 30, 1, RW);
  const at = table.tree.entries.findIndex((entry) => entry === ((30n << 12n) | 3n));
  const lo = loadEntry(table.tree.entries, at);
  const hi = seenHi();
  table.unmap(3, 1);
  expect(compareExchangeEntry(table.tree.entries, at, lo, hi, lo | 0x300, hi)).toBe(false);
  expect(table.iovaToPhys(3)).toBe(-1);
});

test('refuses a cache that is no power of two', () => {
  const { table } = rigOf('vtd 48 bits');
  expect(() => table.walker(undefined, { tlbEntries: 3 })).toThrow('tlbEntries = 3');
});
