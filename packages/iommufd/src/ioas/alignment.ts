// What IOVAs, lengths and offsets in a page are multiples of: 1 without domains, else their largest smallest page, or what an access asks.
// Context: the areas lock for writing, the domains lock.
import { IommuError } from '@faultline/core/errors';
import { PAGE_BYTES } from '../caller/index.ts';
import { loadU64 } from '../memory/index.ts';
import { ACCESS_ALIGNMENT } from '../objects/index.ts';
import { accessesOf } from './access-list.ts';
import {
  AREA_BYTE,
  AREA_LAST,
  AREA_START,
  IOAS_ALIGNMENT,
  IOAS_DOMAIN,
  IOAS_FILLED,
  IOAS_NO_LARGE,
  SLOT_SIZES,
  SLOT_WORDS,
} from './layout.ts';
import type { Ioas } from './tables.ts';

/** @throws IommuError EADDRINUSE an area is less aligned. */
export function checkAlignment(ioas: Ioas, call: string, alignment: number): void {
  const { words, machine } = ioas.context;
  const mask = BigInt(alignment - 1);
  for (let area = ioas.areas.first(); area !== 0; area = ioas.areas.next(area)) {
    const at = machine.pools.areas.at(area);
    const start = loadU64(words, at + AREA_START);
    const length = loadU64(words, at + AREA_LAST) - start + 1n;
    if (((start | length | loadU64(words, at + AREA_BYTE)) & mask) !== 0n)
      throw new IommuError('EADDRINUSE', call, 'iova', start, `is mapped, and not by multiples of ${alignment}`);
  }
}

/** Bytes of the smallest of some page sizes. */
export function smallestPage(sizes: bigint): number {
  return Number(sizes & -sizes);
}

/** What is asked for now. */
export function alignmentOf(ioas: Ioas): number {
  const { words, objects } = ioas.context;
  let alignment = words[ioas.at + IOAS_NO_LARGE] === 1 ? PAGE_BYTES : 1;
  for (let i = 0; i < words[ioas.at + IOAS_FILLED]; i++)
    alignment = Math.max(alignment, smallestPage(loadU64(words, ioas.at + IOAS_DOMAIN + SLOT_WORDS * i + SLOT_SIZES)));
  for (const access of accessesOf(ioas)) alignment = Math.max(alignment, words[objects.at(access) + ACCESS_ALIGNMENT]);
  return alignment;
}

/** What is asked for at the moment: for calls that check a range. */
export function iovaAlignment(ioas: Ioas): number {
  return ioas.readAreas(() => ioas.context.words[ioas.at + IOAS_ALIGNMENT]);
}
