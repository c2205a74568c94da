import type { Scenario } from '@faultline/bench/explore';
import { FIRST, freedUnder, PAGES, type Story } from '../kit/freed-tables.ts';
import { OUTPUT, type TableThread } from '../kit/page-tables.ts';
import { debugDump, dirtyRead, hardwareWalk } from '../kit/table-readers.ts';

const story: Story = {
  name: 'block-over-table',
  about: 'A block is mapped over a table that is empty, and unlinks it with those below',
  source:
    'seed 002, "we\'re mapping a block entry, and find that there\'s already a table entry"; hw/src/page-table/map.ts, clearTheWay(); Linux iommu_pt.h, clear_contig()',
  written: [],
  prepare(first: TableThread) {
    first.mapPages(FIRST, PAGES);
    for (let page = FIRST; page < FIRST + PAGES; page++) first.table.unmap(page, 1); // piecewise, so that the table stays
  },
  unlink(driver: TableThread) {
    driver.map(FIRST, PAGES);
  },
  check({ table, pool }: TableThread, pending: number) {
    const leads = table.iovaToPhys(FIRST + 1);
    if (leads !== OUTPUT + FIRST + 1) throw new Error(`the block leads to ${leads}`);
    if (pool.live() - pending !== 1) throw new Error(`${pool.live()} tables are there, not the root alone`);
  },
};

export const blockUnderDirtyRead: Scenario = freedUnder(import.meta.url, story, dirtyRead);
export const blockUnderDump: Scenario = freedUnder(import.meta.url, story, debugDump);
export const blockUnderHardware: Scenario = freedUnder(import.meta.url, story, hardwareWalk);
