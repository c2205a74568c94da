// What an SMMUv3's driver exchanges with user space, with a Tegra241's command queues.
// @see Linux include/uapi/linux/iommufd.h

/** Registers as the hardware has them. */
export const HW_INFO_ARM_SMMUV3 = {
  name: 'iommu_hw_info_arm_smmuv3',
  minBytes: 40,
  bytes: 40,
  fields: {
    flags: ['u32', 0, 'in'],
    reserved: ['u32', 4, 'reserved'],
    idr0: ['u32', 8, 'in'],
    idr1: ['u32', 12, 'in'],
    idr2: ['u32', 16, 'in'],
    idr3: ['u32', 20, 'in'],
    idr4: ['u32', 24, 'in'],
    idr5: ['u32', 28, 'in'],
    iidr: ['u32', 32, 'in'],
    aidr: ['u32', 36, 'in'],
  },
} as const;

/** What one virtual interface has. */
export const HW_INFO_TEGRA241_CMDQV = {
  name: 'iommu_hw_info_tegra241_cmdqv',
  minBytes: 8,
  bytes: 8,
  fields: {
    flags: ['u32', 0, 'in'],
    version: ['u8', 4, 'in'],
    log2vcmdqs: ['u8', 5, 'in'],
    log2vsids: ['u8', 6, 'in'],
    reserved: ['u8', 7, 'reserved'],
  },
} as const;

/** The first two words of the guest's stream table entry. */
export const HWPT_ARM_SMMUV3 = {
  name: 'iommu_hwpt_arm_smmuv3',
  minBytes: 16,
  bytes: 16,
  fields: {
    ste0: ['u64', 0, 'in'],
    ste1: ['u64', 8, 'in'],
  },
} as const;

/** One command as the guest wrote it. */
export const VIOMMU_ARM_SMMUV3_INVALIDATE = {
  name: 'iommu_viommu_arm_smmuv3_invalidate',
  minBytes: 16,
  bytes: 16,
  fields: {
    cmd0: ['u64', 0, 'in'],
    cmd1: ['u64', 8, 'in'],
  },
} as const;

/** An event queue record, its StreamID the guest's. */
export const VEVENT_ARM_SMMUV3 = {
  name: 'iommu_vevent_arm_smmuv3',
  minBytes: 32,
  bytes: 32,
  fields: {
    evt0: ['u64', 0, 'in'],
    evt1: ['u64', 8, 'in'],
    evt2: ['u64', 16, 'in'],
    evt3: ['u64', 24, 'in'],
  },
} as const;

/** Where a virtual interface's registers can be mapped. */
export const VIOMMU_TEGRA241_CMDQV = {
  name: 'iommu_viommu_tegra241_cmdqv',
  minBytes: 16,
  bytes: 16,
  fields: {
    outVintfMmapOffset: ['u64', 0, 'in'],
    outVintfMmapLength: ['u64', 8, 'in'],
  },
} as const;

/** LVCMDQ_ERR_MAP of a virtual interface, a bit for each queue. */
export const VEVENT_TEGRA241_CMDQV = {
  name: 'iommu_vevent_tegra241_cmdqv',
  minBytes: 16,
  bytes: 16,
  fields: {
    map0: ['u64', 0, 'in'],
    map1: ['u64', 8, 'in'],
  },
} as const;
