import type { Words } from '@faultline/core/sync';
import { untilPassed } from '../procedure/fence.ts';
import type { Procedure } from '../procedure/procedure.ts';
import { WAIT_FENCE } from './descriptor-codec.ts';
import { VTD_PASS_WAITERS, VTD_PASSES, VTD_PQH, VTD_PQT, VTD_PRQ, VTD_PRS } from './layout.ts';
import { REQUEST_DESCRIPTOR_BYTES, requestPasid, requestRid } from './page-requests.ts';
import { PRS_PRO } from './registers.ts';
import { NO_PASID } from './tables.ts';
import { requestQueueBytes } from './unit.ts';
import type { VtdOps } from './vtd-ops.ts';

export interface DrainConfig {
  readonly ops: VtdOps;
  readonly timeoutMs: number;
  /** Waits until the groups of a device that are under way have been handled (Linux iopf_queue_flush_dev()). */
  readonly flushWork?: ((device: number) => Promise<void>) | undefined;
}

/** Waits until nothing of a requester and PASID is under way: in the queue, being reported, or between device and unit.
 * @see Linux intel_iommu_drain_pasid_prq(); VT-d 7.10 */
export class Drain {
  readonly #words: Words;
  readonly #base: number;
  readonly #config: DrainConfig;

  constructor(words: Words, base: number, config: DrainConfig) {
    this.#words = words;
    this.#base = base;
    this.#config = config;
  }

  /** The PASID's entry is not present any more, or another, and its caches are invalidated.
   * @returns false when the device did not complete its invalidations: nothing of it is in the queue, but what it may still send nobody knows.
   * @throws IommuError ETIMEDOUT a hardware or a pump that stands still */
  *run(rid: number, device: number, pasid: number, did: number): Procedure<boolean> {
    const { ops, flushWork } = this.#config;
    const tag = pasid === NO_PASID ? -1 : pasid;
    yield* this.#waitForQueued(rid, pasid);
    if (flushWork !== undefined) yield flushWork(device);
    for (;;) {
      const passes = Atomics.load(this.#words, this.#base + VTD_PASSES);
      ops.wait(WAIT_FENCE);
      ops.invalidateAll(did, tag);
      ops.invalidateDevice(rid, tag);
      const completed = yield* ops.syncPastDevice(true);
      if (!completed) {
        yield* ops.syncSteps(true); // its wait was given up: once more, without the device
        yield* this.#waitForQueued(rid, pasid);
        return false;
      }
      // An overflow meanwhile had the hardware answer by itself, behind the responses that this pushed: once more.
      if ((Atomics.load(this.#words, this.#base + VTD_PRS) & PRS_PRO) === 0) return true;
      yield* this.#nextPass(passes);
    }
  }

  /** Until no request of this kind lies between head and tail. On real hardware a read of PQT pushes what was accepted to where it can be
   * seen; here a wait with PD stands for that. */
  *#waitForQueued(rid: number, pasid: number): Procedure {
    const words = this.#words;
    const mask = requestQueueBytes(words, this.#base) - REQUEST_DESCRIPTOR_BYTES;
    const queue = this.#base + words[this.#base + VTD_PRQ];
    yield* this.#config.ops.syncSteps(true);
    for (;;) {
      const passes = Atomics.load(words, this.#base + VTD_PASSES); // before the look, so that a pass that ends meanwhile counts
      const tail = Atomics.load(words, this.#base + VTD_PQT) & mask;
      let head = Atomics.load(words, this.#base + VTD_PQH) & mask;
      for (; head !== tail; head = (head + REQUEST_DESCRIPTOR_BYTES) & mask) {
        const at = queue + (head >>> 2);
        if (requestRid(words, at) === rid && Math.max(requestPasid(words, at), NO_PASID) === pasid) break;
      }
      if (head === tail) return;
      yield* this.#nextPass(passes);
    }
  }

  *#nextPass(passes: number): Procedure {
    const [passedAt, fencesAt] = [this.#base + VTD_PASSES, this.#base + VTD_PASS_WAITERS];
    yield* untilPassed(this.#words, 'drain', passedAt, fencesAt, (passes + 1) | 0, this.#config.timeoutMs);
  }
}
