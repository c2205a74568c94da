import type { ThreadSelf, Words } from '@faultline/core/sync';
import type { Notifier } from '@faultline/hw/mm';
import type { SmmuOps } from '@faultline/hw/smmu-v3';

/** The address space's identifier in the SMMU. */
const ASID = 1;

/** What unmapping costs: an invalidation of the range, and a sync that waits until the hardware has done it. */
export function unmapNotifier(ops: SmmuOps, self: ThreadSelf): Notifier {
  return {
    invalidateRange(pageLo: number, pageHi: number, pages: number): void {
      ops.invalidateRange(ASID, pageLo, pageHi, pages);
      ops.sync(self);
    },
  };
}

/** The clock's zero, from its two words. */
export function epochOf(words: Words, at: number): bigint {
  return (BigInt(words[at + 1] >>> 0) << 32n) | BigInt(words[at] >>> 0);
}
