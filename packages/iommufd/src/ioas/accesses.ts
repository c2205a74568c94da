// Accesses of an IOAS: the kernel's own users, which pin pages and are told before an area goes.
import { IommuError } from '@faultline/core/errors';
import { PAGE_BYTES } from '../caller/index.ts';
import type { Context } from '../context/context.ts';
import { loadU64, min64, U64_MAX } from '../memory/index.ts';
import { ACCESS_ALIGNMENT, ACCESS_KIND } from '../objects/index.ts';
import { IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE, OBJ_ACCESS } from '../uapi/index.ts';
import { accessesOf, linkTo, NEXT, nextAt } from './access-list.ts';
import { alignmentOf, checkAlignment } from './alignment.ts';
import {
  AREA_ACCESSES,
  AREA_BYTE,
  AREA_PAGES,
  AREA_PREVENT,
  AREA_PROT,
  AREA_START,
  IOAS_ACCESSES,
  IOAS_ALIGNMENT,
} from './layout.ts';
import { pinForAccess, unpinForAccess, withPages } from './pages.ts';
import { Ioas } from './tables.ts';

const PAGE = BigInt(PAGE_BYTES);

/** @param side of the access by which it is in the list: 0 or 1, the one that is not in use.
 * @throws IommuError EADDRINUSE something is mapped that is less aligned than the access asks. */
export function addAccess(context: Context, object: number, access: number, side: number = 0): void {
  const ioas = new Ioas(context, object);
  const { words, objects } = context;
  ioas.writeDomains(() =>
    ioas.writeAreas(() => {
      const alignment = Math.max(words[ioas.at + IOAS_ALIGNMENT], words[objects.at(access) + ACCESS_ALIGNMENT]);
      checkAlignment(ioas, 'access', alignment);
      words[objects.at(access) + NEXT[side]] = words[ioas.at + IOAS_ACCESSES];
      words[ioas.at + IOAS_ACCESSES] = linkTo(access, side);
      words[ioas.at + IOAS_ALIGNMENT] = alignment;
    }),
  );
}

export function removeAccess(context: Context, object: number, access: number, side: number = 0): void {
  const ioas = new Ioas(context, object);
  const { words } = context;
  ioas.writeDomains(() =>
    ioas.writeAreas(() => {
      let at = ioas.at + IOAS_ACCESSES;
      while (words[at] !== linkTo(access, side)) at = nextAt(context, words[at]);
      words[at] = words[nextAt(context, words[at])];
      words[ioas.at + IOAS_ALIGNMENT] = alignmentOf(ioas);
    }),
  );
}

/** Tells every access that a range is about to go: it must unpin what it has of it. Context: no lock. */
export function notifyAccesses(ioas: Ioas, iova: bigint, length: bigint): void {
  const { words, objects, machine } = ioas.context;
  const accesses = ioas.readAreas(() => {
    // A hardware queue lets go of nothing: its areas may not go.
    const found = [...accessesOf(ioas)].filter((access) => objects.typeOf(access) === OBJ_ACCESS);
    for (const access of found) objects.holdRunning(access); // in the list: it is destroyed once it has left it, and this has ended
    return found;
  });
  for (const access of accesses) {
    try {
      machine.accessUnmaps.get(words[objects.at(access) + ACCESS_KIND])?.(ioas.context, access, iova, length);
    } finally {
      objects.releaseRunning(access);
    }
  }
}

/** A page of a range: where it is, and which part of it the range has. */
export interface RangePage {
  readonly physical: number;
  readonly offset: number;
  readonly bytes: number;
}

/** Pins a range for an access, which unpins the same one. @returns its pages, in order. @throws IommuError EINVAL length, ENOENT a hole,
 * EPERM not mapped for that, EFAULT, ENOMEM: nothing is pinned then. */
export function pinRange(
  context: Context,
  object: number,
  call: string,
  iova: bigint,
  length: bigint,
  writable: boolean,
  field: string = 'iova',
): RangePage[] {
  const last = checkRange(call, iova, length, field);
  const ioas = new Ioas(context, object);
  return ioas.readAreas(() => {
    const pinned: RangePage[] = [];
    const done: { readonly area: number; readonly pages: readonly number[] }[] = [];
    try {
      for (const { area, from, to } of contiguous(ioas, call, iova, last, field)) {
        checkArea(ioas, call, area, from, writable, field);
        const numbers: number[] = [];
        done.push({ area, pages: numbers });
        pinArea(ioas, call, area, from, to, (page, part) => {
          numbers.push(page);
          pinned.push(part);
        });
      }
    } catch (error) {
      for (const { area, pages } of done) for (const page of pages) unpinOne(ioas, area, page);
      throw error;
    }
    for (const { area } of done) Atomics.add(context.words, context.machine.pools.areas.at(area) + AREA_ACCESSES, 1);
    return pinned;
  });
}

/** Lets go of a range that was pinned as such. */
export function unpinRange(context: Context, object: number, iova: bigint, length: bigint): void {
  const ioas = new Ioas(context, object);
  const { machine, words } = context;
  ioas.readAreas(() => {
    for (const { area, from, to } of contiguous(ioas, 'unpin', iova, iova + length - 1n)) {
      const areaAt = machine.pools.areas.at(area);
      const byte = loadU64(words, areaAt + AREA_BYTE) - loadU64(words, areaAt + AREA_START);
      for (let page = (byte + from) / PAGE; page <= (byte + to) / PAGE; page++) unpinOne(ioas, area, Number(page));
      Atomics.sub(words, areaAt + AREA_ACCESSES, 1);
    }
  });
}

/** @returns the range's last byte. */
export function checkRange(call: string, iova: bigint, length: bigint, field: string = 'iova'): bigint {
  if (length === 0n) throw new IommuError('EINVAL', call, 'length', length, 'must not be 0');
  const last = iova + length - 1n;
  if (last > U64_MAX) throw new IommuError('EOVERFLOW', call, field, iova, `${length} bytes from there wrap`);
  return last;
}

/** The areas of a range, without a gap. Context: the areas lock. @throws IommuError ENOENT */
export function* contiguous(
  ioas: Ioas,
  call: string,
  iova: bigint,
  last: bigint,
  field: string = 'iova',
): Generator<{ readonly area: number; readonly from: bigint; readonly to: bigint }> {
  const { machine, words } = ioas.context;
  let from = iova;
  for (let area = ioas.areas.holding(iova); ; area = ioas.areas.next(area)) {
    const isThere =
      area !== 0 && ioas.areas.start(area) <= from && words[machine.pools.areas.at(area) + AREA_PAGES] !== 0;
    if (!isThere) throw new IommuError('ENOENT', call, field, from, 'is not mapped');
    const areaLast = ioas.areas.last(area);
    yield { area, from, to: min64(areaLast, last) };
    if (areaLast >= last) return;
    from = areaLast + 1n;
  }
}

function checkArea(ioas: Ioas, call: string, area: number, iova: bigint, writable: boolean, field: string): void {
  const { machine, words } = ioas.context;
  const at = machine.pools.areas.at(area);
  if (words[at + AREA_PREVENT] === 1) throw new IommuError('EINVAL', call, field, iova, 'is about to be unmapped');
  if ((words[at + AREA_PROT] & (writable ? IOAS_MAP_WRITEABLE : IOAS_MAP_READABLE)) === 0)
    throw new IommuError('EPERM', call, field, iova, `is not mapped for ${writable ? 'writing' : 'reading'}`);
}

function pinArea(
  ioas: Ioas,
  call: string,
  area: number,
  from: bigint,
  to: bigint,
  each: (page: number, part: RangePage) => void,
): void {
  const { machine, words } = ioas.context;
  const areaAt = machine.pools.areas.at(area);
  const byte = loadU64(words, areaAt + AREA_BYTE) - loadU64(words, areaAt + AREA_START);
  withPages(machine, words[areaAt + AREA_PAGES], (pagesAt) => {
    for (let at = byte + from; at <= byte + to; at = (at / PAGE + 1n) * PAGE) {
      const end = (at / PAGE + 1n) * PAGE;
      const bytes = Number(min64(end, byte + to + 1n) - at);
      const page = Number(at / PAGE);
      each(page, { physical: pinForAccess(machine, call, pagesAt, page), offset: Number(at % PAGE), bytes });
    }
  });
}

function unpinOne(ioas: Ioas, area: number, page: number): void {
  const { machine, words } = ioas.context;
  withPages(machine, words[machine.pools.areas.at(area) + AREA_PAGES], (pagesAt) =>
    unpinForAccess(machine, pagesAt, page),
  );
}

/** Physical places of a range that is read or written at once, without pins that outlive `body`. Context as {@link pinRange}. */
export function withRange<T>(
  context: Context,
  object: number,
  call: string,
  iova: bigint,
  length: bigint,
  writable: boolean,
  body: (pages: readonly RangePage[]) => T,
): T {
  const pages = pinRange(context, object, call, iova, length, writable);
  try {
    return body(pages);
  } finally {
    unpinRange(context, object, iova, length);
  }
}
