import { type Context, type Scenario, scenario } from '@faultline/bench/explore';
import {
  amdV1,
  type CleanMethod,
  cleaned,
  compareExchangeEntry,
  DirtyBitmap,
  type DirtyRule,
  isDirty,
  peekEntry,
  seenHi,
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

const [FIRST, PAGES] = [0, 2]; // one leaf, in two slots that are copies of each other
const FIRST_COPY = 'the first copy, by compare-exchange';
const LOAD_STORE = 'every copy, by load, mask, store';
const TEST_AND_CLEAR = 'every copy, by test-and-clear';
const COMPARE_EXCHANGE = 'every copy, by compare-exchange';
const METHODS: Readonly<Record<string, CleanMethod>> = {
  [LOAD_STORE]: 'load-store',
  [TEST_AND_CLEAR]: 'test-and-clear',
  [COMPARE_EXCHANGE]: 'compare-exchange',
};

const tables = new PageTables(tiny(amdV1(), { indexLg2: 2, topLevel: 0 }), { regions: [CONTENTS] });

/** Takes the first copy for the leaf. */
function sweepFirstCopy(context: Context, own: TableThread): void {
  const { entries, format } = own.table.tree;
  const rule = format.dirty as DirtyRule;
  const at = own.rootSlot(FIRST);
  const bitmap = new DirtyBitmap(FIRST, PAGES);
  for (;;) {
    const lo = peekEntry(entries, at);
    const hi = seenHi();
    if (!isDirty(rule, lo, hi)) break;
    if (!compareExchangeEntry(entries, at, lo, hi, cleaned(rule, lo), hi)) continue;
    bitmap.set(FIRST, FIRST + PAGES);
    break;
  }
  own.iotlb.sync();
  copyReported(context, bitmap);
}

function sweep(context: Context, own: TableThread): void {
  if (context.design === FIRST_COPY) sweepFirstCopy(context, own);
  else sweepAndCopy(context, own, [FIRST, PAGES], METHODS[context.design]);
}

export const dirtyCopies: Scenario = scenario(import.meta.url, {
  name: '002/dirty-copies',
  about:
    'A device marks one of the two copies of a leaf, and then the other, while it is swept: is every write reported?',
  seed: '002',
  source:
    'seed 002, "the IOMMU hardware doesn\'t guarantee the dirty bit is on every replicated pte"; hw/src/page-table/dirty.ts, cleanLeaf(); Linux amdv1.h, amdv1pt_entry_is_write_dirty()',
  designs: { [FIRST_COPY]: 'fails', [LOAD_STORE]: 'holds', [TEST_AND_CLEAR]: 'holds', [COMPARE_EXCHANGE]: 'holds' },
  memory: tables.memory,
  setup: tables.setup((first) => first.map(FIRST, PAGES)),
  threads: {
    migration: {
      open: (context): TableThread => tables.open(context, { reader: true }),
      run: (context, own: TableThread) => sweep(context, own),
    },
    device: {
      open: openDevice(tables),
      run(context, device: Device) {
        deviceWrites(context, device, FIRST + 1, FIRST);
        deviceWrites(context, device, FIRST, FIRST + 1);
        device.walker.idle();
      },
    },
  },
  check(context) {
    sweep(context, tables.alone(context));
    assertNothingLost(context);
  },
  racy: tables.racy,
});
