// Domains of an IOMMU as rows in shared words, and the page tables of those that have some. Any thread maps, unmaps, frees.
import { IommuError } from '@faultline/core/errors';
import type { Arena } from '@faultline/core/memory';
import { Rcu, RcuThread, type ThreadSelf, type Words } from '@faultline/core/sync';
import {
  type DeferredTables,
  DirtyBitmap,
  type Format,
  type Invalidator,
  initPageTable,
  MAX_PAGES,
  NOT_MAPPED,
  noInvalidator,
  PageTable,
  type PageTableOptions,
  PROT_READ,
  PROT_WRITE,
  TablePool,
  TOP_LEVEL_MASK,
  TOP_TABLE_SHIFT,
} from '@faultline/hw/page-table';
import { type DirtySink, HWPT_ALLOC_DIRTY_TRACKING, IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE } from '@faultline/iommufd';
import { markRuns } from './dirty-runs.ts';
import {
  DOMAIN_CODE,
  DOMAIN_FLAGS,
  DOMAIN_GENERATION,
  DOMAIN_KIND,
  DOMAIN_NESTED,
  DOMAIN_NONE,
  DOMAIN_OWN,
  DOMAIN_PAGING,
  DOMAIN_PARENT,
  DOMAIN_TABLE,
  DOMAIN_TRACKING,
  DOMAIN_VIOMMU,
  DOMAINS_REGION,
  ENTRIES_REGION,
  OWN_WORDS,
  RCU_REGION,
  TABLES_REGION,
} from './layout.ts';
import { domainRowWords } from './region.ts';

const PAGE_BYTES = 4096;
/** Pages that one bitmap covers: the largest leaf's, as a leaf that a reading covers in part stays dirty. */
const SWEEP_PAGES = 2 ** 18;

const pageOf = (address: bigint): number => Number(address >> 12n);

export interface PagingDomainsConfig {
  /** The format that a paging domain's code stands for. */
  readonly formatOf: (code: number) => Format;
  /** What invalidates a domain in the hardware. Default: nothing caches. Its `sync` may block, with this thread offline. */
  readonly invalidatorOf?: (domain: number) => Invalidator;
  /** Told of a new root before any walk needs it, for formats whose tables grow. */
  readonly changeTop?: (domain: number, table: number, level: number) => void;
}

interface Opened {
  readonly generation: number;
  readonly table: PageTable;
}

/** One thread's way to all domains. Who calls holds the locks that IommufdDriver names: nobody frees a domain that is used. */
export class PagingDomains {
  readonly words: Words;
  readonly pool: TablePool;
  readonly #arena: Arena;
  readonly #self: ThreadSelf;
  readonly #config: PagingDomainsConfig;
  readonly #rcu: Rcu;
  readonly #reader: RcuThread;
  readonly #tables: Map<number, Opened> = new Map(); // by domain
  #leaving: DeferredTables[] = []; // of domains that are gone, with tables that wait

  constructor(arena: Arena, self: ThreadSelf, config: PagingDomainsConfig) {
    const { words } = arena;
    const entriesAt = words.byteOffset + arena.base(ENTRIES_REGION) * 4;
    const entries = new BigInt64Array(words.buffer, entriesAt, arena.sizeWords(ENTRIES_REGION) / 2);
    this.words = words;
    this.#arena = arena;
    this.#self = self;
    this.#config = config;
    this.pool = new TablePool(words, arena.base(TABLES_REGION), entries, self);
    this.#rcu = new Rcu(words, arena.base(RCU_REGION));
    this.#reader = new RcuThread(words, arena.base(RCU_REGION), self);
  }

  /** Word offset of a domain's row. */
  rowAt(domain: number): number {
    return this.#arena.base(DOMAINS_REGION) + domain * domainRowWords();
  }
  /** Word offset of the row's words that are the family's own. */
  ownAt(domain: number): number {
    return this.rowAt(domain) + DOMAIN_OWN;
  }
  /** DOMAIN_*. */
  kindOf(domain: number): number {
    return Atomics.load(this.words, this.rowAt(domain) + DOMAIN_KIND);
  }
  codeOf(domain: number): number {
    return this.words[this.rowAt(domain) + DOMAIN_CODE];
  }
  /** HWPT_ALLOC_*. */
  flagsOf(domain: number): number {
    return this.words[this.rowAt(domain) + DOMAIN_FLAGS];
  }
  /** The nesting parent's domain, 0 for a paging one. */
  parentOf(domain: number): number {
    return this.words[this.rowAt(domain) + DOMAIN_PARENT];
  }
  /** The vIOMMU that a nested domain was made on, 0 for none. */
  viommuOf(domain: number): number {
    return this.words[this.rowAt(domain) + DOMAIN_VIOMMU];
  }
  /** How often the row was filled: what a thread remembers of a domain is of one generation. */
  generationOf(domain: number): number {
    return Atomics.load(this.words, this.rowAt(domain) + DOMAIN_GENERATION);
  }

  /** Makes a domain with an empty table. @param flags HWPT_ALLOC_*, looked at by the caller. @throws IommuError ENOMEM */
  allocPaging(domain: number, code: number, flags: number): void {
    this.#pollLeaving();
    const at = this.#fill(domain, flags);
    this.words[at + DOMAIN_CODE] = code;
    const format = this.#config.formatOf(code);
    initPageTable(this.words, at + DOMAIN_TABLE, this.pool, format);
    Atomics.store(this.words, at + DOMAIN_KIND, DOMAIN_PAGING);
  }

  /** Makes a nested domain; its own words are the caller's to fill. */
  allocNested(domain: number, parent: number, viommu: number, flags: number): void {
    const at = this.#fill(domain, flags);
    this.words[at + DOMAIN_PARENT] = parent;
    this.words[at + DOMAIN_VIOMMU] = viommu;
    Atomics.store(this.words, at + DOMAIN_KIND, DOMAIN_NESTED);
  }

  /** Nothing is attached to it, nobody else uses it. */
  free(domain: number): void {
    if (this.kindOf(domain) === DOMAIN_PAGING) {
      const table = this.tableOf(domain);
      table.gather.sync();
      table.destroy();
      this.#leave(domain);
      this.#pollLeaving();
    }
    Atomics.store(this.words, this.rowAt(domain) + DOMAIN_KIND, DOMAIN_NONE);
  }

  #fill(domain: number, flags: number): number {
    const at = this.rowAt(domain);
    this.words.fill(0, at + DOMAIN_CODE, at + DOMAIN_OWN + OWN_WORDS);
    this.words[at + DOMAIN_FLAGS] = flags;
    Atomics.add(this.words, at + DOMAIN_GENERATION, 1);
    return at;
  }

  /** A paging domain's table in this thread. Who uses it runs within {@link online}. */
  tableOf(domain: number): PageTable {
    const generation = this.generationOf(domain);
    const opened = this.#tables.get(domain);
    if (opened?.generation === generation) return opened.table;
    this.#leave(domain);
    const { formatOf, invalidatorOf, changeTop } = this.#config;
    const options: PageTableOptions = {
      invalidator: invalidatorOf?.(domain) ?? noInvalidator,
      ...(changeTop === undefined ? {} : { changeTop: (table, level) => changeTop(domain, table, level) }),
    };
    const at = this.rowAt(domain) + DOMAIN_TABLE;
    const format = formatOf(this.codeOf(domain));
    const table = new PageTable(this.words, at, this.pool, format, this.#rcu, this.#self, options);
    this.#tables.set(domain, { generation, table });
    return table;
  }

  /** Number of the root's table: its address in pages, as the tables' entries give it. */
  rootOf(domain: number): number {
    return this.tableOf(domain).tree.top() >>> TOP_TABLE_SHIFT;
  }
  /** Level of the root. */
  topLevelOf(domain: number): number {
    return this.tableOf(domain).tree.top() & TOP_LEVEL_MASK;
  }

  /** Runs what looks at tables with this thread online. It waits for nobody. Calls may be nested. */
  online<T>(body: () => T): T {
    if (this.#reader.isOnline()) return body();
    this.#reader.online();
    try {
      return body();
    } finally {
      this.#reader.offline();
    }
  }

  /** @param prot IOAS_MAP_*. @throws IommuError ENOMEM, EADDRINUSE, ERANGE, EINVAL, with nothing of this call left mapped. */
  map(domain: number, iova: bigint, physical: number, bytes: number, prot: number): void {
    const rights =
      ((prot & IOAS_MAP_READABLE) !== 0 ? PROT_READ : 0) | ((prot & IOAS_MAP_WRITEABLE) !== 0 ? PROT_WRITE : 0);
    this.online(() =>
      this.tableOf(domain).map(pageOf(iova), Math.floor(physical / PAGE_BYTES), bytes / PAGE_BYTES, rights),
    );
  }

  /** Takes leaves out; {@link sync} makes sure that no device uses them. Holes are stepped over. */
  unmap(domain: number, iova: bigint, bytes: bigint): void {
    this.online(() => {
      const table = this.tableOf(domain);
      const end = pageOf(iova) + pageOf(bytes);
      for (let page = pageOf(iova); page < end; ) page += table.unmap(page, end - page) || 1;
    });
  }

  /** From here on nothing is reached that this thread unmapped, and no write goes unseen that is by a page it cleaned. */
  sync(domain: number): void {
    this.tableOf(domain).gather.sync();
  }

  /** Physical address, or -1. */
  iovaToPhys(domain: number, iova: bigint): number {
    const page = this.online(() => this.tableOf(domain).iovaToPhys(pageOf(iova)));
    return page === NOT_MAPPED ? -1 : page * PAGE_BYTES + Number(iova & 0xfffn);
  }

  isTracking(domain: number): boolean {
    return Atomics.load(this.words, this.rowAt(domain) + DOMAIN_TRACKING) === 1;
  }

  /** @throws IommuError EOPNOTSUPP the domain was not made for it. */
  setDirtyTracking(domain: number, enable: boolean): void {
    if ((this.flagsOf(domain) & HWPT_ALLOC_DIRTY_TRACKING) === 0)
      throw new IommuError('EOPNOTSUPP', 'HWPT_SET_DIRTY_TRACKING', 'domain', domain, 'was not made for it');
    Atomics.store(this.words, this.rowAt(domain) + DOMAIN_TRACKING, enable ? 1 : 0);
  }

  /** Reports what is dirty of a range, and cleans it unless `keep`; then {@link sync} ends the batch.
   * @throws IommuError EOPNOTSUPP the format has no dirty bits, EINVAL nothing is tracked, and there is a sink. */
  readDirty(domain: number, iova: bigint, bytes: bigint, keep: boolean, sink: DirtySink | undefined): void {
    if (sink !== undefined && !this.isTracking(domain))
      throw new IommuError('EINVAL', 'HWPT_GET_DIRTY_BITMAP', 'domain', domain, 'is not tracked');
    if (sink === undefined && keep) return;
    const end = pageOf(iova) + pageOf(bytes);
    for (let page = pageOf(iova); page < end; ) {
      const next = Math.min(end, (Math.floor(page / SWEEP_PAGES) + 1) * SWEEP_PAGES);
      this.online(() => this.#sweep(this.tableOf(domain), page, next, keep, sink));
      page = next;
    }
  }

  #sweep(table: PageTable, page: number, end: number, keep: boolean, sink: DirtySink | undefined): void {
    const bitmap = sink === undefined ? undefined : new DirtyBitmap(page, end - page);
    if (!keep) table.readAndClearDirty(page, end - page, bitmap);
    else if (bitmap !== undefined) table.readDirty(page, end - page, bitmap);
    if (bitmap !== undefined && sink !== undefined) markRuns(bitmap, sink);
  }

  /** Has an invalidator told of all that a domain may have cached: after a change of the domain as a whole. */
  static everything(invalidator: Invalidator): void {
    invalidator.invalidate(0, MAX_PAGES - 1, true);
    invalidator.sync();
  }

  /** Frees the tables that wait for other threads. Context: blocks until those are offline, or have gone on. */
  settle(): void {
    for (const { table } of this.#tables.values()) this.#leaving.push(table.deferred);
    this.#tables.clear();
    for (const deferred of this.#leaving) deferred.flush(this.#self);
    this.#leaving = [];
    this.pool.flush();
  }

  #leave(domain: number): void {
    const opened = this.#tables.get(domain);
    if (opened === undefined) return;
    this.#tables.delete(domain);
    if (opened.table.deferred.pending() > 0) this.#leaving.push(opened.table.deferred);
  }

  #pollLeaving(): void {
    for (const deferred of this.#leaving) deferred.poll();
    this.#leaving = this.#leaving.filter((deferred) => deferred.pending() > 0);
  }
}
