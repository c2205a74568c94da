import type { Doorbell, Words } from '@faultline/core/sync';
import { SMMU_GERROR, SMMU_GERRORN, SMMU_STATS, STAT_GLOBAL_ERRORS } from './layout.ts';
import { GERROR_MSI_GERROR } from './registers.ts';

// The hardware's end of GERROR: a bit is active while it differs from GERRORN's, and is toggled only when it is not (7.5).
//   [E] whoever errs: the error's syndrome, then GERROR   pairs with   the driver: GERROR, then the syndrome
//   [A] the driver: what it repaired, then GERRORN        pairs with   isActive: GERRORN, then work that the error held up

export class GlobalErrors {
  readonly #words: Words;
  readonly #base: number;
  readonly #irq: Doorbell | undefined;

  constructor(words: Words, base: number, irq: Doorbell | undefined) {
    this.#words = words;
    this.#base = base;
    this.#irq = irq;
  }

  isActive(bit: number): boolean {
    const gerror = Atomics.load(this.#words, this.#base + SMMU_GERROR);
    return ((gerror ^ Atomics.load(this.#words, this.#base + SMMU_GERRORN)) & bit) !== 0; // [A]
  }

  /** Toggles a bit unless it is active already: the error is then not logged again. */
  raise(bit: number): void {
    if (this.isActive(bit)) return;
    this.#words[this.#base + SMMU_STATS + STAT_GLOBAL_ERRORS]++;
    Atomics.store(this.#words, this.#base + SMMU_GERROR, Atomics.load(this.#words, this.#base + SMMU_GERROR) ^ bit); // [E]
    if (bit !== GERROR_MSI_GERROR) this.#irq?.ring(); // an interrupt that could not be written is not announced by another
  }
}

/** The driver's end: copies `bits` of GERROR into GERRORN where they differ. Any thread may; each active bit is acknowledged once.
 * @returns the bits that this call acknowledged. */
export function acknowledgeGlobalErrors(words: Words, base: number, bits: number): number {
  const at = base + SMMU_GERRORN;
  for (let seen = Atomics.load(words, at); ; ) {
    const active = (Atomics.load(words, base + SMMU_GERROR) ^ seen) & bits;
    if (active === 0) return 0;
    const found = Atomics.compareExchange(words, at, seen, seen ^ active); // [A]
    if (found === seen) return active;
    seen = found;
  }
}
