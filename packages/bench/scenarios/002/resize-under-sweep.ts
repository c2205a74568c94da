import { type Expectation, type Scenario, scenario } from '@faultline/bench/explore';
import { amdV1, type CleanMethod, vtdSecondStage } from '@faultline/hw/page-table';
import { assertNothingLost, CONTENTS, type Device, deviceWrites, openDevice, sweepAndCopy } from '../kit/migration.ts';
import { OUTPUT, PageTables, type TableThread } from '../kit/page-tables.ts';
import { tiny } from '../kit/tiny-format.ts';

const RANGE = [2, 2] as const;
const [FIRST, PAGES] = RANGE;
const LAST = FIRST + PAGES - 1;
const BLOCK_LG2 = 13;

interface Resize {
  readonly name: string;
  readonly about: string;
  readonly source: string;
  readonly designs: Readonly<Partial<Record<CleanMethod, Expectation>>>;
  readonly tables: PageTables;
  prepare(first: TableThread): void;
  /** Pages that the device writes to, in order. */
  readonly written: readonly number[];
  resize(own: TableThread): boolean;
  /** Leaves, by their pages, and tables that are there afterwards. */
  readonly leaves: readonly number[];
  readonly live: number;
}

function underSweep({
  name,
  about,
  source,
  designs,
  tables,
  prepare,
  written,
  resize,
  leaves,
  live,
}: Resize): Scenario {
  return scenario(import.meta.url, {
    name: `002/${name}-under-sweep`,
    about: `${about} while a device has written to it and it is swept: is every write reported, by this sweep or the next?`,
    seed: '002',
    source: `seed 002, "not sure yet on dynamic demote/promote of page sizes"; ${source}; hw/src/page-table/dirty.ts`,
    designs,
    memory: tables.memory,
    setup: tables.setup(prepare),
    threads: {
      driver: {
        open: (context): TableThread => tables.open(context, { reader: true, hasTables: true }),
        run(_, own: TableThread) {
          if (!resize(own)) throw new Error('it stays as it was');
          own.settle();
        },
      },
      // The device and the migration, one after the other: two threads are fewer schedules than three.
      migration: {
        open: openDevice(tables, true),
        run(context, device: Device) {
          for (const page of written) deviceWrites(context, device, page);
          device.walker.idle();
          sweepAndCopy(context, device.own, RANGE, context.design as CleanMethod);
          device.own.reader.offline();
        },
      },
    },
    check(context) {
      const last = tables.alone(context);
      const there: number[] = [];
      last.table.visit({ leaf: ({ page, pages, oaPage }) => void (oaPage === OUTPUT + page && there.push(pages)) });
      if (there.join() !== leaves.join())
        throw new Error(`leaves of ${there.join()} pages are there, not ${leaves.join()}`);
      if (last.pool.live() !== live) throw new Error(`${last.pool.live()} tables are there, not ${live}`);
      sweepAndCopy(context, last, RANGE);
      assertNothingLost(context);
    },
    ...(tables === vtd ? { guard: tables.guard } : {}), // the other has no table but its root,
    racy: tables.racy,
  });
}

const vtd = new PageTables(tiny(vtdSecondStage(), { indexLg2: 1, topLevel: 1 }), { regions: [CONTENTS] });
const amd = new PageTables(tiny(amdV1(), { indexLg2: 2, topLevel: 0 }), { regions: [CONTENTS] });
const cut = ({ table }: TableThread): boolean => table.cut(FIRST) !== 0;
const promote = ({ table }: TableThread): boolean => table.promote(FIRST, BLOCK_LG2);
const mapBlock = (first: TableThread): void => first.map(FIRST, PAGES);
const mapPages = (first: TableThread): void => first.mapPages(FIRST, PAGES);

export const cutToTableUnderSweep: Scenario = underSweep({
  name: 'cut-to-table',
  about: 'A block is cut into a table of pages',
  source: 'hw/src/page-table/cut.ts',
  designs: { 'load-store': 'fails', 'test-and-clear': 'holds', 'compare-exchange': 'holds' },
  tables: vtd,
  prepare: mapBlock,
  written: [LAST],
  resize: cut,
  leaves: [1, 1],
  live: 2,
});

export const promoteTableUnderSweep: Scenario = underSweep({
  name: 'promote-table',
  about: 'A table of pages is made one block',
  source: 'hw/src/page-table/promote.ts',
  designs: { 'compare-exchange': 'holds' }, // the others too: what they put back is in a table that nothing leads to any more
  tables: vtd,
  prepare: mapPages,
  written: [LAST],
  resize: promote,
  leaves: [2],
  live: 1,
});

export const cutCopiesUnderSweep: Scenario = underSweep({
  name: 'cut-copies',
  about: 'A leaf in two slots is cut into two',
  source: 'hw/src/page-table/cut.ts, replicated entries',
  designs: { 'load-store': 'fails', 'test-and-clear': 'holds', 'compare-exchange': 'holds' },
  tables: amd,
  prepare: mapBlock,
  written: [LAST, FIRST],
  resize: cut,
  leaves: [1, 1],
  live: 1,
});

export const promoteCopiesUnderSweep: Scenario = underSweep({
  name: 'promote-copies',
  about: 'Two pages are made one leaf in two slots',
  source: 'hw/src/page-table/promote.ts, replicated entries',
  designs: { 'load-store': 'fails', 'test-and-clear': 'fails', 'compare-exchange': 'holds' },
  tables: amd,
  prepare: mapPages,
  written: [LAST, FIRST],
  resize: promote,
  leaves: [2],
  live: 1,
});
