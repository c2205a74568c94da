// What an SMMUv3's driver exchanges with user space, with a Tegra241's command queues. No ioctl of their own: they are pointed at.
// Read with decodeStruct, written with encodeOutputs. @see Linux include/uapi/linux/iommufd.h

/** struct iommu_hw_info_arm_smmuv3: registers as the hardware has them. */
export const HW_INFO_ARM_SMMUV3 = {
  name: 'HW_INFO_ARM_SMMUV3',
  nr: 0,
  minBytes: 40,
  bytes: 40,
  fields: {
    flags: ['u32', 0, 'inout'],
    reserved: ['u32', 4, 'reserved'],
    idr0: ['u32', 8, 'inout'],
    idr1: ['u32', 12, 'inout'],
    idr2: ['u32', 16, 'inout'],
    idr3: ['u32', 20, 'inout'],
    idr4: ['u32', 24, 'inout'],
    idr5: ['u32', 28, 'inout'],
    iidr: ['u32', 32, 'inout'],
    aidr: ['u32', 36, 'inout'],
  },
} as const;

/** struct iommu_hw_info_tegra241_cmdqv: what one virtual interface has. */
export const HW_INFO_TEGRA241_CMDQV = {
  name: 'HW_INFO_TEGRA241_CMDQV',
  nr: 0,
  minBytes: 8,
  bytes: 8,
  fields: {
    flags: ['u32', 0, 'inout'],
    version: ['u8', 4, 'inout'],
    log2vcmdqs: ['u8', 5, 'inout'],
    log2vsids: ['u8', 6, 'inout'],
    reserved: ['u8', 7, 'reserved'],
  },
} as const;

/** struct iommu_hwpt_arm_smmuv3: the first two words of the guest's stream table entry. */
export const HWPT_ARM_SMMUV3 = {
  name: 'HWPT_ARM_SMMUV3',
  nr: 0,
  minBytes: 16,
  bytes: 16,
  fields: {
    ste0: ['u64', 0, 'inout'],
    ste1: ['u64', 8, 'inout'],
  },
} as const;

/** struct iommu_viommu_arm_smmuv3_invalidate: one command as the guest wrote it. */
export const VIOMMU_ARM_SMMUV3_INVALIDATE = {
  name: 'VIOMMU_ARM_SMMUV3_INVALIDATE',
  nr: 0,
  minBytes: 16,
  bytes: 16,
  fields: {
    cmd0: ['u64', 0, 'inout'],
    cmd1: ['u64', 8, 'inout'],
  },
} as const;

/** struct iommu_vevent_arm_smmuv3: an event queue record, its StreamID the guest's. */
export const VEVENT_ARM_SMMUV3 = {
  name: 'VEVENT_ARM_SMMUV3',
  nr: 0,
  minBytes: 32,
  bytes: 32,
  fields: {
    evt0: ['u64', 0, 'inout'],
    evt1: ['u64', 8, 'inout'],
    evt2: ['u64', 16, 'inout'],
    evt3: ['u64', 24, 'inout'],
  },
} as const;

/** struct iommu_viommu_tegra241_cmdqv: where a virtual interface's registers can be mapped. */
export const VIOMMU_TEGRA241_CMDQV = {
  name: 'VIOMMU_TEGRA241_CMDQV',
  nr: 0,
  minBytes: 16,
  bytes: 16,
  fields: {
    outVintfMmapOffset: ['u64', 0, 'inout'],
    outVintfMmapLength: ['u64', 8, 'inout'],
  },
} as const;

/** struct iommu_vevent_tegra241_cmdqv: LVCMDQ_ERR_MAP of a virtual interface, a bit for each queue. */
export const VEVENT_TEGRA241_CMDQV = {
  name: 'VEVENT_TEGRA241_CMDQV',
  nr: 0,
  minBytes: 16,
  bytes: 16,
  fields: {
    map0: ['u64', 0, 'inout'],
    map1: ['u64', 8, 'inout'],
  },
} as const;
