// Flags, types and option numbers of the user interface. @see Linux include/uapi/linux/iommufd.h

export const IOAS_MAP_FIXED_IOVA = 1;
export const IOAS_MAP_WRITEABLE = 2;
export const IOAS_MAP_READABLE = 4;

export const HWPT_ALLOC_NEST_PARENT = 1;
export const HWPT_ALLOC_DIRTY_TRACKING = 2;
export const HWPT_FAULT_ID_VALID = 4;
export const HWPT_ALLOC_PASID = 8;

export const HWPT_DATA_NONE = 0;
export const HWPT_DATA_VTD_S1 = 1;
export const HWPT_DATA_ARM_SMMUV3 = 2;
export const HWPT_DATA_AMD_GUEST = 3;

export const HWPT_INVALIDATE_DATA_VTD_S1 = 0;
export const VIOMMU_INVALIDATE_DATA_ARM_SMMUV3 = 1;

export const HW_INFO_TYPE_NONE = 0;
export const HW_INFO_TYPE_DEFAULT = 0;
export const HW_INFO_TYPE_INTEL_VTD = 1;
export const HW_INFO_TYPE_ARM_SMMUV3 = 2;
export const HW_INFO_TYPE_TEGRA241_CMDQV = 3;
export const HW_INFO_TYPE_AMD = 4;
export const HW_INFO_FLAG_INPUT_TYPE = 1;

export const HW_CAP_DIRTY_TRACKING = 1;
export const HW_CAP_PCI_PASID_EXEC = 2;
export const HW_CAP_PCI_PASID_PRIV = 4;
export const HW_CAP_PCI_ATS_NOT_SUPPORTED = 8;

export const DIRTY_TRACKING_ENABLE = 1;
export const GET_DIRTY_BITMAP_NO_CLEAR = 1;

export const OPTION_RLIMIT_MODE = 0;
export const OPTION_HUGE_PAGES = 1;
export const OPTION_OP_SET = 0;
export const OPTION_OP_GET = 1;

export const VFIO_IOAS_GET = 0;
export const VFIO_IOAS_SET = 1;
export const VFIO_IOAS_CLEAR = 2;

export const VIOMMU_TYPE_DEFAULT = 0;
export const VIOMMU_TYPE_ARM_SMMUV3 = 1;
export const VIOMMU_TYPE_TEGRA241_CMDQV = 2;

export const VEVENTQ_TYPE_DEFAULT = 0;
export const VEVENTQ_TYPE_ARM_SMMUV3 = 1;
export const VEVENTQ_TYPE_TEGRA241_CMDQV = 2;
export const VEVENTQ_FLAG_LOST_EVENTS = 1;

export const HW_QUEUE_TYPE_DEFAULT = 0;
export const HW_QUEUE_TYPE_TEGRA241_CMDQV = 1;

// Numbers of the kernel's own, include/linux/iommufd.h: what an id names.
export const OBJ_NONE = 0;
export const OBJ_DEVICE = 1;
export const OBJ_HWPT_PAGING = 2;
export const OBJ_HWPT_NESTED = 3;
export const OBJ_IOAS = 4;
export const OBJ_ACCESS = 5;
export const OBJ_FAULT = 6;
export const OBJ_VIOMMU = 7;
export const OBJ_VDEVICE = 8;
export const OBJ_VEVENTQ = 9;
export const OBJ_HW_QUEUE = 10;
export const OBJ_SELFTEST = 11;

/** By OBJ_*: for messages. */
export const OBJECT_NAMES: readonly string[] = [
  'nothing',
  'device',
  'hwpt_paging',
  'hwpt_nested',
  'ioas',
  'access',
  'fault',
  'viommu',
  'vdevice',
  'veventq',
  'hw_queue',
  'selftest',
];
