import type { DirtyBitmap } from '@faultline/hw/page-table';

/** What one would take without page tables: a Map of pages, one thread's own. A value is twice the output page, odd when the page is
 * dirty: small integers, of which a Map holds no object. Rights are not kept. */
export class PlainMap {
  readonly #pages = new Map<number, number>();

  map(iovaPage: number, oaPage: number, pages: number): void {
    const map = this.#pages;
    for (let page = 0; page < pages; page++) {
      if (map.has(iovaPage + page)) throw new Error(`PlainMap.map: page ${iovaPage + page} is mapped`);
      map.set(iovaPage + page, 2 * (oaPage + page));
    }
  }

  unmap(iovaPage: number, pages: number): number {
    for (let page = 0; page < pages; page++) if (!this.#pages.delete(iovaPage + page)) return page;
    return pages;
  }

  sync(): void {}

  iovaToPhys(iovaPage: number): number {
    const found = this.#pages.get(iovaPage);
    return found === undefined ? -1 : found >>> 1;
  }

  readDirty(iovaPage: number, pages: number, bitmap: DirtyBitmap): number {
    return this.#sweep(iovaPage, pages, bitmap, false);
  }

  readAndClearDirty(iovaPage: number, pages: number, bitmap: DirtyBitmap | undefined): number {
    return this.#sweep(iovaPage, pages, bitmap, true);
  }

  write(iovaPage: number): void {
    const found = this.#pages.get(iovaPage);
    if (found !== undefined && (found & 1) === 0) this.#pages.set(iovaPage, found | 1);
  }

  #sweep(iovaPage: number, pages: number, bitmap: DirtyBitmap | undefined, clear: boolean): number {
    const map = this.#pages;
    let dirty = 0;
    for (let page = iovaPage; page < iovaPage + pages; page++) {
      const found = map.get(page);
      if (found === undefined || (found & 1) === 0) continue;
      dirty++;
      bitmap?.set(page, page + 1);
      if (clear) map.set(page, found & ~1);
    }
    return dirty;
  }
}
