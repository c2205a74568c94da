// What user space and the AMD driver tell each other. @see Linux include/uapi/linux/iommufd.h

/** IOMMU_HW_INFO_TYPE_AMD: both extended feature registers as the hardware has them. */
export const HW_INFO_AMD = {
  name: 'iommu_hw_info_amd',
  minBytes: 16,
  bytes: 16,
  fields: {
    efr: ['u64', 0, 'in'],
    efr2: ['u64', 8, 'in'],
  },
} as const;

/** IOMMU_HWPT_DATA_AMD_GUEST: a guest's device table entry. */
export const HWPT_AMD_GUEST = {
  name: 'iommu_hwpt_amd_guest',
  minBytes: 32,
  bytes: 32,
  fields: {
    dte0: ['u64', 0, 'in'],
    dte1: ['u64', 8, 'in'],
    dte2: ['u64', 16, 'in'],
    dte3: ['u64', 24, 'in'],
  },
} as const;
