import { type Scenario, scenario } from '@faultline/bench/explore';
import { amdV1, vtdSecondStage } from '@faultline/hw/page-table';
import { assertNothingLost, CONTENTS, type Device, deviceWrites, openDevice, sweepAndCopy } from '../kit/migration.ts';
import { cutCopies, cutToTable, promoteCopies, promoteTable } from '../kit/one-look.ts';
import { OUTPUT, PageTables, type TableThread } from '../kit/page-tables.ts';
import { tiny } from '../kit/tiny-format.ts';

const ONE_LOOK = 'dirtiness looked at once';
const EVERY_LOOK = 'what was replaced looked at too, and once more after the sync';

const RANGE = [2, 2] as const;
const [FIRST, PAGES] = RANGE;
const BLOCK_LG2 = 13;

interface Resize {
  readonly name: string;
  readonly about: string;
  readonly source: string;
  readonly tables: PageTables;
  prepare(first: TableThread): void;
  oneLook(own: TableThread, range: typeof RANGE): void;
  resize(own: TableThread): boolean;
}

function underDevice({ name, about, source, tables, prepare, oneLook, resize }: Resize): Scenario {
  return scenario(import.meta.url, {
    name: `002/${name}`,
    about: `${about} while a device writes to it: is every write reported?`,
    seed: '002',
    source: `seed 002, "dynamic demote/promote of page sizes"; ${source}`,
    designs: { [ONE_LOOK]: 'fails', [EVERY_LOOK]: 'holds' },
    memory: tables.memory,
    setup: tables.setup(prepare),
    threads: {
      driver: {
        open: (context): TableThread => tables.open(context, { reader: true, hasTables: true }),
        run({ design }, own: TableThread) {
          if (design === ONE_LOOK) oneLook(own, RANGE);
          else if (!resize(own)) throw new Error('it stays as it was');
          own.settle();
        },
      },
      device: {
        open: openDevice(tables),
        run(context, device: Device) {
          deviceWrites(context, device, FIRST + PAGES - 1);
          deviceWrites(context, device, FIRST);
          device.walker.idle();
        },
      },
    },
    check(context) {
      const last = tables.alone(context);
      for (let page = FIRST; page < FIRST + PAGES; page++)
        if (last.table.iovaToPhys(page) !== OUTPUT + page) throw new Error(`page ${page} leads elsewhere`);
      sweepAndCopy(context, last, RANGE);
      assertNothingLost(context);
    },
    ...(tables === vtd ? { guard: tables.guard } : {}), // the other has no table but its root
    racy: tables.racy,
  });
}

const vtd = new PageTables(tiny(vtdSecondStage(), { indexLg2: 1, topLevel: 1 }), { regions: [CONTENTS] });
const amd = new PageTables(tiny(amdV1(), { indexLg2: 2, topLevel: 0 }), { regions: [CONTENTS] });
const cut = ({ table }: TableThread): boolean => table.cut(FIRST) !== 0;
const promote = ({ table }: TableThread): boolean => table.promote(FIRST, BLOCK_LG2);

export const cutToTableUnderDevice: Scenario = underDevice({
  name: 'cut-to-table',
  about: 'A block is cut into a table of pages',
  source: 'hw/src/page-table/cut.ts',
  tables: vtd,
  prepare: (first) => first.map(FIRST, PAGES),
  oneLook: cutToTable,
  resize: cut,
});

export const promoteTableUnderDevice: Scenario = underDevice({
  name: 'promote-table',
  about: 'A table of pages is made one block',
  source: 'hw/src/page-table/promote.ts',
  tables: vtd,
  prepare: (first) => first.mapPages(FIRST, PAGES),
  oneLook: promoteTable,
  resize: promote,
});

export const cutCopiesUnderDevice: Scenario = underDevice({
  name: 'cut-copies',
  about: 'A leaf in two slots is cut into two',
  source: 'hw/src/page-table/cut.ts, replicated entries',
  tables: amd,
  prepare: (first) => first.map(FIRST, PAGES),
  oneLook: cutCopies,
  resize: cut,
});

export const promoteCopiesUnderDevice: Scenario = underDevice({
  name: 'promote-copies',
  about: 'Two pages are made one leaf in two slots',
  source: 'hw/src/page-table/promote.ts, replicated entries',
  tables: amd,
  prepare: (first) => first.mapPages(FIRST, PAGES),
  oneLook: promoteCopies,
  resize: promote,
});
