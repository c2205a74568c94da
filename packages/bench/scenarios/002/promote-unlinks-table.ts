import type { Scenario } from '@faultline/bench/explore';
import { FIRST, freedUnder, PAGES, type Story } from '../kit/freed-tables.ts';
import { OUTPUT, type TableThread } from '../kit/page-tables.ts';
import { debugDump, dirtyRead, hardwareWalk } from '../kit/table-readers.ts';

const BLOCK_LG2 = 14;

const story: Story = {
  name: 'promote-unlinks-table',
  about: 'A table of tables, all mapped in a row, is made one block, and unlinked with those below',
  source: 'seed 002, "dynamic demote/promote of page sizes if it changes this"; hw/src/page-table/promote.ts',
  written: [],
  mapped: true,
  prepare(first: TableThread) {
    first.mapPages(FIRST, PAGES);
  },
  unlink({ table }: TableThread) {
    if (!table.promote(FIRST, BLOCK_LG2)) throw new Error('it stays as it was');
  },
  check({ table, pool }: TableThread, pending: number) {
    const leads = table.iovaToPhys(FIRST + 1);
    if (leads !== OUTPUT + FIRST + 1) throw new Error(`the block leads to ${leads}`);
    if (pool.live() - pending !== 1) throw new Error(`${pool.live()} tables are there, not the root alone`);
  },
};

export const promoteUnderDirtyRead: Scenario = freedUnder(import.meta.url, story, dirtyRead);
export const promoteUnderDump: Scenario = freedUnder(import.meta.url, story, debugDump);
export const promoteUnderHardware: Scenario = freedUnder(import.meta.url, story, hardwareWalk);
