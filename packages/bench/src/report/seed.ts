/** What was measured on a 128-core Arm machine in November 2023: v7 against 6.7-rc1 at the same thread count.
 * Each figure compares two kernels, so a column of them is no scaling curve. At 512 both time out, after more than 4.2 s.
 * Source: https://lore.kernel.org/linux-iommu/ "iommu: Prepare to deliver page faults to user space", v7, reply of 24 November 2023. */
export const SEED_RELATIVE: ReadonlyMap<number, number | 'time-out'> = new Map<number, number | 'time-out'>([
  [8, -0.0077],
  [16, -0.011],
  [32, -0.0031],
  [64, -0.0049],
  [128, -0.0072],
  [256, -0.017],
  [384, -0.0494],
  [512, 'time-out'],
]);

/** What the column says, for those who read the table alone. */
export const SEED_MEANING =
  'seed: v7 against 6.7-rc1 at that thread count, on 128 Arm cores, as the mailing list had it';
