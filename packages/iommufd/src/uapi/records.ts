// What fault and event files carry, by byte. @see Linux include/uapi/linux/iommufd.h

/** struct iommu_hwpt_pgfault: one page request of a group. */
export const PGFAULT = {
  bytes: 40,
  flags: 0,
  devId: 4,
  pasid: 8,
  grpid: 12,
  perm: 16,
  reserved: 20,
  addr: 24,
  length: 32,
  cookie: 36,
} as const;

/** struct iommu_hwpt_page_response: the answer to a group. */
export const PAGE_RESPONSE = { bytes: 8, cookie: 0, code: 4 } as const;

/** struct iommufd_vevent_header. */
export const VEVENT_HEADER = { bytes: 8, flags: 0, sequence: 4 } as const;
