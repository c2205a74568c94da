// What a page table should do, on plain Maps: a leaf for every page, no levels, no bits.
import type { Format } from './format.ts';

interface PlainLeaf {
  readonly page: number;
  readonly pages: number;
  readonly oaPage: number;
  readonly prot: number;
  dirty: boolean;
}

export class PlainModel {
  readonly #leaves = new Map<number, PlainLeaf>();
  readonly #format: Format;
  readonly #sizes: readonly number[];

  constructor(format: Format) {
    this.#format = format;
    this.#sizes = format.sizesLg2.map((lg2) => 2 ** (lg2 - 12));
  }

  /** @returns false when anything is mapped there. */
  map(page: number, oaPage: number, pages: number, prot: number, dirty: boolean): boolean {
    for (let at = page; at < page + pages; at++) if (this.#leaves.has(at)) return false;
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
    let at = page;
    while (at < page + pages) {
      const leaf = this.#leaves.get(at);
      if (leaf === undefined) break;
      if (leaf.page !== at) break;
      if (leaf.page + leaf.pages > page + pages && this.#format.partialUnmap === 'refuse') break;
      this.#drop(leaf);
      at += leaf.pages;
    }
    return at - page;
  }

  lookUp(page: number): number {
    const leaf = this.#leaves.get(page);
    return leaf === undefined ? -1 : leaf.oaPage + (page - leaf.page);
  }

  write(page: number): void {
    const leaf = this.#leaves.get(page);
    if (leaf !== undefined) leaf.dirty = true;
  }

  /** @returns the dirty pages of a range; leaves that it covers whole are clean then. */
  sweep(page: number, pages: number, clear: boolean): number[] {
    const dirty: number[] = [];
    for (let at = page; at < page + pages; at++) if (this.#leaves.get(at)?.dirty) dirty.push(at);
    if (clear)
      for (const at of dirty) {
        const leaf = this.#leaves.get(at) as PlainLeaf;
        if (leaf.page >= page && leaf.page + leaf.pages <= page + pages) leaf.dirty = false;
      }
    return dirty;
  }

  /** @returns the new size in pages, 0 when there is none smaller, -1 when nothing is mapped. */
  cut(page: number): number {
    const leaf = this.#leaves.get(page);
    if (leaf === undefined) return -1;
    const size = this.#sizes.findLast((smaller) => smaller < leaf.pages) ?? 0;
    for (let at = 0; size > 0 && at < leaf.pages; at += size)
      this.#put({ ...leaf, page: leaf.page + at, oaPage: leaf.oaPage + at, pages: size });
    return size;
  }

  promote(page: number, pages: number): boolean {
    const first = this.#leaves.get(page);
    if (first === undefined || first.page !== page || first.pages >= pages || first.oaPage % pages !== 0) return false;
    let dirty = false;
    for (let at = 0; at < pages; at++) {
      const leaf = this.#leaves.get(page + at);
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

  #put(leaf: PlainLeaf): void {
    for (let at = leaf.page; at < leaf.page + leaf.pages; at++) this.#leaves.set(at, leaf);
  }
  #drop(leaf: PlainLeaf): void {
    for (let at = leaf.page; at < leaf.page + leaf.pages; at++) this.#leaves.delete(at);
  }
}
