// A table is freed while its page table is in use, and somebody reads it: the same question for each way in which a table goes, and for
// each who may be in it.
import {
  type AnyThread,
  type Scenario,
  type ScenarioSpec,
  scenario,
  type ThreadContext,
} from '@faultline/bench/explore';
import { noInvalidator, vtdSecondStage } from '@faultline/hw/page-table';
import { PageTables, type TableThread } from './page-tables.ts';
import type { TableReader } from './table-readers.ts';
import { tiny } from './tiny-format.ts';

const AT_ONCE = 'freed at once';
const GRACE_PERIOD = 'freed after a grace period';
const POLLED = 'freed by a poll, if the grace period is over';
const BEFORE_SYNC = 'freed before hardware is out of it';
const AFTER_SYNC = 'freed after invalidation and sync';

/** Four pages: the second slot of a root of two, over a table of two tables. */
export const FIRST = 4;
export const PAGES = 4;

/** How these tables come to be freed. */
export interface Story {
  readonly name: string;
  /** What happens, as the beginning of a question. */
  readonly about: string;
  readonly source: string;
  /** Pages that a device has written to. */
  readonly written: readonly number[];
  /** Brings the page table to where it begins. */
  prepare(first: TableThread): void;
  /** Unlinks the tables, into the gather. */
  unlink(driver: TableThread): void;
  /** The pages are mapped all the while. */
  readonly mapped?: boolean;
  /** Throws unless all is as it should be once everybody is done. @param pending tables that wait for a grace period. */
  check(last: TableThread, pending: number): void;
}

/** `story` happens while `reader` looks. Hardware is waited for by the invalidation, a thread by the grace period. */
export function freedUnder(url: string, story: Story, reader: TableReader): Scenario {
  const tables = new PageTables(tiny(vtdSecondStage(), { indexLg2: 1, topLevel: 2 }));
  const driver: AnyThread = {
    open: (context: ThreadContext): TableThread =>
      tables.open(context, {
        reader: true,
        atOnce: context.design === AT_ONCE,
        ...(context.design === BEFORE_SYNC ? { invalidator: noInvalidator } : {}),
      }),
    run({ design }: ThreadContext, own: TableThread): number {
      const { gather, deferred } = own.table;
      story.unlink(own);
      if (design === POLLED) {
        gather.sync();
        own.reader.quiescent();
        deferred.poll();
      } else own.settle();
      if (design === BEFORE_SYNC) own.iotlb.sync();
      return deferred.pending();
    },
  };
  const spec: ScenarioSpec<Record<string, AnyThread>> = {
    name: `002/${story.name}-${reader.name}`,
    about: `${story.about} while ${reader.who} is in it: is it read after it was freed?`,
    seed: '002',
    source: story.source,
    designs: reader.isHardware
      ? { [BEFORE_SYNC]: 'fails', [AFTER_SYNC]: 'holds' }
      : { [AT_ONCE]: 'fails', [GRACE_PERIOD]: 'holds', [POLLED]: 'holds' },
    memory: tables.memory,
    setup: tables.setup((first) => story.prepare(first)),
    threads: { driver, [reader.name]: reader.thread(tables, { first: FIRST, pages: PAGES, ...story }) },
    check: (context) => story.check(tables.alone(context), context.results.driver),
    guard: tables.guard,
    racy: tables.racy,
  };
  return scenario(url, spec);
}
