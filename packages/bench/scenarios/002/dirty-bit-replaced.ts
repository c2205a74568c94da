import { type Scenario, scenario } from '@faultline/bench/explore';
import { amdV1, armLpae, type CleanMethod } from '@faultline/hw/page-table';
import { assertNothingLost, CONTENTS, sweepAndCopy, write } from '../kit/migration.ts';
import { OUTPUT, PageTables, RW, type TableThread } from '../kit/page-tables.ts';
import { tiny } from '../kit/tiny-format.ts';

const LOAD_STORE = 'load-store';
const TEST_AND_CLEAR = 'test-and-clear';
const COMPARE_EXCHANGE = 'compare-exchange';
const SOURCE =
  'seed 002, "might be a smaller size then what got dirtied with iopte split or racing with a new map"; hw/src/page-table/dirty.ts, cleanSlot()';

/** Two pages; the first is mapped alone at first, then both by one leaf of two copies. */
const [FIRST, SECOND] = [0, 1];
const amd = new PageTables(tiny(amdV1(), { indexLg2: 2, topLevel: 0 }), { regions: [CONTENTS] });

export const dirtyBitOfLargerLeaf: Scenario = scenario(import.meta.url, {
  name: '002/dirty-bit-larger-leaf',
  about:
    'While a dirty page is swept, a leaf of two pages takes its place, and a device writes to the second: is that lost?',
  seed: '002',
  source: SOURCE,
  designs: { [LOAD_STORE]: 'fails', [TEST_AND_CLEAR]: 'fails', [COMPARE_EXCHANGE]: 'holds' },
  memory: amd.memory,
  setup: amd.setup((first) => {
    first.map(FIRST, 1);
    first.table.walker().access(FIRST, true);
  }),
  threads: {
    migration: {
      open: (context): TableThread => amd.open(context, { reader: true }),
      run: (context, own: TableThread) => sweepAndCopy(context, own, [FIRST, 2], context.design as CleanMethod),
    },
    driver: {
      open: (context): TableThread => amd.open(context, { reader: true }),
      run(context, { table, port }: TableThread) {
        table.unmap(FIRST, 1);
        table.gather.sync();
        table.map(FIRST, 2 * OUTPUT, 2, RW);
        // A device writes to the second page; of the two copies of the leaf, hardware marks whichever it likes.
        const hardware = table.walker(port);
        hardware.access(FIRST, true);
        write(context, SECOND);
        hardware.idle();
      },
    },
  },
  check(context) {
    const last = amd.alone(context);
    const leads = last.table.iovaToPhys(FIRST);
    if (leads !== 2 * OUTPUT) throw new Error(`page ${FIRST} leads to ${leads}, where it was mapped before`);
    sweepAndCopy(context, last, [FIRST, 2]);
    assertNothingLost(context);
  },
  racy: amd.racy,
});

/** A block of two pages, below the root's second slot. */
const [BLOCK, PAGES] = [2, 2];
const arm = new PageTables(tiny(armLpae({ stage: 1, dirty: true }), { indexLg2: 1, topLevel: 1 }));

export const dirtyBitInEmptySlot: Scenario = scenario(import.meta.url, {
  name: '002/dirty-bit-empty-slot',
  about:
    'While a dirty block is swept it is unmapped, and one page of it mapped anew: does what was left in the slot matter?',
  seed: '002',
  source: `${SOURCE}; hw/src/page-table/table-tree.ts, #install(); Linux io-pgtable-arm.c, visit_dirty()`,
  designs: {
    [LOAD_STORE]: 'fails',
    [TEST_AND_CLEAR]: 'holds', // to clean is to set a bit here: it is left in the empty slot, and whoever maps replaces it
    [COMPARE_EXCHANGE]: 'holds',
  },
  memory: arm.memory,
  setup: arm.setup((first) => first.map(BLOCK, PAGES)), // born dirty, as every writable leaf here
  threads: {
    migration: {
      open: (context): TableThread => arm.open(context, { reader: true }),
      run({ design }, { table }: TableThread) {
        table.readAndClearDirty(BLOCK, PAGES, undefined, table.gather, design as CleanMethod);
      },
    },
    driver: {
      open: (context): TableThread => arm.open(context, { reader: true, hasTables: true }),
      run(_, own: TableThread) {
        own.table.unmap(BLOCK, PAGES);
        own.table.gather.sync();
        own.map(BLOCK, 1);
      },
    },
  },
  check(context) {
    const { table } = arm.alone(context);
    if (table.iovaToPhys(BLOCK) !== OUTPUT + BLOCK) throw new Error(`page ${BLOCK} is not mapped`);
    if (table.iovaToPhys(BLOCK + 1) !== -1) throw new Error(`page ${BLOCK + 1} is mapped still`);
  },
  racy: arm.racy,
});
