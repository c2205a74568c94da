// The hardware's side: translates accesses, caches translations, and marks leaves as accessed and dirty by compare-exchange on what
// it has just read, so that it never revives an entry that is gone.
//
// What it does not do: rights in table entries (ours always grant all), accessed bits in table entries, nested walks, page walk
// caches. A cached translation through which a write has gone is used for writes without another look until it is invalidated.
import { checkPowerOfTwo } from '@faultline/core/errors';
import { compareExchangeEntry, peekEntry, seenHi } from './entry.ts';
import { EMPTY, LEAF } from './format.ts';
import type { IotlbPort } from './iotlb.ts';
import { TOP_LEVEL_MASK, TOP_TABLE_SHIFT } from './layout.ts';
import { outputPage } from './lookup.ts';
import type { TableTree } from './table-tree.ts';

/** Outcomes of an access that is no translation. */
export const FAULT_TRANSLATION = -1;
export const FAULT_PERMISSION = -2;

const READ_RIGHT = 1;
const WRITE_RIGHT = 2;

export interface WalkerOptions {
  /** Translations that are cached, a power of two. Default 64. */
  readonly tlbEntries?: number;
}

/** One walker. The thread that plays it is online in the tables' RCU, or else is waited for by {@link IotlbPort} alone: then tables may
 * be freed as soon as an invalidation is done, as with real hardware. */
export class HardwareWalker {
  readonly #tree: TableTree;
  readonly #port: IotlbPort | undefined;
  readonly #mask: number;
  // One translation a slot: pages are cached, not leaves, as small entries need no search.
  readonly #pages: Float64Array;
  readonly #outputs: Float64Array;
  readonly #rights: Uint8Array;
  /** Accesses that found a cached translation; walks; marks made; compare-exchanges that found the entry changed. */
  hits = 0;
  walks = 0;
  marks = 0;
  retries = 0;

  /** @throws IommuError EINVAL */
  constructor(tree: TableTree, port?: IotlbPort, options: WalkerOptions = {}) {
    const entries = checkPowerOfTwo('HardwareWalker', 'tlbEntries', options.tlbEntries ?? 64, 1, 65536);
    this.#tree = tree;
    this.#port = port;
    this.#mask = entries - 1;
    this.#pages = new Float64Array(entries).fill(-1);
    this.#outputs = new Float64Array(entries);
    this.#rights = new Uint8Array(entries);
  }

  /** Translates an access. @returns the output page, {@link FAULT_TRANSLATION} or {@link FAULT_PERMISSION}. Never blocks. */
  access(page: number, write: boolean): number {
    const slot = page & this.#mask;
    if (this.#port?.begin()) this.#pages.fill(-1);
    else if (this.#pages[slot] === page && (this.#rights[slot] & (write ? WRITE_RIGHT : READ_RIGHT)) !== 0) {
      this.hits++;
      return this.#outputs[slot];
    }
    this.walks++;
    return this.#walk(page, write, slot);
  }

  /** No access is under way, and none will be made for a while. */
  idle(): void {
    this.#pages.fill(-1);
    this.#port?.idle();
  }

  #walk(page: number, write: boolean, slot: number): number {
    const tree = this.#tree;
    const { format, geometry, entries } = tree;
    const top = tree.topFor(page, page);
    if (top === -1) return FAULT_TRANSLATION;
    let table = top >>> TOP_TABLE_SHIFT;
    for (let level = top & TOP_LEVEL_MASK; ; ) {
      const at = tree.at(table, geometry.index(page, level));
      const lo = peekEntry(entries, at); // [C]
      const hi = seenHi();
      const kind = format.kind(lo, hi, level);
      if (kind === EMPTY) return FAULT_TRANSLATION;
      if (kind !== LEAF) {
        table = tree.tableOf(lo, hi);
        level--;
        continue;
      }
      if (!format.allows(lo, hi, write)) return FAULT_PERMISSION;
      const marked = format.marked(lo, hi, write);
      if (marked !== lo) {
        if (!compareExchangeEntry(entries, at, lo, hi, marked, hi)) {
          this.retries++;
          continue; // changed meanwhile: decide again by what is there now
        }
        this.marks++;
      }
      const output = outputPage(tree, lo, hi, level, page);
      this.#pages[slot] = page;
      this.#outputs[slot] = output;
      this.#rights[slot] = (format.allows(lo, hi, false) ? READ_RIGHT : 0) | (write ? WRITE_RIGHT : 0);
      return output;
    }
  }
}
