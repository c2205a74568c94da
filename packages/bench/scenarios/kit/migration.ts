// Live migration in small: a device writes to pages, and who migrates copies those that a sweep reports. Nothing is lost if one more
// sweep, once the device has stopped, brings every copy up to date.
import type { Context, Region, ThreadContext } from '@faultline/bench/explore';
import { type CleanMethod, DirtyBitmap, type HardwareWalker } from '@faultline/hw/page-table';
import type { PageTables, TableThread } from './page-tables.ts';

const WRITTEN = 0;
const COPIED = 1;
const STRIDE = 2;
const PAGES = 8;

/** How often each page was written to, and how often it had been when it was copied last. */
export const CONTENTS: Region = { name: 'page', words: PAGES * STRIDE, stride: STRIDE, fields: { WRITTEN, COPIED } };

const contentsOf = ({ at }: Context, page: number): number => at(CONTENTS.name) + page * STRIDE;

/** What the device writes arrives in memory. */
export function write(context: Context, page: number): void {
  Atomics.add(context.words, contentsOf(context, page) + WRITTEN, 1);
}

export function copy(context: Context, page: number): void {
  const at = contentsOf(context, page);
  context.words[at + COPIED] = Atomics.load(context.words, at + WRITTEN);
}

/** Sweeps, and copies what is reported. Hardware has no old translation any more when a page is copied.
 * @param sync waits for that. */
export function sweepAndCopy(
  context: Context,
  { table }: TableThread,
  [first, pages]: readonly [number, number],
  method: CleanMethod = 'compare-exchange',
  sync: () => void = () => table.gather.sync(),
): void {
  const bitmap = new DirtyBitmap(first, pages);
  table.readAndClearDirty(first, pages, bitmap, table.gather, method);
  sync();
  copyReported(context, bitmap);
}

export function copyReported(context: Context, bitmap: DirtyBitmap): void {
  for (let page = bitmap.first; page < bitmap.first + bitmap.pages; page++) if (bitmap.has(page)) copy(context, page);
}

/** Throws unless the copies are those of what was written last. For `check`, after the last sweep. */
export function assertNothingLost(context: Context): void {
  for (let page = 0; page < PAGES; page++) {
    const at = contentsOf(context, page);
    const [written, copied] = [context.words[at + WRITTEN], context.words[at + COPIED]];
    if (written !== copied) throw new Error(`page ${page}: write ${written} is lost, its copy is of write ${copied}`);
  }
}

export interface Device {
  readonly own: TableThread;
  readonly walker: HardwareWalker;
}

/** For `open`: a thread that plays the device. @param reader it reads the table as a thread does, too. */
export const openDevice =
  (tables: PageTables, reader: boolean = false) =>
  (context: ThreadContext): Device => {
    const own = tables.open(context, { reader });
    return { own, walker: own.table.walker(own.port, { tlbEntries: 1 }) };
  };

/** The device writes to a page if it is mapped, and the write arrives before the device has anything else to do.
 * @param slot whose slot it marks: of a leaf of several, hardware marks whichever it likes. */
export function deviceWrites(context: Context, { walker }: Device, page: number, slot: number = page): void {
  if (walker.access(slot, true) >= 0) write(context, page);
}
