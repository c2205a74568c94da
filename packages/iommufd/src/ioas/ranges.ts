// Reserved and allowed ranges of an IOAS: two lists by start. Context: its areas lock, for writing to change them.
import { IommuError } from '@faultline/core/errors';
import type { IovaRange } from '../driver/index.ts';
import type { Machine } from '../machine/index.ts';
import { highHalf, isAbove, isBelow, loadU64, lowHalf, storeU64 } from '../memory/index.ts';
import { RANGE_LAST, RANGE_NEXT, RANGE_OWNER, RANGE_START } from './layout.ts';

/** Adds a range to the list whose first is at word `link`. @throws IommuError ENOMEM */
export function addRange(
  machine: Machine,
  call: string,
  link: number,
  owner: number,
  { start, last }: IovaRange,
): void {
  const { words, pools } = machine;
  const range = pools.ranges.alloc(call);
  const at = pools.ranges.at(range);
  storeU64(words, at + RANGE_START, start);
  storeU64(words, at + RANGE_LAST, last);
  words[at + RANGE_OWNER] = owner;
  let place = link;
  while (words[place] !== 0 && loadU64(words, pools.ranges.at(words[place]) + RANGE_START) < start)
    place = pools.ranges.at(words[place]) + RANGE_NEXT;
  words[at + RANGE_NEXT] = words[place];
  words[place] = range;
}

/** Removes an owner's ranges; without one, all. */
export function removeRanges({ words, pools }: Machine, link: number, owner?: number): void {
  let place = link;
  while (words[place] !== 0) {
    const range = words[place];
    const at = pools.ranges.at(range);
    if (owner !== undefined && words[at + RANGE_OWNER] !== owner) {
      place = at + RANGE_NEXT;
      continue;
    }
    words[place] = words[at + RANGE_NEXT];
    pools.ranges.free(range);
  }
}

/** The ranges of a list, by start. */
export function rangesOf({ words, pools }: Machine, link: number): IovaRange[] {
  const found: IovaRange[] = [];
  for (let range = words[link]; range !== 0; range = words[pools.ranges.at(range) + RANGE_NEXT]) {
    const at = pools.ranges.at(range);
    found.push({ start: loadU64(words, at + RANGE_START), last: loadU64(words, at + RANGE_LAST) });
  }
  return found;
}

/** Whether a range of the list meets start..last. */
export function meetsRange(machine: Machine, link: number, start: bigint, last: bigint): boolean {
  const { words, pools } = machine;
  if (words[link] === 0) return false;
  const [startHigh, startLow, lastHigh, lastLow] = [highHalf(start), lowHalf(start), highHalf(last), lowHalf(last)];
  for (let range = words[link]; range !== 0; range = words[pools.ranges.at(range) + RANGE_NEXT]) {
    const at = pools.ranges.at(range);
    if (isAbove(words, at + RANGE_START, lastHigh, lastLow)) return false; // they are in order
    if (!isBelow(words, at + RANGE_LAST, startHigh, startLow)) return true;
  }
  return false;
}

/** Ranges that do not meet, by start: those that touch become one. */
export function joinRanges(ranges: readonly IovaRange[]): IovaRange[] {
  const joined: IovaRange[] = [];
  for (const range of ranges) {
    const before = joined.at(-1);
    if (before !== undefined && before.last + 1n === range.start)
      joined[joined.length - 1] = { start: before.start, last: range.last };
    else joined.push(range);
  }
  return joined;
}

/** Gaps between ranges within start..last, by start. */
export function gapsOf(ranges: readonly IovaRange[], start: bigint, last: bigint): IovaRange[] {
  const gaps: IovaRange[] = [];
  let from = start;
  for (const range of ranges) {
    if (range.last < from) continue;
    if (range.start > last) break;
    if (range.start > from) gaps.push({ start: from, last: range.start - 1n });
    from = range.last + 1n;
    if (from > last) return gaps;
  }
  gaps.push({ start: from, last });
  return gaps;
}

/** @throws IommuError EINVAL a range is empty, or two of them meet. */
export function checkRanges(call: string, ranges: readonly IovaRange[]): void {
  const sorted = [...ranges].sort((a, b) => (a.start < b.start ? -1 : 1));
  sorted.forEach((range, i) => {
    if (range.start >= range.last)
      throw new IommuError('EINVAL', call, 'allowed_iovas.last', range.last, `must be above start ${range.start}`);
    if (i > 0 && sorted[i - 1].last >= range.start)
      throw new IommuError('EINVAL', call, 'allowed_iovas.start', range.start, 'meets another range of the list');
  });
}
