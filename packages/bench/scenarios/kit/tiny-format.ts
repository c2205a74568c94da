// A page table format whose tables have two or four slots instead of 512, for schedules that can be counted.
//
// A fair stand-in: every bit of an entry is the real format's, and so are its rules; only how many slots a table has is another number,
// and with it the size of what a slot above level 0 maps. The code under test takes both from the format and knows neither. What goes
// on between two threads goes on at one slot, or at two that are next to each other; further ones are the same again.
import { type Format, PAGE_LG2 } from '@faultline/hw/page-table';

export interface TinyOptions {
  /** log2 of a table's slots. */
  readonly indexLg2: number;
  /** Level of the root at first. */
  readonly topLevel: number;
  /** It may grow up to here. Default: not at all. */
  readonly maxTopLevel?: number;
}

/** Makes a format's tables small. @param real of 4 KiB granules, without joined roots and sign extension. */
export function tiny(real: Format, { indexLg2, topLevel, maxTopLevel = topLevel }: TinyOptions): Format {
  const itemLg2 = (level: number): number => PAGE_LG2 + level * indexLg2;
  const realItemLg2 = (level: number): number => real.granuleLg2 + level * real.indexLg2;
  /** What the real format calls a size: an item there is larger, and what is several of its slots says so by its size. */
  const toReal = (sizeLg2: number, level: number): number =>
    sizeLg2 === itemLg2(level) ? realItemLg2(level) : sizeLg2;
  const levels = Array.from({ length: maxTopLevel + 1 }, (_, level) => level);
  const slotsLg2 = real.replicated ? Array.from({ length: indexLg2 }, (_, lg2) => lg2) : [0];
  return {
    ...real,
    name: `${real.name}, ${2 ** indexLg2} slots a table`,
    indexLg2,
    topLevel,
    maxTopLevel,
    joinedLg2: 0,
    iovaLg2: itemLg2(maxTopLevel + 1),
    sizesLg2: levels.flatMap((level) => slotsLg2.map((lg2) => itemLg2(level) + lg2)),
    leafLg2(lo, hi, level) {
      const sizeLg2 = real.leafLg2(lo, hi, level);
      return sizeLg2 === realItemLg2(level) ? itemLg2(level) : sizeLg2;
    },
    leafLo: (page, sizeLg2, level) => real.leafLo(page, toReal(sizeLg2, level), level),
    leafHi: (page, sizeLg2, level) => real.leafHi(page, toReal(sizeLg2, level), level),
  };
}
