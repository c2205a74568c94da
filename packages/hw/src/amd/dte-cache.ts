import type { Words } from '@faultline/core/sync';
import { DTE_HI_GV, DTE_HI_PPR, DTE_V, DTE_WORDS } from './dte.ts';
import { AMD_DEVICES, AMD_DEVTAB_BASE } from './layout.ts';
import { baseWordAt } from './registers.ts';

// What the hardware keeps of the device table. It reads an entry when it starts, and at INVALIDATE_DEVTAB_ENTRY and
// INVALIDATE_IOMMU_ALL, and at no other time: a driver that forgets to invalidate goes on with the old entry, as it may on real hardware.

export class DteCache {
  readonly #words: Words;
  readonly #base: number;
  readonly #entries: Int32Array; // two words each: bits 63:0
  readonly devices: number;

  constructor(words: Words, base: number) {
    this.#words = words;
    this.#base = base;
    this.devices = words[base + AMD_DEVICES];
    this.#entries = new Int32Array(this.devices * 2);
  }

  /** Reads `count` entries from `first` on afresh. Devices outside the table have none. */
  reload(first: number, count: number): void {
    const end = Math.min(first + count, this.devices);
    const table = baseWordAt(this.#words, this.#base + AMD_DEVTAB_BASE);
    if (table === 0 || table + this.devices * DTE_WORDS > this.#words.length) {
      this.#entries.fill(0);
      return;
    }
    for (let device = first; device < end; device++) {
      const at = table + device * DTE_WORDS;
      this.#entries[device * 2] = Atomics.load(this.#words, at);
      this.#entries[device * 2 + 1] = Atomics.load(this.#words, at + 1);
    }
  }

  /** Whether a device's page requests get through: a valid entry with PPR, and guest translation for those with a PASID.
   * That a request with a PASID is refused without GV is not verified. The GCR3 table plays no part: nothing is walked for a page request. */
  letsThrough(deviceId: number, hasPasid: boolean): boolean {
    if (deviceId >= this.devices) return false;
    const high = this.#entries[deviceId * 2 + 1];
    if ((this.#entries[deviceId * 2] & DTE_V) === 0 || (high & DTE_HI_PPR) === 0) return false;
    return !hasPasid || (high & DTE_HI_GV) !== 0;
  }
}
