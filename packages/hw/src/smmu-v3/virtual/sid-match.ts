import { ERRNO } from '@faultline/core/errors';
import { NO_PAIR, type VirtualArea, VSMMU_PAIRS_USED, VSMMU_SID_MATCH, VSMMU_SID_REPLACE } from './layout.ts';

// The stream-id match table of a Tegra241 interface: pairs of registers by which the hardware itself rewrites the StreamIDs in a guest's
// commands. SID_MATCH holds a virtual StreamID << 1 | 1, SID_REPLACE the physical one.
//
// Ordering.
//   [P] add: SID_REPLACE, then SID_MATCH       pairs with  [C] replace: SID_MATCH, then SID_REPLACE
//   [R] remove: SID_MATCH, then the next add   pairs with  [D] replace: SID_REPLACE, then SID_MATCH again
// With [C] alone a look-up that is overtaken by a removal, and by the pair's next owner, would hand out the StreamID of another.
// A removal leaves SID_REPLACE as it is: the pair's next owner may have the same virtual StreamID, and [D] cannot tell it from the
// one before. What stands in SID_REPLACE then is the one's or the other's, and each was right at some moment of the look-up.
// How the hardware closes that window is not documented: unverified; Linux's driver orders its stores as here.

const VALID = 1;

/** Registers a pair. @returns its number, NO_PAIR where the vSMMU has no such table, or negative errno ENOSPC. */
export function addSidPair(area: VirtualArea, vsmmu: number, virtualSid: number, streamId: number): number {
  if (area.pairs === 0) return NO_PAIR;
  const { words } = area;
  const at = area.vsmmuAt('addSidPair', vsmmu);
  const all = (1 << area.pairs) - 1;
  for (let used = Atomics.load(words, at + VSMMU_PAIRS_USED); (~used & all) !== 0; ) {
    const bit = ~used & all & -(~used & all);
    const found = Atomics.compareExchange(words, at + VSMMU_PAIRS_USED, used, used | bit);
    if (found !== used) {
      used = found;
      continue;
    }
    const pair = 31 - Math.clz32(bit);
    Atomics.store(words, at + VSMMU_SID_REPLACE + pair, streamId);
    Atomics.store(words, at + VSMMU_SID_MATCH + pair, (virtualSid << 1) | VALID); // [P]
    return pair;
  }
  return -ERRNO.ENOSPC;
}

/** Takes a pair out. What it would be replaced by stays, and means nothing until the pair is somebody's again. */
export function removeSidPair(area: VirtualArea, vsmmu: number, pair: number): void {
  if (pair === NO_PAIR) return;
  const { words } = area;
  const at = area.vsmmuAt('removeSidPair', vsmmu);
  Atomics.store(words, at + VSMMU_SID_MATCH + pair, 0); // [R]
  Atomics.and(words, at + VSMMU_PAIRS_USED, ~(1 << pair)); // last: from here on it may be another's
}

/** The hardware's end of the table of one vSMMU. */
export class SidMatch {
  readonly #area: VirtualArea;
  readonly #match: number;
  readonly #replace: number;
  /** What the last match was replaced by, i32 bits. */
  streamId = 0;

  constructor(area: VirtualArea, vsmmu: number) {
    const at = area.vsmmuAt('SidMatch', vsmmu);
    this.#area = area;
    this.#match = at + VSMMU_SID_MATCH;
    this.#replace = at + VSMMU_SID_REPLACE;
  }

  /** Looks a guest's StreamID (i32 bits) up. @returns whether it matched: {@link streamId} is what it stands for. */
  replace(virtualSid: number): boolean {
    const { words, pairs } = this.#area;
    if (virtualSid < 0) return false; // bit 31 has no place in SID_MATCH
    const wanted = (virtualSid << 1) | VALID;
    for (let pair = 0; pair < pairs; pair++) {
      if (Atomics.load(words, this.#match + pair) !== wanted) continue; // [C]
      const streamId = Atomics.load(words, this.#replace + pair);
      if (Atomics.load(words, this.#match + pair) !== wanted) continue; // [D]
      this.streamId = streamId;
      return true;
    }
    return false;
  }
}
