/** Told after a range's PTEs have changed, before the call that changed them returns: whoever caches translations drops them.
 * Called with the mmap lock held, shared or exclusive; may block until the hardware has done it, must not take that lock.
 * @see Linux mmu_notifier_ops.arch_invalidate_secondary_tlbs */
export interface Notifier {
  /** @param pages from page number `pageHi * 2^32 + pageLo` on. */
  invalidateRange(pageLo: number, pageHi: number, pages: number): void;
}

/** For a thread whose changes nobody caches. */
export const noNotifier: Notifier = { invalidateRange: () => {} };
