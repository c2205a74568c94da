import { checkInteger, IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import { ATS_CTRL_ENABLE, ATS_CTRL_STU, checkFunction, FUNCTION_ATS, FUNCTION_ATS_DEPTH } from './function.layout.ts';

/** The ATS capability of a function, as its IOMMU's driver uses it. One instance in one thread at a time.
 * PRI depends on it: a function without ATS never learns that a page is missing. So it goes on first and off last.
 * @see Linux drivers/pci/ats.c */
export class AtsCapability {
  readonly #words: Words;
  readonly #at: number;
  /** Invalidations that the function can have outstanding. */
  readonly invalidateDepth: number;

  /** @throws IommuError EINVAL where no function was laid out. */
  constructor(words: Words, base: number) {
    checkFunction('AtsCapability', words, base);
    this.#words = words;
    this.#at = base + FUNCTION_ATS;
    this.invalidateDepth = words[base + FUNCTION_ATS_DEPTH];
  }

  /** @param pageLg2 log2 of the IOMMU's smallest page in bytes, 12 to 43: what the smallest translation unit (STU) is set from.
   * @throws IommuError EINVAL pageLg2; EBUSY when enabled already. */
  enable(pageLg2: number): void {
    checkInteger('AtsCapability.enable', 'pageLg2', pageLg2, 12, 12 + ATS_CTRL_STU);
    if (this.isEnabled()) throw new IommuError('EBUSY', 'AtsCapability.enable', 'ENABLE', 1, 'is enabled already');
    this.#write(ATS_CTRL_ENABLE | (pageLg2 - 12));
  }

  /** The function drops its translations when its thread next runs, and before it caches again. */
  disable(): void {
    this.#write(0);
  }

  isEnabled(): boolean {
    return (Atomics.load(this.#words, this.#at) & ATS_CTRL_ENABLE) !== 0;
  }

  /** Counts the write along, so that off and on again between two looks is seen. */
  #write(control: number): void {
    const count = (Atomics.load(this.#words, this.#at) >>> 16) + 1;
    Atomics.store(this.#words, this.#at, (count << 16) | control);
  }
}
