// What a driver remembers that it has pinned through an access, each range by a number: so that it can let go when it is told to. In records
// of the pool of ranges, under the access's ITEMS_LOCK, which is held while a range is pinned: none is pinned unnoticed.
import { IommuError } from '@faultline/core/errors';
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import type { Context } from '../context/context.ts';
import type { RangePage } from '../ioas/index.ts';
import { RANGE_LAST, RANGE_NEXT, RANGE_OWNER, RANGE_START } from '../ioas/layout.ts';
import { loadU64, storeU64 } from '../memory/index.ts';
import { ACCESS_ITEMS, ACCESS_ITEMS_LOCK, ACCESS_NEXT_ID } from '../objects/index.ts';
import { type AccessRange, pinAccess, unpinAccess } from './pin.ts';

/** Pins a range and remembers it. @param use looks at the pages; what it throws undoes the pin. @returns the item's number.
 * @throws IommuError as {@link pinAccess}, ENOMEM */
export function pinItem(
  context: Context,
  call: string,
  access: number,
  range: AccessRange,
  writable: boolean,
  use: (pages: readonly RangePage[], item: number) => void,
): number {
  const { machine, words } = context;
  const { ranges } = machine.pools;
  return withItems(context, access, (at) => {
    const pages = pinAccess(context, call, access, range, writable);
    let record = 0;
    try {
      record = ranges.alloc(call);
      use(pages, words[at + ACCESS_NEXT_ID]);
    } catch (error) {
      if (record !== 0) ranges.free(record); // in no list yet
      unpinAccess(context, access, range);
      throw error;
    }
    const recordAt = ranges.at(record);
    words[recordAt + RANGE_OWNER] = words[at + ACCESS_NEXT_ID]++;
    storeU64(words, recordAt + RANGE_START, range.iova);
    storeU64(words, recordAt + RANGE_LAST, range.iova + range.length - 1n);
    words[recordAt + RANGE_NEXT] = words[at + ACCESS_ITEMS];
    words[at + ACCESS_ITEMS] = record;
    return words[recordAt + RANGE_OWNER];
  });
}

/** Lets go of an item. @throws IommuError ENOENT */
export function unpinItem(context: Context, call: string, access: number, item: number): void {
  if (unpinItems(context, access, (_start, _last, owner) => owner === item) === 0)
    throw new IommuError('ENOENT', call, 'access_pages_id', item, 'names nothing that is pinned');
}

/** Lets go of all items that meet a range: what an access does when it is told. */
export function unpinMeeting(context: Context, access: number, iova: bigint, length: bigint): void {
  const end = iova + length;
  unpinItems(context, access, (start, last) => start < end && last >= iova);
}

function unpinItems(
  context: Context,
  access: number,
  matches: (start: bigint, last: bigint, item: number) => boolean,
): number {
  const { machine, words } = context;
  const { ranges } = machine.pools;
  return withItems(context, access, (at) => {
    let found = 0;
    for (let link = at + ACCESS_ITEMS; words[link] !== 0; ) {
      const record = words[link];
      const recordAt = ranges.at(record);
      const iova = loadU64(words, recordAt + RANGE_START);
      const last = loadU64(words, recordAt + RANGE_LAST);
      if (!matches(iova, last, words[recordAt + RANGE_OWNER])) {
        link = recordAt + RANGE_NEXT;
        continue;
      }
      words[link] = words[recordAt + RANGE_NEXT];
      ranges.free(record); // out of the list
      unpinAccess(context, access, { iova, length: last - iova + 1n });
      found++;
    }
    return found;
  });
}

function withItems<T>({ machine, objects, words }: Context, access: number, body: (at: number) => T): T {
  const at = objects.at(access);
  mutexLock(words, at + ACCESS_ITEMS_LOCK, machine.self);
  try {
    return body(at);
  } finally {
    mutexUnlock(words, at + ACCESS_ITEMS_LOCK, machine.self);
  }
}
