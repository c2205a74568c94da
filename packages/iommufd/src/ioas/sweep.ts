// A dirty sweep over what an IOAS maps. It reads the list of areas in slices, so that map and unmap wait for one slice at most; an area
// that goes between two slices is a hole, as it would be before or after.
import type { DirtySink } from '../driver/index.ts';
import { loadU64, max64, min64, U64_MAX } from '../memory/index.ts';
import { AREA_LAST, AREA_PAGES, AREA_START } from './layout.ts';
import type { Ioas } from './tables.ts';

/** Most bytes of IOVA that are swept with the areas locked: 64 MiB, 16,384 entries of 4 KiB, some 50 µs. */
const SLICE = 1n << 26n;

/** Reports what is dirty of a range, up to its first hole, and cleans it unless `keep`. @returns the first byte that was not swept. */
export function sweepRange(
  ioas: Ioas,
  domain: number,
  start: bigint,
  last: bigint,
  keep: boolean,
  sink: DirtySink | undefined,
): bigint {
  let from = start;
  while (from <= last) {
    const next = ioas.readAreas(() => sweepSlice(ioas, domain, from, last, keep, sink));
    if (next === from) return from;
    from = next;
  }
  return from;
}

/** Cleans everything that is mapped. */
export function sweepAll(ioas: Ioas, domain: number): void {
  for (let from = 0n; from <= U64_MAX; ) {
    const next = ioas.readAreas(() => {
      const area = ioas.areas.atOrAfter(from);
      if (area === 0) return U64_MAX + 1n;
      const start = max64(from, ioas.areas.start(area));
      return max64(sweepSlice(ioas, domain, start, ioas.areas.last(area), false, undefined), start + 1n);
    });
    from = next;
  }
}

/** Context: the areas lock. @returns where to go on; `from`: nothing is mapped there. */
function sweepSlice(
  ioas: Ioas,
  domain: number,
  from: bigint,
  last: bigint,
  keep: boolean,
  sink: DirtySink | undefined,
): bigint {
  const { machine, words } = ioas.context;
  const area = ioas.areas.holding(from);
  if (area === 0) return from;
  const at = machine.pools.areas.at(area);
  if (words[at + AREA_PAGES] === 0 || loadU64(words, at + AREA_START) > from) return from;
  const end = min64(min64(loadU64(words, at + AREA_LAST), last), from + SLICE - 1n);
  machine.driver.readDirty(domain, from, end - from + 1n, keep, sink);
  return end + 1n;
}
