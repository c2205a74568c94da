import type { Words } from '@faultline/core/sync';
import type { Procedure } from '../procedure/procedure.ts';
import type { AmdOps } from './amd-ops.ts';
import type { BoundDevice, DeviceTables } from './device-tables.ts';
import type { HardwareWaits } from './hardware-waits.ts';
import { AMD_STATS } from './layout.ts';
import { STAT_LOGGED, STAT_PPR_OVERFLOWS } from './stats.ts';

const EVERY_PASID = -1;

/** Invalidation batches, and the fences that rest on them. The specification names no fence for page requests: this one is derived from the
 * order of posted writes on PCIe, as VT-d's is (VT-d 7.7, 7.8), and has no counterpart in Linux. */
export class FenceProcedures {
  readonly #words: Words;
  readonly #base: number;
  readonly #ops: AmdOps;
  readonly #waits: HardwareWaits;
  readonly #tables: DeviceTables;

  constructor(words: Words, base: number, ops: AmdOps, waits: HardwareWaits, tables: DeviceTables) {
    this.#words = words;
    this.#base = base;
    this.#ops = ops;
    this.#waits = waits;
    this.#tables = tables;
  }

  /** Pages `first` to `last` of a domain, then the same in the caches of the devices that have any: one completion wait for all.
   * @param pasid or -1: the host table's. @throws IommuError EINVAL, ETIMEDOUT */
  *invalidate(domain: number, pasid: number, first: number, last: number, deviceIds: readonly number[]): Procedure {
    this.#ops.invalidatePages(domain, pasid, first, last);
    for (const id of deviceIds) this.#invalidateIotlb(this.#tables.find(id), pasid, first, last);
    yield* this.#ops.syncSteps();
  }

  /** Waits until no report of an entry older than this call is under way. The devices' own caches are invalidated: the completions come
   * behind what the devices had asked for; then the pump is waited for. After an overflow meanwhile, all of it once more.
   * With the devices blocked before, none of it is reported later.
   * @param deviceIds default: all that are bound.
   * @throws IommuError ETIMEDOUT when the hardware or the pump stands still, or the log never stops overflowing. */
  *fenceEventQueue(deviceIds?: readonly number[]): Procedure {
    const overflowsAt = this.#base + AMD_STATS + STAT_PPR_OVERFLOWS;
    const deadline = this.#waits.deadline();
    for (let before = -1; before !== Atomics.load(this.#words, overflowsAt); ) {
      this.#waits.check('fenceEventQueue', deadline);
      before = Atomics.load(this.#words, overflowsAt);
      const devices = deviceIds?.map((id) => this.#tables.find(id)) ?? [...this.#tables.all()];
      for (const device of devices) this.#invalidateIotlb(device, EVERY_PASID);
      yield* this.#ops.syncSteps();
      const logged = Atomics.load(this.#words, this.#base + AMD_STATS + STAT_LOGGED); // pairs with COMPLETION_WAIT: entries, then its store
      yield* this.#waits.passed('fenceEventQueue', logged);
    }
  }

  /** Waits until the hardware has sent on every answer that was in the command buffer before this call: other threads' too, but not what
   * they still gather. @throws IommuError ETIMEDOUT */
  *fenceResponses(): Procedure {
    yield* this.#ops.syncSteps();
  }

  /** A device without ATS, or with it off, has no cache to invalidate. */
  #invalidateIotlb(bound: BoundDevice | undefined, pasid: number, first?: number, last?: number): void {
    if (bound?.ats?.isEnabled() !== true) return;
    this.#ops.invalidateIotlb(bound.deviceId, pasid, first, last, bound.ats.invalidateDepth);
  }
}
