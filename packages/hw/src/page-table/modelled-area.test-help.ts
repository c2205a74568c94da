// A range of addresses that one thread owns, each operation on it done by the page table and by the plain model, and compared.
import { DirtyBitmap } from './dirty-bitmap.ts';
import { PROT_READ, PROT_WRITE } from './format.ts';
import type { HardwareWalker } from './hardware-walker.ts';
import type { PageTable } from './page-table.ts';
import { PlainModel } from './plain-model.test-help.ts';

export const KINDS = [
  'map',
  'map',
  'map',
  'unmap',
  'unmap',
  'write',
  'write',
  'sweep',
  'read',
  'cut',
  'promote',
] as const;
/** What output addresses are off by, in units: alike in all sizes, in the smallest, in some. */
export const SHIFTS = [0, 0, 0, 1, 16] as const;

/** One operation, in units of the area. */
export interface Operation {
  readonly kind: (typeof KINDS)[number];
  readonly at: number;
  /** What `at` is rounded down to. */
  readonly align: number;
  readonly length: number;
  readonly shift: number;
  readonly writable: boolean;
}

export interface Area {
  /** First page. */
  readonly start: number;
  readonly units: number;
  /** log2 of the bytes of a unit: one of the format's sizes. Nothing smaller is mapped. */
  readonly unitLg2: number;
  /** From input to output pages, before the shift. */
  readonly distance: number;
}

export class ModelledArea {
  readonly model: PlainModel;
  /** Units of the sizes that fit the area, ascending. */
  readonly sizes: readonly number[];
  readonly #table: PageTable;
  readonly #area: Area;
  readonly #unit: number;
  readonly #walker: HardwareWalker;

  constructor(table: PageTable, area: Area) {
    const { format } = table.tree;
    this.#table = table;
    this.#area = area;
    this.#unit = 2 ** (area.unitLg2 - 12);
    this.#walker = table.walker(undefined, { tlbEntries: 1 });
    this.model = new PlainModel(format, area.unitLg2);
    this.sizes = unitsOf(format.sizesLg2, area);
  }

  /** @throws Error naming what the two disagree in. */
  apply({ kind, at, align, length, shift, writable }: Operation): void {
    const { model } = this;
    const table = this.#table;
    const { format } = table.tree;
    const unit = this.#unit;
    const page = this.#area.start + (at - (at % align)) * unit;
    const pages = Math.min(length * unit, this.#area.start + this.#area.units * unit - page);
    if (kind === 'map') {
      const prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
      let oaPage = page + this.#area.distance + shift * unit;
      if (oaPage < 0 || oaPage + pages > 2 ** (format.oaLg2 - 12)) oaPage = page + this.#area.distance;
      const bornDirty = format.dirty !== undefined && format.name.startsWith('arm');
      let mapped = true;
      try {
        table.map(page, oaPage, pages, prot);
      } catch (error) {
        if ((error as { code?: string }).code !== 'EADDRINUSE') throw error;
        mapped = false;
      }
      same('map', mapped, model.map(page, oaPage, pages, prot, writable && bornDirty));
    } else if (kind === 'unmap') same('unmap', table.unmap(page, pages), model.unmap(page, pages));
    else if (kind === 'cut') {
      const size = model.cut(page);
      // A leaf of one unit could be cut further only where the model does not follow.
      if (size > 0 || (size === 0 && this.#area.unitLg2 === format.sizesLg2[0]))
        same('cut', table.cut(page), size === 0 ? 0 : 12 + Math.log2(size));
    } else if (kind === 'promote') {
      const size = this.sizes[1 + (length % (this.sizes.length - 1))] * unit;
      const aligned = page - (page % size);
      if (aligned < this.#area.start || aligned + size > this.#area.start + this.#area.units * unit) return;
      same('promote', table.promote(aligned, 12 + Math.log2(size)), model.promote(aligned, size));
    } else if (kind === 'write') {
      this.#walker.idle(); // drops what it cached
      // Any slot of a large leaf may carry the mark.
      const inside = page + (unit > 1 ? length % unit : 0);
      if (this.#walker.access(inside, true) >= 0) model.write(inside);
    } else if (format.dirty !== undefined) {
      const bitmap = new DirtyBitmap(page, pages, this.#area.unitLg2);
      if (kind === 'sweep') table.readAndClearDirty(page, pages, bitmap);
      else table.readDirty(page, pages, bitmap);
      const dirty = model.sweep(page, pages, kind === 'sweep');
      same('dirty pages', bitmap.count(), dirty.length);
      for (const one of dirty) same(`dirty at ${one}`, bitmap.has(one), true);
    }
    same('look-up', table.iovaToPhys(page), model.lookUp(page));
  }

  /** The leaves that the model says are there, one by one, are unmapped. */
  unmapAll(): void {
    for (const { page, pages } of this.model.leaves()) same('last unmap', this.#table.unmap(page, pages), pages);
  }
}

/** Units of the sizes of which two fit an area, ascending. */
export function unitsOf(sizesLg2: readonly number[], { units, unitLg2 }: Pick<Area, 'units' | 'unitLg2'>): number[] {
  return sizesLg2.filter((lg2) => lg2 >= unitLg2 && 2 ** (lg2 - unitLg2) <= units).map((lg2) => 2 ** (lg2 - unitLg2));
}

function same(what: string, found: number | boolean, expected: number | boolean): void {
  if (found !== expected) throw new Error(`${what}: ${found}, and ${expected} in the model`);
}
