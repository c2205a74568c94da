import { type AnyThread, type Region, type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import { amdV1, type ChangeTop, storeEntry, TOP_TABLE_SHIFT } from '@faultline/hw/page-table';
import { OUTPUT, PageTables, type TableThread } from '../kit/page-tables.ts';
import { tiny } from '../kit/tiny-format.ts';

const SOURCE = 'hw/src/page-table/table-tree.ts, #grow(); Linux iommu_pt.h, increase_top()';
const GROWING = tiny(amdV1(), { indexLg2: 1, topLevel: 0, maxTopLevel: 2 });
const NEAR = 2; // needs a root of level 1
const FAR = 4; // and this one of level 2

/** Puts a root above the one that it sees, and makes it the top, whatever the top is by then. */
function growWithoutLook({ words, at }: ThreadContext, own: TableThread, then: ChangeTop): void {
  const { entries, format } = own.table.tree;
  const { root, level } = own.top();
  const above = own.pool.alloc();
  const address = own.table.tree.tablePage(root);
  storeEntry(
    entries,
    own.table.tree.at(above, 0),
    format.tableLo(address, level + 1),
    format.tableHi(address, level + 1),
  );
  Atomics.store(words, at('page table'), (above << TOP_TABLE_SHIFT) | (level + 1));
  then(above, level + 1);
}

const STORED = 'the top stored whatever it is';
const COMPARED = 'the top compared under its lock';
const both = new PageTables(GROWING, { tables: 12 });

function mapper(page: number, hasTables: boolean): AnyThread {
  return {
    open: (context: ThreadContext): TableThread => both.open(context, { reader: true, hasTables }),
    run(context: ThreadContext, own: TableThread): void {
      const { geometry } = own.table.tree;
      if (context.design === STORED)
        while (!geometry.reaches(own.top().level, page, page)) growWithoutLook(context, own, () => {});
      own.map(page, 1);
    },
  };
}

export const topGrowth: Scenario = scenario(import.meta.url, {
  name: '002/top-growth',
  about: 'Two maps need a higher root, one of them two levels more: is either mapping lost, or a table?',
  seed: '002',
  source: SOURCE,
  designs: { [STORED]: 'fails', [COMPARED]: 'holds' },
  memory: both.memory,
  setup: both.setup(() => {}),
  threads: { near: mapper(NEAR, true), far: mapper(FAR, false) },
  check(context) {
    const { table, pool } = both.alone(context);
    for (const page of [NEAR, FAR])
      if (table.iovaToPhys(page) !== OUTPUT + page) throw new Error(`page ${page} is not mapped any more`);
    const tables = 6; // roots of three levels, one table for the near page, two for the far one
    if (pool.live() !== tables) throw new Error(`${pool.live()} tables are there, not ${tables}`);
  },
  racy: both.racy,
});

const SOFTWARE_FIRST = 'the top first, then hardware';
const HARDWARE_FIRST = 'hardware first, then the top';
const NEXT = NEAR + 1;
/** Level of the root that hardware walks from. */
const ROOT: Region = { name: 'hardware root', words: 1, fields: { LEVEL: 0 } };
const told = new PageTables(GROWING, { regions: [ROOT] });

export const topGrowthTold: Scenario = scenario(import.meta.url, {
  name: '002/top-growth-hardware',
  about: 'One map grows the root, another uses what has grown: can hardware reach what is mapped by then?',
  seed: '002',
  source: SOURCE,
  designs: { [SOFTWARE_FIRST]: 'fails', [HARDWARE_FIRST]: 'holds' },
  memory: told.memory,
  setup: told.setup(() => {}),
  threads: {
    grows: {
      open(context): TableThread {
        const { words, at } = context;
        const changeTop: ChangeTop = (_, level) => void Atomics.store(words, at(ROOT.name), level);
        return told.open(context, { reader: true, hasTables: true, changeTop });
      },
      run(context, own: TableThread) {
        const { words, at, design } = context;
        if (design === SOFTWARE_FIRST)
          growWithoutLook(context, own, (_, level) => void Atomics.store(words, at(ROOT.name), level));
        own.map(NEAR, 1);
      },
    },
    uses: {
      open: (context): TableThread => told.open(context, { reader: true }),
      run({ words, at }, own: TableThread) {
        const { geometry } = own.table.tree;
        if (!geometry.reaches(own.top().level, NEXT, NEXT)) return;
        own.map(NEXT, 1);
        const level = Atomics.load(words, at(ROOT.name));
        if (!geometry.reaches(level, NEXT, NEXT))
          throw new Error(`page ${NEXT} is mapped, and hardware walks from level ${level}, which does not reach it`);
      },
    },
  },
  racy: told.racy,
});
