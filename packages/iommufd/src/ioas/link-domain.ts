// Domains that an IOAS fills: all of them hold the same, from the moment they are linked until they are unlinked.
import { IommuError } from '@faultline/core/errors';
import { PAGE_BYTES } from '../caller/index.ts';
import type { Context } from '../context/context.ts';
import type { DomainGeometry, IovaRange } from '../driver/index.ts';
import { storeU64, U64_MAX } from '../memory/index.ts';
import { alignmentOf, checkAlignment, smallestPage } from './alignment.ts';
import { fillDomain, unfillDomain } from './fill.ts';
import {
  AREA_PAGES,
  DOMAIN_SLOTS,
  IOAS_ALIGNMENT,
  IOAS_ALLOWED,
  IOAS_DOMAIN,
  IOAS_FILLED,
  IOAS_NO_LARGE,
  IOAS_RESERVED,
  SLOT_SIZES,
  SLOT_WORDS,
} from './layout.ts';
import { withPages } from './pages.ts';
import { addRange, meetsRange, removeRanges } from './ranges.ts';
import { Ioas } from './tables.ts';

/** Owner of what lies outside a domain's aperture: no object has such an index. */
const DOMAIN_OWNER = 1 << 24;

/** Fills a domain with everything that is mapped, and from here on with what is. @throws IommuError EADDRINUSE something is mapped, or allowed,
 * that the domain cannot hold; EINVAL its pages are larger than memory's; ENOMEM; EFAULT. The domain is empty then. */
export function linkDomain(
  context: Context,
  call: string,
  object: number,
  domain: number,
  geometry: DomainGeometry,
): void {
  const ioas = new Ioas(context, object);
  ioas.writeDomains(() =>
    ioas.writeAreas(() => {
      const { words, machine } = context;
      const count = words[ioas.at + IOAS_FILLED];
      const pageBytes = smallestPage(geometry.pageSizes);
      const alignment = Math.max(pageBytes, words[ioas.at + IOAS_ALIGNMENT]);
      if (alignment > PAGE_BYTES)
        throw new IommuError('EINVAL', call, 'page_size', pageBytes, `must not be above ${PAGE_BYTES}`);
      checkAlignment(ioas, call, alignment);
      if (count === DOMAIN_SLOTS || machine.fail.fails('domain slot'))
        throw new IommuError('ENOMEM', call, 'domains', count, 'the IOAS has no room for more');
      try {
        for (const range of outside(geometry.aperture)) reserve(ioas, call, DOMAIN_OWNER + domain, range);
        fillAll(ioas, call, domain);
      } catch (error) {
        removeRanges(machine, ioas.at + IOAS_RESERVED, DOMAIN_OWNER + domain);
        throw error;
      }
      words[ioas.at + IOAS_ALIGNMENT] = alignment;
      const slot = ioas.at + IOAS_DOMAIN + SLOT_WORDS * count;
      words[slot] = domain;
      storeU64(words, slot + SLOT_SIZES, geometry.pageSizes);
      words[ioas.at + IOAS_FILLED] = count + 1;
    }),
  );
}

/** Empties a domain, and fills it no more. */
export function unlinkDomain(context: Context, object: number, domain: number): void {
  const ioas = new Ioas(context, object);
  ioas.writeDomains(() =>
    ioas.writeAreas(() => {
      const { words, machine } = context;
      const left = words[ioas.at + IOAS_FILLED] - 1;
      const slots = ioas.at + IOAS_DOMAIN;
      const slot = slots + SLOT_WORDS * ioas.domains().indexOf(domain);
      words.copyWithin(slot, slots + SLOT_WORDS * left, slots + SLOT_WORDS * (left + 1));
      words[ioas.at + IOAS_FILLED] = left;
      const heir = left === 0 ? 0 : words[slots];
      for (let area = ioas.areas.first(); area !== 0; area = ioas.areas.next(area)) unfill(ioas, area, domain, heir);
      removeRanges(machine, ioas.at + IOAS_RESERVED, DOMAIN_OWNER + domain);
      words[ioas.at + IOAS_ALIGNMENT] = alignmentOf(ioas);
    }),
  );
}

/** Keeps mappings out of a device's reserved ranges while it is attached. @param owner its object.
 * @throws IommuError EADDRINUSE, ENOMEM: nothing is reserved then. */
export function reserveRanges(context: Context, object: number, owner: number, ranges: readonly IovaRange[]): void {
  const ioas = new Ioas(context, object);
  ioas.writeAreas(() => {
    try {
      for (const range of ranges) reserve(ioas, 'attach', owner, range);
    } catch (error) {
      removeRanges(context.machine, ioas.at + IOAS_RESERVED, owner);
      throw error;
    }
  });
}

export function unreserveRanges(context: Context, object: number, owner: number): void {
  const ioas = new Ioas(context, object);
  ioas.writeAreas(() => removeRanges(context.machine, ioas.at + IOAS_RESERVED, owner));
}

/** Context: the areas lock, for writing. @throws IommuError EADDRINUSE, ENOMEM */
function reserve(ioas: Ioas, call: string, owner: number, range: IovaRange): void {
  const { machine } = ioas.context;
  const { start, last } = range;
  if (ioas.areas.meeting(start, last) !== 0 || meetsRange(machine, ioas.at + IOAS_ALLOWED, start, last))
    throw new IommuError('EADDRINUSE', call, 'reserved range', start, `up to ${last} is mapped, or allowed`);
  addRange(machine, call, ioas.at + IOAS_RESERVED, owner, range);
}

function outside({ start, last }: IovaRange): IovaRange[] {
  const ranges: IovaRange[] = [];
  if (start > 0n) ranges.push({ start: 0n, last: start - 1n });
  if (last < U64_MAX) ranges.push({ start: last + 1n, last: U64_MAX });
  return ranges;
}

function fillAll(ioas: Ioas, call: string, domain: number): void {
  const { machine, words } = ioas.context;
  const filled: number[] = [];
  const large = words[ioas.at + IOAS_NO_LARGE] === 0;
  try {
    for (let area = ioas.areas.first(); area !== 0; area = ioas.areas.next(area)) {
      const areaAt = machine.pools.areas.at(area);
      const pages = words[areaAt + AREA_PAGES];
      withPages(machine, pages, (pagesAt) => fillDomain(machine, call, areaAt, pagesAt, domain, large));
      filled.push(area);
    }
  } catch (error) {
    const [heir = 0] = ioas.domains();
    for (const area of filled) unfill(ioas, area, domain, heir);
    throw error;
  }
}

function unfill({ context }: Ioas, area: number, domain: number, heir: number): void {
  const { machine, words } = context;
  const areaAt = machine.pools.areas.at(area);
  withPages(machine, words[areaAt + AREA_PAGES], (pagesAt) => unfillDomain(machine, areaAt, pagesAt, domain, heir));
}
