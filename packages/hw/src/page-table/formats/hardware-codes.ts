// What hardware has to be told about a table besides its root's address: the codes of its depth and width in each family's entries.
// Levels are ours: 0 holds only leaves.
import type { Format } from '../format.ts';

/** AMD: the paging mode of a device table entry, for a root of this level. @see Linux drivers/iommu/generic_pt/fmt/amdv1.h */
export function amdMode(topLevel: number): number {
  return topLevel + 1;
}

/** VT-d: the address width code of a context or PASID entry: 1 for three levels, 2 for four, 3 for five. */
export function vtdAddressWidth({ topLevel }: Format): number {
  return topLevel - 1;
}

/** Arm: T0SZ, the bits that an input address lacks of 64. */
export function armT0sz({ iovaLg2 }: Format): number {
  return 64 - iovaLg2;
}

/** Arm stage 2: SL0, the code of the level that a walk starts at, with joined tables one lower than without.
 * @see Linux drivers/iommu/io-pgtable-arm.c */
export function armSl0({ topLevel, granuleLg2 }: Format): number {
  const start = 3 - topLevel;
  return ~(granuleLg2 === 12 ? start + 1 : start) & 3;
}

/** Arm stage 1: the memory types that attribute indices 0 to 3 name: non-cacheable, write-back, device, and inner non-cacheable
 * with outer write-back. Low half of MAIR; the high half is 0. */
export const ARM_MAIR_LO: number = 0x44 | (0xff << 8) | (0x04 << 16) | (0xf4 << 24);
