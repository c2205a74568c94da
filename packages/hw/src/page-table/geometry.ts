// What follows from a format's widths alone: where an address falls in each level's table, which level a size belongs to, and the
// largest size that fits. Addresses and lengths in 4 KiB pages.
import { IommuError } from '@faultline/core/errors';
import { MAX_PAGES } from './addresses.ts';
import { type Format, PAGE_LG2 } from './format.ts';

/** No size fits. */
export const NO_SIZE = 0;
const MAX_LG2 = 64;
/** Pages whose numbers are whole numbers of 32 bits: 8 TiB. */
export const LOW_PAGES: number = 2 ** 31 - 1;

export class Geometry {
  /** Slots of a table. */
  readonly slots: number;
  /** Slots of the root, joined tables included. */
  readonly rootSlots: number;
  /** Pages of a level's item. */
  readonly itemPages: Float64Array;
  /** log2 of the bytes of a level's item. */
  readonly itemLg2: Uint8Array;
  /** Pages of a size, by its log2 in bytes. A table: ** calls out of compiled code. */
  readonly sizePages: Float64Array;
  /** Pages that the input addresses count up to, at each top level. */
  readonly #topPages: Float64Array;
  /** Division of a page number by a level's item, as a factor: exact, being a power of two. */
  readonly #scale: Float64Array;
  readonly #mask: Int32Array;
  /** log2 of a level's item in pages, for pages up to LOW_PAGES. */
  readonly #shift: Int32Array;
  /** Largest size of at most 2^i bytes. */
  readonly #floor: Uint8Array;
  /** Next larger size, or 0. */
  readonly #next: Uint8Array;
  readonly #levelOf: Uint8Array;
  readonly #signExtended: boolean;

  /** @param sizesLg2 the sizes to use: the format's own, or some of them. @throws IommuError EINVAL naming one that it lacks. */
  constructor(format: Format, sizesLg2: readonly number[] = format.sizesLg2) {
    const { granuleLg2, indexLg2, maxTopLevel, joinedLg2, iovaLg2 } = format;
    const levels = maxTopLevel + 1;
    this.slots = 1 << indexLg2; // not **, whose result V8 keeps as a double, in all that is computed from it
    this.rootSlots = this.slots << joinedLg2;
    this.itemLg2 = Uint8Array.from({ length: levels + 1 }, (_, level) => granuleLg2 + level * indexLg2);
    this.itemPages = Float64Array.from(this.itemLg2, (lg2) => 2 ** (lg2 - PAGE_LG2));
    this.sizePages = Float64Array.from({ length: MAX_LG2 + 1 }, (_, lg2) => 2 ** (lg2 - PAGE_LG2));
    this.#scale = this.itemPages.map((pages) => 1 / pages);
    this.#shift = Int32Array.from(this.itemLg2, (lg2) => Math.min(lg2 - PAGE_LG2, 31));
    this.#mask = new Int32Array(levels).fill(this.slots - 1);
    this.#mask[maxTopLevel] = this.rootSlots - 1;
    this.#topPages = Float64Array.from(
      { length: levels },
      (_, top) => 2 ** (Math.min(iovaLg2, this.itemLg2[top] + indexLg2 + joinedLg2) - PAGE_LG2),
    );
    this.#signExtended = format.signExtended;
    this.#floor = new Uint8Array(MAX_LG2 + 1);
    this.#next = new Uint8Array(MAX_LG2 + 1);
    this.#levelOf = new Uint8Array(MAX_LG2 + 1);
    const ascending = [...sizesLg2].sort((a, b) => a - b);
    ascending.forEach((lg2, at) => {
      if (!format.sizesLg2.includes(lg2))
        throw new IommuError('EINVAL', 'Geometry', 'sizesLg2', lg2, `${format.name} has no leaf of 2^${lg2} bytes`);
      this.#floor.fill(lg2, lg2);
      this.#next[lg2] = ascending[at + 1] ?? 0;
    });
    for (const lg2 of format.sizesLg2)
      while (this.#levelOf[lg2] < maxTopLevel && this.itemLg2[this.#levelOf[lg2] + 1] <= lg2) this.#levelOf[lg2]++;
  }

  /** The slot of an address in its table at a level. */
  index(page: number, level: number): number {
    // Low addresses with whole numbers of 32 bits; all others by a product that is exact.
    return page <= LOW_PAGES
      ? (page >>> this.#shift[level]) & this.#mask[level]
      : (page * this.#scale[level]) & this.#mask[level];
  }

  /** Level of the leaves of a size. */
  levelOf(sizeLg2: number): number {
    return this.#levelOf[sizeLg2];
  }

  /** Slots that a leaf takes at its level. */
  slotsOf(sizeLg2: number, level: number): number {
    return 1 << (sizeLg2 - this.itemLg2[level]);
  }

  /** Addresses that a root at this level reaches from 0 on. */
  lowPages(top: number): number {
    return this.#signExtended ? this.#topPages[top] / 2 : this.#topPages[top];
  }

  /** First page of the upper half of sign-extended addresses; one past the last address where there is none. */
  highStart(top: number): number {
    return this.#signExtended ? MAX_PAGES - this.lowPages(top) : MAX_PAGES;
  }

  /** Whether addresses first to last can be told apart under a root at this level. */
  reaches(top: number, first: number, last: number): boolean {
    return last < this.lowPages(top) || (first >= this.highStart(top) && last < MAX_PAGES);
  }

  /** The largest size that both addresses are aligned to and the length holds. @returns its log2 in bytes, or NO_SIZE. */
  bestSizeLg2(iovaPage: number, oaPage: number, pages: number): number {
    const length = PAGE_LG2 + floorLg2(pages);
    const aligned = PAGE_LG2 + trailingZeros(iovaPage, oaPage);
    return this.#floor[Math.min(aligned, length)];
  }

  /** How many leaves of a size go in a row before a larger one fits, or the length ends: the rest is left over.
   * @see Linux pt_pgsz_count() */
  run(sizeLg2: number, iovaPage: number, oaPage: number, pages: number): number {
    const leafPages = this.sizePages[sizeLg2];
    const next = this.#next[sizeLg2];
    let span = pages;
    if (next !== 0) {
      const nextPages = this.sizePages[next];
      const into = iovaPage % nextPages;
      if (into === oaPage % nextPages && nextPages - into < pages) span = nextPages - into;
    }
    return Math.floor(span / leafPages);
  }
}

/** `page` modulo a power of two. */
export function within(page: number, pages: number): number {
  return pages <= 2 ** 30 ? page & (pages - 1) : page % pages; // % of numbers calls out of compiled code
}

/** floor(log2(pages)). @param pages from 1 to 2^52. */
export function floorLg2(pages: number): number {
  const high = (pages / 2 ** 32) | 0;
  return high !== 0 ? 63 - Math.clz32(high) : 31 - Math.clz32(pages);
}

/** Trailing zero bits of two page numbers ORed: 52 when both are 0. */
export function trailingZeros(a: number, b: number): number {
  const low = a | b;
  if (low !== 0) return 31 - Math.clz32(low & -low);
  const high = (a / 2 ** 32) | (b / 2 ** 32);
  return high !== 0 ? 63 - Math.clz32(high & -high) : 52;
}
