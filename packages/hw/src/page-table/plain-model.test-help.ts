// What a page table should do, on a plain Map: a leaf for every page, no levels, no bits. Its pages may be larger than 4 KiB, so that
// large leaves are few of them: then no range that it is asked about is finer.
import type { Format } from './format.ts';

interface PlainLeaf {
  readonly page: number;
  readonly pages: number;
  readonly oaPage: number;
  readonly prot: number;
  dirty: boolean;
}

export class PlainModel {
  /** By the page's number divided by the unit. */
  readonly #leaves = new Map<number, PlainLeaf>();
  readonly #format: Format;
  readonly #unit: number;
  readonly #sizes: readonly number[];

  /** @param unitLg2 log2 of the bytes of a page here: a size of the format, its smallest by default. */
  constructor(format: Format, unitLg2: number = format.sizesLg2[0]) {
    this.#format = format;
    this.#unit = 2 ** (unitLg2 - 12);
    this.#sizes = format.sizesLg2.filter((lg2) => lg2 >= unitLg2).map((lg2) => 2 ** (lg2 - 12));
  }

  /** @returns false when anything is mapped there. */
  map(page: number, oaPage: number, pages: number, prot: number, dirty: boolean): boolean {
    for (let at = page; at < page + pages; at += this.#unit) if (this.#at(at) !== undefined) return false;
    for (let at = 0; at < pages; ) {
      const size = this.#sizes.findLast(
        (fits) => (page + at) % fits === 0 && (oaPage + at) % fits === 0 && fits <= pages - at,
      );
      if (size === undefined) throw new Error('the model was asked for what no size fits');
      this.#put({ page: page + at, pages: size, oaPage: oaPage + at, prot, dirty });
      at += size;
    }
    return true;
  }

  unmap(page: number, pages: number): number {
    const { partialUnmap } = this.#format;
    let first = page;
    let at = page;
    while (at < page + pages) {
      const leaf = this.#at(at);
      if (leaf === undefined) break;
      if (leaf.page !== at && partialUnmap !== 'whole-leaf-anywhere') break;
      if (leaf.page + leaf.pages > page + pages && partialUnmap === 'refuse') break;
      first = Math.min(first, leaf.page);
      this.#drop(leaf);
      at = leaf.page + leaf.pages;
    }
    return at - first;
  }

  lookUp(page: number): number {
    const leaf = this.#at(page);
    return leaf === undefined ? -1 : leaf.oaPage + (page - leaf.page);
  }

  write(page: number): void {
    const leaf = this.#at(page);
    if (leaf !== undefined) leaf.dirty = true;
  }

  /** @returns the dirty pages of a range; leaves that it covers whole are clean then. */
  sweep(page: number, pages: number, clear: boolean): number[] {
    const dirty: number[] = [];
    for (let at = page; at < page + pages; at += this.#unit) if (this.#at(at)?.dirty) dirty.push(at);
    if (clear)
      for (const at of dirty) {
        const leaf = this.#at(at) as PlainLeaf;
        if (leaf.page >= page && leaf.page + leaf.pages <= page + pages) leaf.dirty = false;
      }
    return dirty;
  }

  /** @returns the new size in 4 KiB pages, 0 when there is none smaller, -1 when nothing is mapped. */
  cut(page: number): number {
    const leaf = this.#at(page);
    if (leaf === undefined) return -1;
    const size = this.#sizes.findLast((smaller) => smaller < leaf.pages) ?? 0;
    for (let at = 0; size > 0 && at < leaf.pages; at += size)
      this.#put({ ...leaf, page: leaf.page + at, oaPage: leaf.oaPage + at, pages: size });
    return size;
  }

  promote(page: number, pages: number): boolean {
    const first = this.#at(page);
    if (first === undefined || first.page !== page || first.pages >= pages || first.oaPage % pages !== 0) return false;
    let dirty = false;
    for (let at = 0; at < pages; at += this.#unit) {
      const leaf = this.#at(page + at);
      if (leaf === undefined || leaf.prot !== first.prot || leaf.oaPage + (page + at - leaf.page) !== first.oaPage + at)
        return false;
      if (leaf.page + leaf.pages > page + pages) return false;
      dirty ||= leaf.dirty;
    }
    this.#put({ ...first, pages, dirty });
    return true;
  }

  leaves(): PlainLeaf[] {
    return [...new Set(this.#leaves.values())].sort((a, b) => a.page - b.page);
  }

  #at(page: number): PlainLeaf | undefined {
    return this.#leaves.get(Math.floor(page / this.#unit));
  }
  #put(leaf: PlainLeaf): void {
    for (let at = 0; at < leaf.pages; at += this.#unit) this.#leaves.set((leaf.page + at) / this.#unit, leaf);
  }
  #drop(leaf: PlainLeaf): void {
    for (let at = 0; at < leaf.pages; at += this.#unit) this.#leaves.delete((leaf.page + at) / this.#unit);
  }
}
