// A page table as its users see it: one object a thread over words that all of them share.
import { IommuError } from '@faultline/core/errors';
import { checkRegion } from '@faultline/core/memory';
import type { Rcu, ThreadSelf, Words } from '@faultline/core/sync';
import { checkPage, checkRange } from './addresses.ts';
import { cutLeaf } from './cut.ts';
import { DeferredTables } from './deferred-tables.ts';
import { describeTree, type TableVisitor, visitTable } from './describe.ts';
import { type CleanMethod, sweepRange } from './dirty.ts';
import type { DirtyBitmap } from './dirty-bitmap.ts';
import { zeroEntries } from './entry.ts';
import { type Format, PAGE_LG2, PROT_READ, PROT_WRITE } from './format.ts';
import { Gather, type GatherOptions, type Invalidator, noInvalidator } from './gather.ts';
import { Geometry } from './geometry.ts';
import { HardwareWalker, type WalkerOptions } from './hardware-walker.ts';
import type { IotlbPort } from './iotlb.ts';
import { PT_TOP, PT_WORDS, TOP_LEVEL_MASK, TOP_TABLE_SHIFT } from './layout.ts';
import { lookUp } from './lookup.ts';
import { mapRange } from './map.ts';
import { promoteRange } from './promote.ts';
import type { TablePool } from './table-pool.ts';
import { type ChangeTop, forEachTable, TableTree } from './table-tree.ts';
import { unmapRange } from './unmap.ts';

/** 32-bit words of a page table; its tables are in a pool. */
export function pageTableWords(): number {
  return PT_WORDS;
}

/** Lays out an empty page table, before it is shared. @param root which joined root to take, for a format that joins tables.
 * @throws IommuError EINVAL the pool's tables are not of the format's size, ENOMEM */
export function initPageTable(words: Words, base: number, pool: TablePool, format: Format, root = 0): void {
  checkRegion('initPageTable', words, base, PT_WORDS);
  if (pool.slots !== 2 ** format.indexLg2)
    throw new IommuError('EINVAL', 'initPageTable', 'slots', pool.slots, `${format.name} has ${2 ** format.indexLg2}`);
  if (format.joinedLg2 > 0 && pool.rootTables !== 2 ** format.joinedLg2)
    throw new IommuError('EINVAL', 'initPageTable', 'rootTables', pool.rootTables, `must be ${2 ** format.joinedLg2}`);
  const table = format.joinedLg2 > 0 ? pool.rootBlock(root) : pool.alloc();
  if (table === 0) throw new IommuError('ENOMEM', 'initPageTable', 'tables', pool.tables, 'no table is free');
  Atomics.store(words, base + PT_TOP, (table << TOP_TABLE_SHIFT) | format.topLevel);
}

export interface PageTableOptions {
  /** Sizes of leaves to use, log2 of bytes: some of the format's. Default all of them. */
  readonly sizesLg2?: readonly number[];
  /** Told of a new root before any walker needs it. */
  readonly changeTop?: ChangeTop;
  /** Who invalidates. Default: nobody caches anything. */
  readonly invalidator?: Invalidator;
  readonly gather?: GatherOptions;
}

/** One thread's way to a page table. Not shared: make one a thread.
 *
 * Addresses and lengths are numbers of 4 KiB pages. A caller owns the range that it maps, unmaps, cuts or promotes; everything else
 * goes on meanwhile, sweeps, lookups, dumps and hardware included, without a lock.
 * Context: the thread is online in the RCU that it was made with, and quiescent only between two calls. */
export class PageTable {
  readonly tree: TableTree;
  /** Where unmaps of this thread gather, unless they are given another. */
  readonly gather: Gather;
  readonly deferred: DeferredTables;
  readonly #invalidator: Invalidator;

  /** @throws IommuError EINVAL no page table was laid out here, or a size that the format lacks. */
  constructor(
    words: Words,
    base: number,
    pool: TablePool,
    format: Format,
    rcu: Rcu,
    self: ThreadSelf,
    options: PageTableOptions = {},
  ) {
    checkRegion('PageTable', words, base, PT_WORDS);
    if (Atomics.load(words, base + PT_TOP) === 0)
      throw new IommuError('EINVAL', 'PageTable', 'base', base, 'no page table was laid out here');
    const geometry = new Geometry(format, options.sizesLg2);
    this.tree = new TableTree(words, base, pool, format, geometry, self, options.changeTop ?? (() => {}));
    this.deferred = new DeferredTables(rcu, pool);
    this.#invalidator = options.invalidator ?? noInvalidator;
    this.gather = new Gather(this.#invalidator, pool, this.deferred, options.gather);
  }

  /** Another gather of this thread, whose tables wait with the others. */
  newGather(options: GatherOptions = {}): Gather {
    return new Gather(this.#invalidator, this.tree.pool, this.deferred, options);
  }

  /** Maps a range, whole or not at all, with the largest leaves that addresses and length allow. When it replaced empty tables by
   * leaves, it syncs the gather at its end. @param prot PROT_* bits.
   * @throws IommuError EINVAL no right, rights that the format refuses, no page number or no length, EOVERFLOW, ENOMEM no table,
   * ERANGE an address is too wide, ENXIO no size fits, EADDRINUSE something is mapped there. Nothing stays mapped then; what was
   * for a moment is in the gather.
   * @see Linux pt_iommu map_range, whose order of checks this is */
  map(iovaPage: number, oaPage: number, pages: number, prot: number, gather: Gather = this.gather): void {
    const { format } = this.tree;
    if ((prot & (PROT_READ | PROT_WRITE)) === 0)
      throw new IommuError('EINVAL', 'map', 'prot', prot, 'grants neither reading nor writing');
    checkPage('map', 'oaPage', oaPage);
    if (oaPage + Math.max(pages, 1) > 2 ** (format.oaLg2 - PAGE_LG2))
      throw new IommuError(
        'ERANGE',
        'map',
        'oaPage',
        oaPage,
        `${format.name} has ${format.oaLg2} bits of output address`,
      );
    const attributes = format.attributes(prot);
    checkRange('map', 'iovaPage', iovaPage, pages);
    const tables = gather.tables;
    try {
      mapRange(this.tree, iovaPage, oaPage, pages, attributes, gather);
    } finally {
      if (gather.tables > tables) gather.sync();
    }
  }

  /** Unmaps a range into the gather: sync it before the output pages are used for anything else. Stops at a hole.
   * @returns the pages unmapped. More than asked for when the range ends inside a large leaf, in formats that take it whole.
   * @throws IommuError EINVAL, EOVERFLOW */
  unmap(iovaPage: number, pages: number, gather: Gather = this.gather): number {
    checkRange('unmap', 'iovaPage', iovaPage, pages);
    return unmapRange(this.tree, iovaPage, pages, gather);
  }

  /** The output page of an address, or NOT_MAPPED (-1). @throws IommuError EINVAL */
  iovaToPhys(iovaPage: number): number {
    checkPage('iovaToPhys', 'iovaPage', iovaPage);
    return lookUp(this.tree, iovaPage);
  }

  /** Reports the dirty pages of a range, and leaves them dirty. Holes are stepped over. @returns the dirty leaves.
   * @throws IommuError EOPNOTSUPP, EINVAL, EOVERFLOW */
  readDirty(iovaPage: number, pages: number, bitmap: DirtyBitmap): number {
    checkRange('readDirty', 'iovaPage', iovaPage, pages);
    return sweepRange(this.tree, iovaPage, pages, bitmap, undefined, 'compare-exchange');
  }

  /** Reports the dirty pages of a range and cleans them. Sync the gather before the next reading can be relied on: until then
   * hardware may write through translations that it cached as dirty. A leaf that the range covers in part is reported and stays
   * dirty. @param bitmap without it the range is only cleaned. @returns the dirty leaves.
   * @throws IommuError EOPNOTSUPP, EINVAL, EOVERFLOW */
  readAndClearDirty(
    iovaPage: number,
    pages: number,
    bitmap: DirtyBitmap | undefined,
    gather: Gather = this.gather,
    method: CleanMethod = 'compare-exchange',
  ): number {
    checkRange('readAndClearDirty', 'iovaPage', iovaPage, pages);
    return sweepRange(this.tree, iovaPage, pages, bitmap, gather, method);
  }

  /** Cuts the leaf at a page into leaves of the next smaller size; dirtiness goes to all of them.
   * @returns log2 of the new size in bytes, 0 when there is none smaller. @throws IommuError ENOENT nothing is mapped, ENOMEM, EINVAL */
  cut(iovaPage: number, gather: Gather = this.gather): number {
    checkPage('cut', 'iovaPage', iovaPage);
    return cutLeaf(this.tree, iovaPage, gather);
  }

  /** Merges 2^sizeLg2 bytes from a page on into one leaf, and syncs the gather; dirty if any part was.
   * @returns false when what is mapped there is not contiguous, alike and aligned. @throws IommuError EINVAL no such leaf. */
  promote(iovaPage: number, sizeLg2: number, gather: Gather = this.gather): boolean {
    checkPage('promote', 'iovaPage', iovaPage);
    return promoteRange(this.tree, iovaPage, sizeLg2, gather);
  }

  /** A hardware walker over this table, for this thread to play. */
  walker(port?: IotlbPort, options: WalkerOptions = {}): HardwareWalker {
    return new HardwareWalker(this.tree, port, options);
  }

  /** Calls the visitor for every table and leaf by their addresses, beside whatever else goes on. Never throws by itself. */
  visit(visitor: TableVisitor): void {
    visitTable(this.tree, visitor);
  }

  /** The table as lines, for people, beside whatever else goes on. Never throws. */
  describe(): string[] {
    return describeTree(this.tree);
  }

  /** Frees all tables, the root included. No other thread uses the page table any more, and the driver has cut the hardware off:
   * nothing is invalidated and no grace period waited for, but for tables that wait for theirs already. */
  destroy(): void {
    const { words, base, pool } = this.tree;
    const top = Atomics.exchange(words, base + PT_TOP, 0);
    if (top === 0) throw new IommuError('EINVAL', 'PageTable.destroy', 'top', top, 'was destroyed already');
    forEachTable(this.tree, top >>> TOP_TABLE_SHIFT, top & TOP_LEVEL_MASK, (table) => {
      if (table <= pool.tables) pool.free(table);
      else zeroEntries(pool.entries, table * pool.slots, pool.rootTables * pool.slots);
    });
  }
}

/** The table as lines, for people. @see PageTable.describe */
export function describeTable(table: PageTable): string[] {
  return table.describe();
}
