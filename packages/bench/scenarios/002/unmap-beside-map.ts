import { type Scenario, scenario } from '@faultline/bench/explore';
import { compareExchangeEntry, loadEntry, seenHi, vtdSecondStage } from '@faultline/hw/page-table';
import { OUTPUT, PageTables, type TableThread } from '../kit/page-tables.ts';
import { tiny } from '../kit/tiny-format.ts';

const EMPTY_UNLINKED = 'a table that is found empty is unlinked';
const COVERED_UNLINKED = 'only a table that is covered whole is unlinked';
const UNMAPPED = 2; // both in the table below the root's second slot
const MAPPED = 3;

const tables = new PageTables(tiny(vtdSecondStage(), { indexLg2: 1, topLevel: 1 }));

/** Takes an unmapped page's table away if nothing is in it, though others may map there: a range of theirs is in it as well. */
function unlinkEmpty(own: TableThread): void {
  const { tree, gather } = own.table;
  const at = own.rootSlot(UNMAPPED);
  const lo = loadEntry(tree.entries, at);
  const hi = seenHi();
  const table = tree.tableOf(lo, hi);
  for (let slot = 0; slot < tree.slots(table); slot++) if (loadEntry(tree.entries, tree.at(table, slot)) !== 0) return;
  if (compareExchangeEntry(tree.entries, at, lo, hi, 0, 0)) gather.addTable(table);
}

export const unmapBesideMap: Scenario = scenario(import.meta.url, {
  name: '002/unmap-beside-map',
  about:
    'The last page of a table is unmapped while its neighbour is being mapped: is the mapping lost with the table?',
  seed: '002',
  source:
    'seed 002, "since we\'re mapping the entire IOVA range covered by that table"; hw/src/page-table/unmap.ts, unlink(); Linux iommu_pt.h, __unmap_range()',
  designs: { [EMPTY_UNLINKED]: 'fails', [COVERED_UNLINKED]: 'holds' },
  memory: tables.memory,
  setup: tables.setup((first) => first.map(UNMAPPED, 1)),
  threads: {
    unmaps: {
      open: (context): TableThread => tables.open(context, { reader: true }),
      run({ design }, own: TableThread) {
        own.table.unmap(UNMAPPED, 1);
        if (design === EMPTY_UNLINKED) unlinkEmpty(own);
        own.settle();
      },
    },
    maps: {
      open: (context): TableThread => tables.open(context, { reader: true, hasTables: true }),
      run(_, own: TableThread) {
        own.map(MAPPED, 1);
        own.reader.offline();
      },
    },
  },
  check(context) {
    const { table } = tables.alone(context);
    const leads = table.iovaToPhys(MAPPED);
    if (leads !== OUTPUT + MAPPED) throw new Error(`page ${MAPPED} leads to ${leads}`);
    if (table.iovaToPhys(UNMAPPED) !== -1) throw new Error(`page ${UNMAPPED} is mapped still`);
  },
  guard: tables.guard,
  racy: tables.racy,
});
