// A page table small enough that its schedules can be counted, in a pool of few tables, with grace periods and one walker's port: what a
// scenario of page tables starts from.
//
// Page p is mapped to OUTPUT + p in all of them, so that an output tells whether what was read is an entry of this table. What is freed
// is spoilt by the pool, as in checked runs: who reads it finds an address that is nobody's.
import type { Context, Racy, Region, ThreadContext } from '@faultline/bench/explore';
import { layoutOffset, slabLayout } from '@faultline/core/memory';
import { initRcu, LINE, Rcu, RcuThread, rcuWords } from '@faultline/core/sync';
import {
  DESCRIPTOR_LAYOUT,
  type Format,
  IotlbInvalidator,
  IotlbPort,
  initIotlb,
  initPageTable,
  initTablePool,
  iotlbWords,
  PAGE_TABLE_LAYOUT,
  PageTable,
  type PageTableOptions,
  PROT_READ,
  PROT_WRITE,
  pageTableWords,
  TablePool,
  TOP_LEVEL_MASK,
  TOP_TABLE_SHIFT,
  tablePoolWords,
} from '@faultline/hw/page-table';

export const RW: number = PROT_READ | PROT_WRITE;
/** Output page of page 0. */
export const OUTPUT = 0x100;

const WALKER = 1;
const DESCRIPTOR_WORDS = 32;
const RECORD_WORDS = 4;

/** Nobody is waited for: what Linux's page tables do, whose readers hold the lock that map and unmap hold. */
class NoGracePeriod extends Rcu {
  override synchronize(): void {}
}

/** Hardware is invalidated and waited for unless another invalidator is given. */
export interface ThreadOptions extends PageTableOptions {
  /** Tables are freed as soon as hardware is out of them, whoever reads them. */
  readonly atOnce?: boolean;
  /** The thread looks things up: grace periods wait for it until it goes offline. */
  readonly reader?: boolean;
  /** The thread takes tables, and has two at hand, so that taking one is no schedule. One thread of a scenario at most: of two, who opens
   * first would have the first ones. */
  readonly hasTables?: boolean;
}

/** One thread's view. */
export class TableThread {
  readonly self: ThreadContext['self'];
  readonly pool: TablePool;
  readonly table: PageTable;
  readonly reader: RcuThread;
  readonly iotlb: IotlbInvalidator;
  readonly port: IotlbPort;

  constructor(context: Context, self: ThreadContext['self'], format: Format, options: ThreadOptions) {
    const { words, at } = context;
    const rcu = options.atOnce === true ? new NoGracePeriod(words, at('rcu')) : new Rcu(words, at('rcu'));
    this.self = self;
    this.pool = openPool(context, self);
    this.iotlb = new IotlbInvalidator(words, at('iotlb'), self);
    this.table = new PageTable(words, at('page table'), this.pool, format, rcu, self, {
      invalidator: this.iotlb,
      ...options,
    });
    this.reader = new RcuThread(words, at('rcu'), self);
    this.port = new IotlbPort(words, at('iotlb'), WALKER);
    if (options.reader === true) this.reader.online();
    if (options.hasTables === true) this.pool.free(this.pool.alloc());
  }

  map(page: number, pages: number): void {
    this.table.map(page, OUTPUT + page, pages, RW);
  }

  /** Maps page by page, so that no larger leaf comes of it. */
  mapPages(page: number, pages: number): void {
    for (let each = page; each < page + pages; each++) this.map(each, 1);
  }

  /** The root and its level. */
  top(): { readonly root: number; readonly level: number } {
    const top = this.table.tree.top();
    return { root: top >>> TOP_TABLE_SHIFT, level: top & TOP_LEVEL_MASK };
  }

  /** The entry of the root in which a page is. */
  rootSlot(page: number): number {
    const { tree } = this.table;
    const { root, level } = this.top();
    return tree.at(root, tree.geometry.index(page, level));
  }

  /** Invalidates what was unmapped, and frees the tables that were unlinked. */
  settle(): void {
    this.table.gather.sync();
    this.table.deferred.flush(this.self);
  }
}

function openPool({ words, wide, at }: Context, self: ThreadContext['self']): TablePool {
  return new TablePool(words, at('pool'), wide.subarray(at('tables')), self, { batch: 2, checked: true });
}

export interface PageTablesOptions {
  /** Tables that exist at once. Default 8. */
  readonly tables?: number;
  /** Threads of the scenario. Default 2. */
  readonly threads?: number;
  /** Regions of the scenario's own. */
  readonly regions?: readonly Region[];
}

/** A scenario's page table: its memory, its start, and each thread's view of it. */
export class PageTables {
  readonly format: Format;
  readonly memory: readonly Region[];
  readonly #states: readonly number[];
  readonly #tables: number;
  readonly #threads: number;

  constructor(format: Format, options: PageTablesOptions = {}) {
    const { tables = 8, threads = 2, regions = [] } = options;
    const slots = 2 ** format.indexLg2;
    this.format = format;
    this.#states = Object.entries(poolNames(tables)).flatMap(([name, at]) => (name.endsWith('.META') ? [at] : []));
    this.#tables = tables;
    this.#threads = threads;
    const fields = Object.fromEntries(PAGE_TABLE_LAYOUT.fields.map(({ name, offset }) => [name, offset]));
    const slotNames = Object.fromEntries(Array.from({ length: slots }, (_, slot) => [`slot ${slot}`, slot]));
    this.memory = [
      { name: 'page table', words: pageTableWords(), fields },
      { name: 'pool', words: tablePoolWords({ tables, slots }), fields: poolNames(tables) },
      { name: 'rcu', words: rcuWords(threads), fields: { ASKED: 32, DONE: 64, WAITERS: 96 } },
      { name: 'iotlb', words: iotlbWords(WALKER), fields: { GENERATION: 32, WAITERS: 64, OBEYED: 96 } },
      { name: 'tables', words: (1 + tables) * slots, wide: true, stride: slots, fields: slotNames },
      ...regions,
    ];
  }

  /** For `setup`: makes an empty page table, and has one thread bring it to where the schedules start. */
  setup(prepare: (first: TableThread, context: Context) => void): (context: Context) => void {
    return (context) => {
      const { words, at } = context;
      initRcu(words, at('rcu'), this.#threads);
      initIotlb(words, at('iotlb'), WALKER);
      initTablePool(words, at('pool'), { tables: this.#tables, slots: 2 ** this.format.indexLg2 });
      const pool = openPool(context, { id: 1, spins: 0 });
      initPageTable(words, at('page table'), pool, this.format);
      pool.flush();
      const first = this.alone(context);
      prepare(first, context);
      first.settle();
      first.pool.flush();
    };
  }

  /** For `open`: this thread's view. */
  open(context: ThreadContext, options: ThreadOptions = {}): TableThread {
    return new TableThread(context, context.self, this.format, options);
  }

  /** A view for setup and check, which run alone. */
  alone(context: Context): TableThread {
    return new TableThread(context, { id: 1, spins: 0 }, this.format, {});
  }

  /** For `guard`: nobody reads or writes a table that is free. */
  readonly guard = (context: Context): ((word: number, wide: boolean) => string | undefined) => {
    const pool = openPool(context, { id: 1, spins: 0 });
    const first = context.at('tables');
    return (word, wide) => {
      const table = Math.floor((word - first) / pool.slots);
      if (!wide || table < 1 || table > pool.tables || pool.isHeld(table)) return undefined;
      return `table ${table} is free`;
    };
  };

  get racy(): readonly Racy[] {
    return [
      {
        region: 'tables',
        why: 'walks and scans read entries plainly: what they find is compared and exchanged, or was true a moment ago',
      },
      {
        region: 'pool',
        offsets: this.#states,
        why: 'a dump asks whether the table that it found is in use: only the order of dependent reads says that it knows by then',
      },
    ];
  }
}

/** What the pool's slab says of each table, and whose it is. */
function poolNames(tables: number): Record<string, number> {
  const records = LINE + layoutOffset(slabLayout(tables, DESCRIPTOR_WORDS), 'RECORDS');
  const objects = LINE + layoutOffset(slabLayout(tables, DESCRIPTOR_WORDS), 'OBJECTS');
  const names: Record<string, number> = {};
  for (let table = 1; table <= tables; table++) {
    names[`${table}.META`] = records + table * RECORD_WORDS;
    for (const { name, offset } of DESCRIPTOR_LAYOUT.fields)
      names[`${table}.${name}`] = objects + table * DESCRIPTOR_WORDS + offset;
  }
  return names;
}
