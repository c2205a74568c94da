// Failure injection, after the kernel's fail-nth: the n-th allocation from now on fails, once.

/** One thread's fail point. Every allocation of the package asks it: slabs, ids, pages, ring slots, descriptors. */
export class FailPoint {
  #left = 0;
  #failedAt = '';

  /** @param nth 1: the next allocation fails; 0: none does. */
  arm(nth: number): void {
    this.#left = nth;
    this.#failedAt = '';
  }

  /** Called before an allocation is made. @param what names it, for {@link failedAt}. @returns whether it must fail. */
  fails(what: string): boolean {
    if (this.#left === 0 || --this.#left !== 0) return false;
    this.#failedAt = what;
    return true;
  }

  /** What failed since {@link arm}; '' when nothing did: the path was run through untouched. */
  get failedAt(): string {
    return this.#failedAt;
  }
}
