import type { Scenario } from '@faultline/bench/explore';
import { FIRST, freedUnder, PAGES, type Story } from '../kit/freed-tables.ts';
import type { TableThread } from '../kit/page-tables.ts';
import { debugDump, dirtyRead, hardwareWalk } from '../kit/table-readers.ts';

const story: Story = {
  name: 'unmap-finds-table',
  about: 'An unmap of a whole block finds a table in its place, and unlinks it with those below',
  source:
    'seed 002, "we get a block-sized unmap but find a table entry"; hw/src/page-table/unmap.ts; Linux iommu_pt.h, __unmap_range()',
  written: [FIRST],
  prepare(first: TableThread) {
    first.mapPages(FIRST, PAGES);
    first.table.walker().access(FIRST, true);
  },
  unlink({ table }: TableThread) {
    const unmapped = table.unmap(FIRST, PAGES);
    if (unmapped !== PAGES) throw new Error(`${unmapped} of ${PAGES} pages were unmapped`);
  },
  check({ table, pool }: TableThread, pending: number) {
    const left = table.describe().slice(1);
    if (left.length > 0 || pool.live() - pending !== 1)
      throw new Error(`${pool.live()} tables are left: ${left.join(', ')}`);
  },
};

export const unmapUnderDirtyRead: Scenario = freedUnder(import.meta.url, story, dirtyRead);
export const unmapUnderDump: Scenario = freedUnder(import.meta.url, story, debugDump);
export const unmapUnderHardware: Scenario = freedUnder(import.meta.url, story, hardwareWalk);
