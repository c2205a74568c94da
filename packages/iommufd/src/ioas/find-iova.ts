// Where a mapping without an address of its own goes. Never at 0. Context: the areas lock, for writing.
import { IommuError } from '@faultline/core/errors';
import { PAGE_BYTES } from '../caller/index.ts';
import type { IovaRange } from '../driver/index.ts';
import { max64, min64, U64_MAX } from '../memory/index.ts';
import { IOAS_ALIGNMENT, IOAS_ALLOWED, IOAS_RESERVED } from './layout.ts';
import { gapsOf, joinRanges, rangesOf } from './ranges.ts';
import type { Ioas } from './tables.ts';

const PAGE = BigInt(PAGE_BYTES);
/** Of a processor. */
const HUGE_PAGE = 2n ** 21n;

/** @param byte address or file offset of the first byte: the IOVA is as well aligned, so that large pages can be used.
 * @returns -1n: it is less aligned than the IOAS asks. @throws IommuError EOVERFLOW, ENOSPC no gap is large enough. */
export function findIova(ioas: Ioas, call: string, byte: bigint, length: bigint): bigint {
  const { words, machine } = ioas.context;
  if (length >= U64_MAX / 2n)
    throw new IommuError('EOVERFLOW', call, 'length', length, 'is too long to find a place for');
  const alignment = alignmentFor(byte, length);
  if (alignment < BigInt(words[ioas.at + IOAS_ALIGNMENT])) return -1n;
  const allowed = joinRanges(rangesOf(machine, ioas.at + IOAS_ALLOWED));
  const whole = { start: PAGE, last: U64_MAX - PAGE };
  const reserved = rangesOf(machine, ioas.at + IOAS_RESERVED);
  for (const place of allowed.length === 0 ? [whole] : allowed) {
    for (const gap of gapsOf(reserved, max64(place.start, whole.start), min64(place.last, whole.last))) {
      const iova = findBetweenAreas(ioas, gap, alignment, byte % PAGE, length);
      if (iova >= 0n) return iova;
    }
  }
  throw new IommuError('ENOSPC', call, 'length', length, 'no gap of the IOAS is large enough');
}

/** The power of two that the address is a multiple of, at most the one that the length rounds up to, and a huge page: more helps nobody. */
function alignmentFor(byte: bigint, length: bigint): bigint {
  if (length > HUGE_PAGE / 2n && byte % HUGE_PAGE === 0n) return HUGE_PAGE;
  const most = 1n << BigInt((length - 1n).toString(2).length);
  const rounded = length === 1n ? 1n : most;
  if (byte === 0n) return rounded;
  const own = byte & -byte;
  return own < rounded ? own : rounded;
}

/** @returns -1n where there is no room. */
function findBetweenAreas(ioas: Ioas, gap: IovaRange, alignment: bigint, inPage: bigint, length: bigint): bigint {
  const { areas } = ioas;
  let from = gap.start;
  for (let area = areas.atOrAfter(from); ; area = areas.next(area)) {
    const next = area === 0 || areas.start(area) > gap.last ? gap.last + 1n : areas.start(area);
    const iova = ((from + alignment - 1n) & -alignment) | inPage;
    if (iova + length <= next) return iova;
    if (next > gap.last) return -1n;
    from = areas.last(area) + 1n;
    if (from > gap.last) return -1n;
  }
}
