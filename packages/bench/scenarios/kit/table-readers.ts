// Who may meet a table that is being freed: a dirty read and a debug dump, which look at it as any thread may, and a hardware walker,
// for which no grace period waits. Each throws at what no entry of the page table ever said.
import type { AnyThread, ThreadContext } from '@faultline/bench/explore';
import { DirtyBitmap, FAULT_TRANSLATION, type HardwareWalker } from '@faultline/hw/page-table';
import { OUTPUT, type PageTables, type TableThread } from './page-tables.ts';

/** The pages that are read meanwhile. */
export interface Area {
  readonly first: number;
  readonly pages: number;
  /** Those that a device has written to. */
  readonly written: readonly number[];
  /** They are mapped all the while. */
  readonly mapped?: boolean;
}

export interface TableReader {
  readonly name: string;
  /** In questions. */
  readonly who: string;
  readonly isHardware: boolean;
  thread(tables: PageTables, area: Area): AnyThread;
}

const openReader =
  (tables: PageTables) =>
  (context: ThreadContext): TableThread =>
    tables.open(context, { reader: true });

export const dirtyRead: TableReader = {
  name: 'dirty-read',
  who: 'a dirty read',
  isHardware: false,
  thread: (tables, { first, pages, written }) => ({
    open: openReader(tables),
    run(_: ThreadContext, { table, reader }: TableThread): void {
      const bitmap = new DirtyBitmap(first, pages);
      table.readDirty(first, pages, bitmap);
      reader.offline();
      for (let page = first; page < first + pages; page++)
        if (bitmap.has(page) && !written.includes(page))
          throw new Error(`page ${page} is reported as dirty, and no device has written to it`);
    },
  }),
};

/** Lines of a dump: a leaf's addresses, or what it says of an entry that leads nowhere. */
const LEAF = /^ *(0x[0-9a-f]+) → (0x[0-9a-f]+)/;
const STRAY = 'no table';
const PAGE_BYTES = 4096;

export const debugDump: TableReader = {
  name: 'dump',
  who: 'a debug dump',
  isHardware: false,
  thread: (tables) => ({
    open: openReader(tables),
    run(_: ThreadContext, { table, reader }: TableThread): void {
      const lines = table.describe();
      reader.offline();
      for (const line of lines) {
        const leaf = LEAF.exec(line);
        const moved = leaf !== null && Number(leaf[2]) - Number(leaf[1]) !== OUTPUT * PAGE_BYTES;
        if (moved || line.includes(STRAY)) throw new Error(`the dump shows what was never there: ${line.trim()}`);
      }
    },
  }),
};

interface Device {
  readonly own: TableThread;
  readonly walker: HardwareWalker;
}

export const hardwareWalk: TableReader = {
  name: 'hardware',
  who: 'a hardware walk',
  isHardware: true,
  thread: (tables, { first, pages, mapped = false }) => ({
    open(context: ThreadContext): Device {
      const own = tables.open(context);
      return { own, walker: own.table.walker(own.port, { tlbEntries: 1 }) };
    },
    run(_: ThreadContext, { walker }: Device): void {
      const page = first + pages - 1;
      const found = walker.access(page, true);
      walker.idle();
      if (found === FAULT_TRANSLATION && mapped) throw new Error(`page ${page} is mapped, and hardware finds it not`);
      if (found !== FAULT_TRANSLATION && found !== OUTPUT + page)
        throw new Error(`page ${page} is translated to 0x${found.toString(16)}, where nobody has mapped it`);
    },
  }),
};
