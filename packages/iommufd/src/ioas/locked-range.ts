// Memory that hardware reaches by its physical address, past the page tables: its areas may not go while it does.
import { IommuError } from '@faultline/core/errors';
import { PAGE_BYTES } from '../caller/index.ts';
import type { Context } from '../context/context.ts';
import { ACCESS_ALIGNMENT } from '../objects/index.ts';
import { addAccess, contiguous, pinRange, removeAccess, unpinRange } from './accesses.ts';
import { AREA_LOCKS } from './layout.ts';
import { Ioas } from './tables.ts';

const FIELD = 'nesting_parent_iova';

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
  const undo: (() => void)[] = [];
  try {
    words[objects.at(holder) + ACCESS_ALIGNMENT] = PAGE_BYTES;
    addAccess(context, ioas, holder, 0);
    undo.push(() => removeAccess(context, ioas, holder, 0));
    countLocks(context, call, range, 1); // first: who unmaps does not ask a hardware queue to let go
    undo.push(() => countLocks(context, call, range, -1));
    const pages = pinRange(context, ioas, call, iova, length, false, FIELD);
    undo.push(() => unpinRange(context, ioas, iova, length));
    for (let i = 1; i < pages.length; i++)
      if (pages[i].physical !== pages[i - 1].physical + PAGE_BYTES)
        throw new IommuError('EFAULT', call, FIELD, iova, `page ${i} is not behind the one before`);
    return pages[0].physical + pages[0].offset;
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

/** Lets go of a range that was locked as such. */
export function unlockRange(context: Context, range: LockedRange): void {
  const { ioas, holder, iova, length } = range;
  unpinRange(context, ioas, iova, length);
  countLocks(context, 'unlock', range, -1);
  removeAccess(context, ioas, holder, 0);
}

/** Locked areas stay. @throws IommuError ENOENT a hole: none is counted. */
function countLocks(context: Context, call: string, { ioas, iova, length }: LockedRange, by: 1 | -1): void {
  const { machine, words } = context;
  const tables = new Ioas(context, ioas);
  tables.readAreas(() => {
    for (const { area } of [...contiguous(tables, call, iova, iova + length - 1n, FIELD)])
      Atomics.add(words, machine.pools.areas.at(area) + AREA_LOCKS, by);
  });
}
