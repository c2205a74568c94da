// Memory that hardware reaches by its physical address, past the page tables: its areas may not go while it does.
import { IommuError } from '@faultline/core/errors';
import { PAGE_BYTES } from '../caller/index.ts';
import type { Context } from '../context/context.ts';
import { ACCESS_ALIGNMENT } from '../objects/index.ts';
import { IOAS_MAP_READABLE } from '../uapi/index.ts';
import { addAccess, contiguous, pinRange, removeAccess, unpinRange } from './accesses.ts';
import { AREA_LOCKS, AREA_PROT } from './layout.ts';
import { Ioas } from './tables.ts';

/** Whole pages of an IOAS, for one holder. */
export interface LockedRange {
  /** Object of the IOAS, held by the caller. */
  readonly ioas: number;
  /** Object that holds the range, with the words of an access. */
  readonly holder: number;
  readonly iova: bigint;
  readonly length: bigint;
}

/** Pins a range and keeps its areas from being unmapped: that is EBUSY. @returns the physical address of its first byte.
 * @throws IommuError ENOENT a hole; EPERM not readable; EFAULT not physically contiguous; EADDRINUSE the IOAS has areas that are less aligned
 * than a page; EINVAL, ENOMEM. Nothing has changed then. */
export function lockRange(context: Context, call: string, range: LockedRange): number {
  const { ioas, holder, iova, length } = range;
  const { objects, words } = context;
  words[objects.at(holder) + ACCESS_ALIGNMENT] = PAGE_BYTES;
  addAccess(context, ioas, holder, 0);
  try {
    const pages = pinRange(context, ioas, call, iova, length, false);
    try {
      for (let i = 1; i < pages.length; i++)
        if (pages[i].physical !== pages[i - 1].physical + PAGE_BYTES)
          throw new IommuError('EFAULT', call, 'nesting_parent_iova', iova, `page ${i} is not behind the one before`);
      countLocks(context, call, range, 1);
    } catch (error) {
      unpinRange(context, ioas, iova, length);
      throw error;
    }
    return pages[0].physical + pages[0].offset;
  } catch (error) {
    removeAccess(context, ioas, holder, 0);
    throw error;
  }
}

/** Lets go of a range that was locked as such. */
export function unlockRange(context: Context, range: LockedRange): void {
  const { ioas, holder, iova, length } = range;
  countLocks(context, 'unlock', range, -1);
  unpinRange(context, ioas, iova, length);
  removeAccess(context, ioas, holder, 0);
}

/** The range is pinned: its areas stay. */
function countLocks(context: Context, call: string, { ioas, iova, length }: LockedRange, by: 1 | -1): void {
  const { machine, words } = context;
  const tables = new Ioas(context, ioas);
  tables.readAreas(() => {
    const last = iova + length - 1n;
    for (const { area } of contiguous(tables, call, iova, last))
      if (by === 1 && (words[machine.pools.areas.at(area) + AREA_PROT] & IOAS_MAP_READABLE) === 0)
        throw new IommuError('EPERM', call, 'nesting_parent_iova', iova, 'is not readable');
    for (const { area } of contiguous(tables, call, iova, last))
      Atomics.add(words, machine.pools.areas.at(area) + AREA_LOCKS, by);
  });
}
