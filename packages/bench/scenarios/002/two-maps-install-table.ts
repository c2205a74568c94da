import { type AnyThread, type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import { EMPTY, loadEntry, seenHi, storeEntry, vtdSecondStage } from '@faultline/hw/page-table';
import { OUTPUT, PageTables, type TableThread } from '../kit/page-tables.ts';
import { debugDump, dirtyRead, hardwareWalk, type TableReader } from '../kit/table-readers.ts';
import { tiny } from '../kit/tiny-format.ts';

const STORED = 'stored where nothing was seen';
const TAKEN_BACK = 'exchanged, and put back where something was';
const EXCHANGED = 'compared and exchanged: the loser frees its own at once';

const ALICE = 2; // both pages are below the root's second slot
const BOB = 3;
const LEVEL = 1;
const SOURCE =
  'seed 002, "whoever loses that race frees the table they allocated"; hw/src/page-table/table-tree.ts, #install(); Linux pt_defs.h, pt_table_install64()';

/** Makes the table that a page needs where none is seen: what `map` then finds. */
function installWrongly({ table: { tree }, pool }: TableThread, at: number, design: string): void {
  const { entries, format } = tree;
  if (format.kind(loadEntry(entries, at), seenHi(), LEVEL) !== EMPTY) return;
  const table = pool.alloc();
  const [lo, hi] = [format.tableLo(tree.tablePage(table), LEVEL), format.tableHi(tree.tablePage(table), LEVEL)];
  if (design === STORED) {
    storeEntry(entries, at, lo, hi);
    return;
  }
  const found = Atomics.exchange(entries, at, (BigInt(hi) << 32n) | BigInt(lo >>> 0));
  if (found === 0n) return;
  Atomics.store(entries, at, found);
  pool.free(table); // as if it had never been seen
}

function mapper(tables: PageTables, page: number, hasTables: boolean): AnyThread {
  return {
    open: (context: ThreadContext): TableThread => tables.open(context, { reader: true, hasTables }),
    run({ design }: ThreadContext, own: TableThread): void {
      if (design !== EXCHANGED) installWrongly(own, own.rootSlot(page), design);
      own.map(page, 1);
    },
  };
}

function twoMaps(wrong: string, reader?: TableReader): Scenario {
  const tables = new PageTables(tiny(vtdSecondStage(), { indexLg2: 1, topLevel: LEVEL }), { threads: 3, tables: 10 });
  const area = { first: ALICE, pages: 2, written: [] };
  const asked = reader === undefined ? '' : `, and ${reader.who} reads it meanwhile`;
  return scenario(import.meta.url, {
    name: `002/two-maps-install-table${reader === undefined ? '' : `-${reader.name}`}`,
    about: `Two maps want one table${asked}: is one table made, and both mapped in it?`,
    seed: '002',
    source: SOURCE,
    designs: { [wrong]: 'fails', [EXCHANGED]: 'holds' },
    memory: tables.memory,
    setup: tables.setup(() => {}),
    threads: {
      alice: mapper(tables, ALICE, true),
      bob: mapper(tables, BOB, false),
      ...(reader === undefined ? {} : { [reader.name]: reader.thread(tables, area) }),
    },
    check(context) {
      const { table, pool } = tables.alone(context);
      for (const page of [ALICE, BOB])
        if (table.iovaToPhys(page) !== OUTPUT + page) throw new Error(`page ${page} is not mapped any more`);
      if (pool.live() !== 2) throw new Error(`${pool.live()} tables are there, not the root and one below it`);
    },
    guard: tables.guard,
    racy: tables.racy,
  });
}

export const twoMapsInstallTable: Scenario = twoMaps(STORED);
export const twoMapsUnderDirtyRead: Scenario = twoMaps(TAKEN_BACK, dirtyRead);
export const twoMapsUnderDump: Scenario = twoMaps(TAKEN_BACK, debugDump);
export const twoMapsUnderHardware: Scenario = twoMaps(TAKEN_BACK, hardwareWalk);
