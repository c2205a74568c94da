import { Arena, planArena } from '@faultline/core/memory';
import { Doorbell } from '@faultline/core/sync';
import { expect, test } from 'vitest';
import {
  allocPageTable,
  DirtyBitmap,
  FAULT_PERMISSION,
  FAULT_TRANSLATION,
  openPageTable,
  PROT_READ,
  PROT_WRITE,
  vtdSecondStage,
} from '../page-table/index.ts';
import { TOP_TABLE_SHIFT } from '../page-table/layout.ts';
import { bellRegions, initBells } from '../testing/arena-parts.ts';
import { VtdHardware } from './hardware.ts';
import { PasidTables } from './pasid-tables.ts';
import { FAULT_SECOND_STAGE, Remapper } from './remapper.ts';
import { initVtd, type VtdConfig, vtdWords } from './unit.ts';
import { UnitControl } from './unit-control.ts';
import { VtdOps } from './vtd-ops.ts';

const RID = 3;
const PASID = 70;
const RW = PROT_READ | PROT_WRITE;
const PRESENT = 3n; // and writable, of a guest's entry

function makeUnit() {
  const vtd: VtdConfig = { requestOrder: 0, invalidationOrder: 0, rids: 8, ports: 1, threads: 1, walkers: 1 };
  const arena = Arena.create(planArena([{ name: 'vtd', words: vtdWords(vtd) }, ...bellRegions(['irq', 'hardware'])]));
  initBells(arena, ['irq', 'hardware']);
  const { words } = arena;
  const base = arena.base('vtd');
  initVtd(words, base, vtd);
  const hardwareDoorbell = new Doorbell(words, arena.base('hardware'));
  const hardware = new VtdHardware(words, base, {
    ports: [],
    irq: new Doorbell(words, arena.base('irq')),
    clock: () => 0,
  });
  const ops = new VtdOps(words, base, 0, { self: { id: 1, spins: 0 }, hardwareDoorbell });
  const run = (steps: Generator): void => {
    while (steps.next().done !== true) hardware.pump(100);
  };
  run(new UnitControl(words, base, ops, hardwareDoorbell, 1000).enable());
  const shared = allocPageTable(vtdSecondStage());
  const { table } = openPageTable(shared, vtdSecondStage());
  const memory = new BigInt64Array(new SharedArrayBuffer(64 * 4096));
  const remapper = new Remapper(words, base, { walker: 0, tables: shared.entries, memory });
  const root = (table.tree.top() >>> TOP_TABLE_SHIFT) * 4096;
  const tables = new PasidTables(words, base);
  tables.writeContext(RID, false); // devices without a TLB are translated, too
  return { table, memory, remapper, tables, root, ops, sync: () => run(ops.syncSteps()) };
}

test('a nested entry is walked by both stages, a guest’s tables through the second', () => {
  const { table, memory, remapper, tables, root } = makeUnit();
  // The guest's pages 0x100 on lie in memory's pages 8 on, but for 0x10f; its tables are in 0x100 to 0x103.
  table.map(0x100, 8, 15, RW);
  const entryAt = (frame: number, index: number): number => frame * 512 + index;
  for (let level = 0; level < 3; level++)
    memory[entryAt(8 + level, level === 2 ? 1 : 0)] = BigInt((0x101 + level) * 4096) | PRESENT;
  memory[entryAt(11, 5)] = 0x105_000n | PRESENT;
  memory[entryAt(11, 6)] = 0x106_000n | 1n; // read-only
  memory[entryAt(11, 7)] = 0x10f_000n | PRESENT;
  memory[entryAt(10, 2)] = 0x10f_000n | PRESENT; // a table outside
  const stages = { firstLevelLo: 0x100_000, secondLevelLo: root };
  tables.writePasid(RID, PASID, { kind: 'nested', did: 2, ...stages, dirtyBits: true });
  tables.writePasid(RID, 0, { kind: 'second-level', did: 1, secondLevelLo: root });
  const page = 512 + 5;
  expect(remapper.access(RID, PASID, page, true)).toBe(13);
  expect(memory[entryAt(11, 5)] & 0x60n).toBe(0x60n); // accessed, dirty
  expect(remapper.access(RID, PASID, page + 1, false)).toBe(14);
  expect(remapper.access(RID, PASID, page + 1, true)).toBe(FAULT_PERMISSION);
  expect(remapper.access(RID, PASID, page + 2, false)).toBe(FAULT_SECOND_STAGE);
  expect(remapper.access(RID, PASID, page + 3, false)).toBe(FAULT_TRANSLATION);
  expect(remapper.access(RID, PASID, 1024, false)).toBe(FAULT_SECOND_STAGE);
  expect(remapper.access(RID, PASID + 1, page, false)).toBe(FAULT_TRANSLATION);
  expect(remapper.access(RID, -1, 0x100, false)).toBe(8);
  expect(remapper.access(RID + 1, -1, 0x100, false)).toBe(FAULT_TRANSLATION);
  // The guest's tables were written to, and the page: the second stage says so.
  const bitmap = new DirtyBitmap(0x100, 16);
  table.readDirty(0x100, 16, bitmap);
  expect(bitmap.bits[0]).toBe(0b10_1111);
});

test('a translation is kept until its domain is invalidated, and by then no access goes through it', () => {
  const { table, remapper, tables, root, ops, sync } = makeUnit();
  table.map(5, 7, 1, RW);
  tables.writePasid(RID, PASID, { kind: 'second-level', did: 9, secondLevelLo: root });
  expect(remapper.access(RID, PASID, 5, true)).toBe(7);
  table.unmap(5, 1);
  table.gather.sync(); // tells nobody
  expect(remapper.access(RID, PASID, 5, true)).toBe(7);
  ops.invalidateAll(8, -1); // another domain's
  sync();
  expect(remapper.access(RID, PASID, 5, true)).toBe(7);
  expect(remapper.hits).toBe(2);
  ops.invalidateRange(9, -1, 5, 0, 1);
  sync();
  expect(remapper.access(RID, PASID, 5, true)).toBe(FAULT_TRANSLATION);
  // An access that is under way holds the invalidation up: one thread cannot show more than that it is seen as such.
  table.map(5, 6, 1, RW);
  const outputs: number[] = [];
  remapper.access(RID, PASID, 5, false, (output) => outputs.push(output));
  expect(outputs).toEqual([6]);
});
