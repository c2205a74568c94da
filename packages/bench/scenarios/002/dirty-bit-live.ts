import { type Scenario, scenario, type ThreadContext } from '@faultline/bench/explore';
import {
  type CleanMethod,
  cleaned,
  DirtyBitmap,
  type DirtyRule,
  isDirty,
  peekEntry,
  seenHi,
  storeEntry,
  vtdSecondStage,
} from '@faultline/hw/page-table';
import {
  assertNothingLost,
  CONTENTS,
  copyReported,
  type Device,
  deviceWrites,
  openDevice,
  sweepAndCopy,
} from '../kit/migration.ts';
import { PageTables, type TableThread } from '../kit/page-tables.ts';
import { tiny } from '../kit/tiny-format.ts';

const PAGE = 1;
const EVERY_ENTRY = 'load, mask, store, whatever it is';
const LOAD_STORE = 'load, mask, store, if it is dirty';
const TEST_AND_CLEAR = 'test-and-clear';
const COMPARE_EXCHANGE = 'compare-exchange';
const NO_SYNC = 'compare-exchange, and no sync';
const METHODS: Readonly<Record<string, CleanMethod>> = {
  [LOAD_STORE]: 'load-store',
  [TEST_AND_CLEAR]: 'test-and-clear',
};

const tables = new PageTables(tiny(vtdSecondStage(), { indexLg2: 1, topLevel: 0 }), { regions: [CONTENTS] });

/** Cleans what it did not see to be dirty as well. */
function sweepWhateverItIs(context: ThreadContext, own: TableThread): void {
  const { entries, format } = own.table.tree;
  const rule = format.dirty as DirtyRule;
  const at = own.rootSlot(PAGE);
  const lo = peekEntry(entries, at);
  const hi = seenHi();
  storeEntry(entries, at, cleaned(rule, lo), hi);
  own.iotlb.sync();
  const bitmap = new DirtyBitmap(PAGE, 1);
  if (isDirty(rule, lo, hi)) bitmap.set(PAGE, PAGE + 1);
  copyReported(context, bitmap);
}

export const dirtyBitLive: Scenario = scenario(import.meta.url, {
  name: '002/dirty-bit-live',
  about:
    'A device writes twice to a page that stays mapped while it is swept: is the last write reported, or still marked?',
  seed: '002',
  source:
    'seed 002, "if test-and-clear was enough or whether I switch back cmpxchg"; hw/src/page-table/dirty.ts, cleanSlot(); Linux pt_common.h, pt_entry_make_write_clean()',
  designs: {
    [EVERY_ENTRY]: 'fails',
    [LOAD_STORE]: 'holds', // a mark that is lost between load and store is of a page that is being reported, and is copied after
    [TEST_AND_CLEAR]: 'holds',
    [COMPARE_EXCHANGE]: 'holds',
    [NO_SYNC]: 'fails', // the device goes on writing through what it cached as dirty
  },
  memory: tables.memory,
  setup: tables.setup((first) => first.map(PAGE, 1)),
  threads: {
    migration: {
      open: (context): TableThread => tables.open(context, { reader: true }),
      run(context, own: TableThread) {
        const { design } = context;
        if (design === EVERY_ENTRY) sweepWhateverItIs(context, own);
        else if (design === NO_SYNC) sweepAndCopy(context, own, [PAGE, 1], 'compare-exchange', () => {});
        else sweepAndCopy(context, own, [PAGE, 1], METHODS[design]);
      },
    },
    device: {
      open: openDevice(tables),
      run(context, device: Device) {
        deviceWrites(context, device, PAGE);
        deviceWrites(context, device, PAGE);
        device.walker.idle();
      },
    },
  },
  check(context) {
    sweepAndCopy(context, tables.alone(context), [PAGE, 1]);
    assertNothingLost(context);
  },
  racy: tables.racy,
});
