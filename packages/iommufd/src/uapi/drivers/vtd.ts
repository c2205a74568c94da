// What user space and the VT-d driver tell each other. @see Linux include/uapi/linux/iommufd.h

/** IOMMU_HW_INFO_TYPE_INTEL_VTD. */
export const HW_INFO_VTD = {
  name: 'iommu_hw_info_vtd',
  minBytes: 24,
  bytes: 24,
  fields: {
    flags: ['u32', 0, 'in'],
    reserved: ['u32', 4, 'reserved'],
    capReg: ['u64', 8, 'in'],
    ecapReg: ['u64', 16, 'in'],
  },
} as const;

/** Parents of nested domains take no read-only mappings. */
export const HW_INFO_VTD_ERRATA_772415_SPR17 = 1;

/** IOMMU_HWPT_DATA_VTD_S1: a guest's first-stage tables. */
export const HWPT_VTD_S1 = {
  name: 'iommu_hwpt_vtd_s1',
  minBytes: 24,
  bytes: 24,
  fields: {
    flags: ['u64', 0, 'in'],
    pgtblAddr: ['u64', 8, 'in'],
    addrWidth: ['u32', 16, 'in'],
    reserved: ['u32', 20, 'reserved'],
  },
} as const;

/** Requests with supervisor privilege. */
export const VTD_S1_SRE = 1;
/** Extended accessed flags. */
export const VTD_S1_EAFE = 2;
/** Write protection counts for supervisor accesses, too. */
export const VTD_S1_WPE = 4;

/** IOMMU_HWPT_INVALIDATE_DATA_VTD_S1: an entry. `npages` of 2^64 - 1 with `addr` 0 is everything. */
export const HWPT_VTD_S1_INVALIDATE = {
  name: 'iommu_hwpt_vtd_s1_invalidate',
  minBytes: 24,
  bytes: 24,
  fields: {
    addr: ['u64', 0, 'in'],
    npages: ['u64', 8, 'in'],
    flags: ['u32', 16, 'in'],
    reserved: ['u32', 20, 'reserved'],
  },
} as const;

/** Only leaves changed: what is kept of tables stays. */
export const VTD_INV_FLAGS_LEAF = 1;
