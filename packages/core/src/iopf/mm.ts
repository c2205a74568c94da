/** What the SVA handler needs of an address space. Pages are numbers in two words, as in the fault record.
 * @see Linux drivers/iommu/iommu-sva.c, iommu_sva_handle_mm() */
export interface AddressSpace {
  /** Takes a user reference unless the address space is going away (mmget_not_zero). */
  getUsers(): boolean;
  putUsers(): void;
  /** mmap lock, shared. Held from {@link findArea} to the end of {@link handleMmFault}. */
  readLock(): void;
  readUnlock(): void;
  /** @returns the area containing the page, or 0. Context: mmap lock held. */
  findArea(pageLo: number, pageHi: number): number;
  /** @returns the FAULT_PERM_* bits that the area grants. Context: mmap lock held. */
  areaPerm(area: number): number;
  /** Makes the page present: allocates, zeroes, maps. @returns false on an error (SIGBUS, no memory). Context: mmap lock held.
   * @param lease whether whatever balances memory is to leave the page until the device has accessed it. Bounded: a device that never
   * does keeps nothing for ever. Default: not. */
  handleMmFault(area: number, pageLo: number, pageHi: number, perm: number, lease?: boolean): boolean;
}
