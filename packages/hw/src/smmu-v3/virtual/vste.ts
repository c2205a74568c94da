import { ERRNO } from '@faultline/core/errors';

// The stream table entry that a guest's owner hands in. Four words: w0 and w1 of the entry. The rest of an entry is the host's affair, as is the
// physical one that is made of it over the parent's stage 2 (nestedEntry()).

export const VSTE_WORDS = 4;

const V = 1;
const CONFIG_SHIFT = 1;
const CONFIG_MASK = 7 << CONFIG_SHIFT;
const CONFIG_ABORT = 0;
const CONFIG_BYPASS = 4;
const CONFIG_S1 = 5;
/** w0: V, Config, S1Fmt, S1ContextPtr[51:6], S1CDMax[63:59]. */
const W0_LOW = -1;
const W0_HIGH: number = 0x000fffff | (0x1f << 27);
/** w1: S1DSS, S1CIR, S1COR, S1CSH, S1STALLD[27], EATS[29:28]. */
const W1_LOW = 0x380000ff;
const EATS_SHIFT = 28;
const EATS_MASK: number = 3 << EATS_SHIFT;
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
