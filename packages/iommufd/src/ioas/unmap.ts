// Unmapping: whole areas only. Accesses let go first; then the area is marked as going, under the areas lock, and emptied without it.
import { IommuError } from '@faultline/core/errors';
import type { IovaRange } from '../driver/index.ts';
import { U64_MAX } from '../memory/index.ts';
import { notifyAccesses } from './accesses.ts';
import { unfillDomain } from './fill.ts';
import { AREA_ACCESSES, AREA_LOCKS, AREA_PAGES, AREA_PREVENT } from './layout.ts';
import { putPages, withPages } from './pages.ts';
import type { Ioas } from './tables.ts';

/** How often accesses are asked to let go of one area. */
const MAX_ROUNDS = 100;

/** Unmaps what lies in start..last, in order and each place once. @param onUnmapped told of each area that is gone, also when a later one refuses. @returns bytes. @throws IommuError ENOENT an area sticks out; EBUSY one is being
 * mapped or unmapped, or may not go; EDEADLK accesses do not let go. What was unmapped before stays so. */
export function unmapRange(
  ioas: Ioas,
  call: string,
  start: bigint,
  last: bigint,
  onUnmapped: (bytes: bigint) => void = () => {},
): bigint {
  let bytes = 0n;
  let from = start;
  for (let rounds = 0; ; ) {
    const step = ioas.readDomains(() => unmapOne(ioas, call, from, last));
    if (step === undefined) break;
    const length = step.last - step.start + 1n;
    if (step.isGone) {
      bytes += length;
      onUnmapped(length);
      rounds = 0;
      // What others map again behind this call's back is not its own any more.
      if (step.last === last) break;
      from = step.last + 1n;
      continue;
    }
    if (++rounds > MAX_ROUNDS)
      throw new IommuError('EDEADLK', call, 'iova', step.start, 'accesses do not let go of it');
    from = step.start;
    notifyAccesses(ioas, step.start, length);
  }
  return bytes;
}

/** One area: it is gone, or its accesses must let go first. */
interface Step extends IovaRange {
  readonly isGone: boolean;
}

/** Unmaps the first area of a range. @returns undefined where there is none. Context: the domains lock, for reading. */
function unmapOne(ioas: Ioas, call: string, start: bigint, last: bigint): Step | undefined {
  const { machine, words } = ioas.context;
  const taken = ioas.writeAreas(() => {
    const area = ioas.areas.meeting(start, last);
    if (area === 0) return undefined;
    const at = machine.pools.areas.at(area);
    const range = { start: ioas.areas.start(area), last: ioas.areas.last(area) };
    const pages = words[at + AREA_PAGES];
    if (pages === 0) throw new IommuError('EBUSY', call, 'iova', range.start, 'is being mapped or unmapped');
    if (words[at + AREA_LOCKS] > 0) throw new IommuError('EBUSY', call, 'iova', range.start, 'is a hardware queue’s');
    if (range.start < start || range.last > last)
      throw new IommuError('ENOENT', call, 'iova', range.start, `is mapped up to ${range.last}, as a whole`);
    if (words[at + AREA_ACCESSES] > 0) {
      words[at + AREA_PREVENT] = 1;
      return { ...range, area, pages: 0 };
    }
    words[at + AREA_PAGES] = 0;
    return { ...range, area, pages };
  });
  if (taken === undefined) return undefined;
  if (taken.pages === 0) return { start: taken.start, last: taken.last, isGone: false };
  empty(ioas, taken.area, taken.pages);
  ioas.writeAreas(() => ioas.areas.remove(taken.area));
  putPages(machine, taken.pages);
  machine.pools.areas.free(taken.area); // out of the list: nobody can find it
  return { start: taken.start, last: taken.last, isGone: true };
}

/** Takes an area out of every domain, the one that remembers its pages last. */
function empty(ioas: Ioas, area: number, pages: number): void {
  const { machine } = ioas.context;
  const areaAt = machine.pools.areas.at(area);
  const domains = ioas.domains();
  for (const domain of domains.reverse()) {
    const heir = domain === domains[domains.length - 1] ? 0 : domains[domains.length - 1];
    withPages(machine, pages, (pagesAt) => unfillDomain(machine, areaAt, pagesAt, domain, heir));
  }
}

/** Unmaps everything, at the end of an IOAS: nobody else can reach it. */
export function unmapAll(ioas: Ioas, call: string): bigint {
  return ioas.areas.size === 0 ? 0n : unmapRange(ioas, call, 0n, U64_MAX);
}
