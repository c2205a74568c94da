// Mapping: an area for each piece of memory, then its pages into every domain, then it is there.
import { IommuError } from '@faultline/core/errors';
import { isMultiple, loadU64, storeU64, U64_MAX } from '../memory/index.ts';
import { IOAS_MAP_WRITEABLE } from '../uapi/index.ts';
import { fillDomain, unfillDomain } from './fill.ts';
import { findIova } from './find-iova.ts';
import {
  AREA_BYTE,
  AREA_PAGES,
  AREA_PROT,
  IOAS_ALIGNMENT,
  IOAS_FILLED,
  IOAS_NO_LARGE,
  IOAS_RESERVED,
  PAGES_START,
  PAGES_WRITABLE,
} from './layout.ts';
import { withPages } from './pages.ts';
import { meetsRange } from './ranges.ts';
import type { Ioas } from './tables.ts';

/** A piece of memory to be mapped: `length` bytes from `byte` of its pages. The caller has a reference for each, which the area takes over. */
export interface Piece {
  readonly pages: number;
  readonly byte: bigint;
  readonly length: bigint;
  /** Where the caller said that it is: for messages. */
  readonly given: bigint;
}

/** What the caller knows the place and the memory by. */
export interface MapFields {
  readonly place: string;
  readonly memory: string;
}

/** Maps pieces one behind the other. @param fixed where to; undefined: wherever there is room.
 * @returns the first IOVA.
 * @throws IommuError EINVAL, EOVERFLOW, EEXIST, ENOSPC, EPERM, EFAULT, ENOMEM: nothing is mapped then, and the references are the caller's. */
export function mapPieces(
  ioas: Ioas,
  call: string,
  pieces: readonly Piece[],
  prot: number,
  fixed: bigint | undefined,
  fields: MapFields,
): bigint {
  const { machine, words } = ioas.context;
  const { areas: pool } = machine.pools;
  const areas: number[] = [];
  let inserted = 0;
  return ioas.readDomains(() => {
    try {
      for (let i = 0; i < pieces.length; i++) areas.push(pool.alloc(call));
      const isFilled = words[ioas.at + IOAS_FILLED] > 0;
      const publish = (): void => {
        for (let i = 0; i < pieces.length; i++) words[pool.at(areas[i]) + AREA_PAGES] = pieces[i].pages;
      };
      const first = ioas.writeAreas(() => {
        const start = choosePlace(ioas, call, pieces, fixed, fields);
        let iova = start;
        for (const piece of pieces) {
          if (inserted > 0) iova += pieces[inserted - 1].length;
          setUpArea(ioas, call, areas[inserted], piece, prot, fields.memory);
          const last = iova + piece.length - 1n;
          // The place that the caller named was looked up last.
          if (fixed === iova) ioas.areas.insertFound(areas[inserted], iova, last);
          else ioas.areas.insert(areas[inserted], iova, last);
          inserted++;
        }
        if (!isFilled) publish();
        return start;
      });
      if (isFilled) {
        fillAll(ioas, call, pieces, areas);
        ioas.writeAreas(publish);
      }
      return first;
    } catch (error) {
      ioas.writeAreas(() => {
        for (let i = 0; i < inserted; i++) ioas.areas.remove(areas[i]);
      });
      for (const area of areas) pool.free(area); // out of the list, or never in it
      throw error;
    }
  });
}

/** Context: the areas lock, for writing. */
function choosePlace(
  ioas: Ioas,
  call: string,
  pieces: readonly Piece[],
  fixed: bigint | undefined,
  { place: field, memory }: MapFields,
): bigint {
  const { machine, words } = ioas.context;
  const alignment = words[ioas.at + IOAS_ALIGNMENT];
  let { length } = pieces[0];
  for (let i = 1; i < pieces.length; i++) length += pieces[i].length;
  if (length === 0n || !isMultiple(length, alignment))
    throw new IommuError('EINVAL', call, 'length', length, `must be a positive multiple of ${alignment}`);
  if (fixed === undefined) {
    const [{ pages, byte, given }] = pieces;
    const source = loadU64(words, machine.pools.pages.at(pages) + PAGES_START) + byte;
    const iova = findIova(ioas, call, source, length);
    if (iova < 0n) throw new IommuError('EINVAL', call, memory, given, `must be a multiple of ${alignment}`);
    return iova;
  }
  if (!isMultiple(fixed, alignment))
    throw new IommuError('EINVAL', call, field, fixed, `must be a multiple of ${alignment}`);
  const last = fixed + length - 1n;
  if (last > U64_MAX) throw new IommuError('EOVERFLOW', call, field, fixed, `${length} bytes from there wrap`);
  if (meetsRange(machine, ioas.at + IOAS_RESERVED, fixed, last))
    throw new IommuError('EINVAL', call, field, fixed, `up to ${last} meets a reserved range`);
  if (ioas.areas.meeting(fixed, last) !== 0)
    throw new IommuError('EEXIST', call, field, fixed, 'something is mapped there');
  return fixed;
}

/** Context: the areas lock, for writing. Its PAGES stay 0: the IOVAs are taken, and there is nothing there yet. */
function setUpArea(ioas: Ioas, call: string, area: number, piece: Piece, prot: number, memory: string): void {
  const { machine, words } = ioas.context;
  const alignment = words[ioas.at + IOAS_ALIGNMENT];
  const { pages, byte } = piece;
  if ((prot & IOAS_MAP_WRITEABLE) !== 0 && words[machine.pools.pages.at(pages) + PAGES_WRITABLE] === 0)
    throw new IommuError('EPERM', call, 'flags', prot, 'the memory was first mapped without being writeable');
  if (!isMultiple(byte, alignment))
    throw new IommuError('EINVAL', call, memory, piece.given, `must be a multiple of ${alignment}`);
  const at = machine.pools.areas.at(area);
  storeU64(words, at + AREA_BYTE, byte);
  words[at + AREA_PROT] = prot;
}

/** Context: the domains lock, for reading: no domain comes or goes. */
function fillAll(ioas: Ioas, call: string, pieces: readonly Piece[], areas: readonly number[]): void {
  const { machine } = ioas.context;
  const domains = ioas.domains();
  const large = ioas.context.words[ioas.at + IOAS_NO_LARGE] === 0; // stays: it is changed with the domains lock for writing
  const steps = pieces.length * domains.length;
  let done = 0;
  try {
    for (; done < steps; done++) {
      const piece = Math.floor(done / domains.length);
      const domain = domains[done % domains.length];
      const areaAt = machine.pools.areas.at(areas[piece]);
      withPages(machine, pieces[piece].pages, (pagesAt) => fillDomain(machine, call, areaAt, pagesAt, domain, large));
    }
  } catch (error) {
    // Backwards, so that what remembers where the pages are goes last.
    while (done-- > 0) {
      const piece = Math.floor(done / domains.length);
      const domain = domains[done % domains.length];
      const heir = domain === domains[0] ? 0 : domains[0];
      const areaAt = machine.pools.areas.at(areas[piece]);
      withPages(machine, pieces[piece].pages, (pagesAt) => unfillDomain(machine, areaAt, pagesAt, domain, heir));
    }
    throw error;
  }
}
