import { ERRNO } from '@faultline/core/errors';
import { STE_RECORD_WORDS } from '../ste.ts';

// The stream table entry that a guest's owner hands in, and the physical one that is made of it over the parent's stage 2.
// Four words: w0 and w1 of the entry. The rest of an entry is the host's affair.

export const VSTE_WORDS = 4;

const V = 1;
const CONFIG_SHIFT = 1;
const CONFIG_MASK = 7 << CONFIG_SHIFT;
const CONFIG_ABORT = 0;
const CONFIG_BYPASS = 4;
const CONFIG_S1 = 5;
const CONFIG_NESTED = 7;
/** w0: V, Config, S1Fmt, S1ContextPtr[51:6], S1CDMax[63:59]. */
const W0_LOW = -1;
const W0_HIGH: number = 0x000fffff | (0x1f << 27);
/** w1: S1DSS, S1CIR, S1COR, S1CSH, S1STALLD[27], EATS[29:28]. */
const W1_LOW = 0x380000ff;
const MEV: number = 1 << 19;
const EATS_SHIFT = 28;
const EATS_MASK: number = 3 << EATS_SHIFT;
const EATS_ABORT = 0;
const EATS_FULL = 1;

/** What {@link checkVste} makes of an entry. */
export interface CheckedVste {
  /** 0, or negative errno EIO: a bit that is the host's, or a Config or EATS that is not offered. */
  readonly result: number;
  /** Whether the guest lets ATS through: only where it translates. */
  readonly ats: boolean;
}

/** Checks the guest's four words at `from` and keeps them at `to`: without EATS, which follows the attachment, and all zero without V.
 * @see Linux arm_smmu_validate_vste() */
export function checkVste(words: Int32Array, from: number, to: number): CheckedVste {
  const low = words[from];
  const high = words[from + 1];
  const attributes = words[from + 2];
  const rest = words[from + 3];
  if ((low & V) === 0) {
    words.fill(0, to, to + VSTE_WORDS);
    return { result: 0, ats: false };
  }
  const config = (low & CONFIG_MASK) >>> CONFIG_SHIFT;
  const eats = (attributes & EATS_MASK) >>> EATS_SHIFT;
  const foreign = (low & ~W0_LOW) | (high & ~W0_HIGH) | (attributes & ~W1_LOW) | rest;
  const offered = config === CONFIG_ABORT || config === CONFIG_BYPASS || config === CONFIG_S1;
  if (foreign !== 0 || !offered || eats > EATS_FULL) return { result: -ERRNO.EIO, ats: false };
  words[to] = low;
  words[to + 1] = high;
  words[to + 2] = attributes & ~EATS_MASK;
  words[to + 3] = 0;
  return { result: 0, ats: config === CONFIG_S1 && eats === EATS_FULL };
}

/** The checked entry with what was taken out of it: EATS. */
export function withEats(checked: ArrayLike<number>, ats: boolean): readonly number[] {
  return [checked[0], checked[1], checked[2] | (ats ? EATS_FULL << EATS_SHIFT : 0), checked[3]];
}

/** Whether the checked entry translates: then its stream needs a vdevice, as invalidations and events need a virtual id. */
export function vsteTranslates(words: Int32Array, at: number): boolean {
  return (words[at] & (V | CONFIG_MASK)) === (V | (CONFIG_S1 << CONFIG_SHIFT));
}

/** Writes the physical entry (STE_RECORD_WORDS words at `to`) of the checked entry at `from`: abort for one without V or for abort, the
 * parent's stage 2 for bypass, both stages for stage 1. `stage2` is the parent's entry with EATS as it is without a guest.
 * MEV is set, so that a guest's faults that repeat are merged and cannot flood the event queue.
 * @see Linux arm_smmu_make_nested_domain_ste() */
export function makeNestedSte(words: Int32Array, to: number, from: number, stage2: number, ats: boolean): void {
  const config = (words[from] & V) === 0 ? CONFIG_ABORT : (words[from] & CONFIG_MASK) >>> CONFIG_SHIFT;
  if (config === CONFIG_ABORT) {
    words.fill(0, to, to + STE_RECORD_WORDS);
    words[to] = V | (CONFIG_ABORT << CONFIG_SHIFT);
    return;
  }
  words.copyWithin(to, stage2, stage2 + STE_RECORD_WORDS);
  words[to + 2] = (words[to + 2] & ~EATS_MASK) | ((ats ? EATS_FULL : EATS_ABORT) << EATS_SHIFT);
  if (config === CONFIG_BYPASS) return;
  words[to] = V | (CONFIG_NESTED << CONFIG_SHIFT) | (words[from] & ~CONFIG_MASK);
  words[to + 1] = words[from + 1];
  words[to + 2] |= words[from + 2] | MEV;
  words[to + 3] |= words[from + 3];
}
