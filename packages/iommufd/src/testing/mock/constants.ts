// What the kernel's mock IOMMU is like. @see Linux drivers/iommu/iommufd/{selftest.c, iommufd_test.h}

/** Half a page of memory, on purpose: an IOMMU page need not be a processor's. */
export const MOCK_PAGE_BYTES = 2048;
export const MOCK_HUGE_BYTES: number = 512 * MOCK_PAGE_BYTES;
export const MOCK_APERTURE_START: bigint = 1n << 24n;
export const MOCK_APERTURE_LAST: bigint = (1n << 31n) - 1n;
export const MOCK_PASID_LG2 = 20;

/** The device cannot track dirty pages. */
export const MOCK_DEV_NO_DIRTY = 1;
/** The device has PASIDs. */
export const MOCK_DEV_PASID = 4;

export const MOCK_HW_INFO_TYPE = 0xfeedbeef;
export const MOCK_HW_INFO_REG = 0xdeadbeef;
export const MOCK_HWPT_DATA_TYPE = 0xdead;
export const MOCK_PAGE_TABLE_DEFAULT = 0;
export const MOCK_PAGE_TABLE_HUGE = 1;
export const MOCK_INVALIDATE_TYPE = 0xdeadbeef;
/** A type that the mock has not. */
export const MOCK_INVALIDATE_TYPE_BAD = 0xdadbeef;
/** Of an invalidation: every entry, whatever its number. */
export const MOCK_INVALIDATE_ALL = 1;
export const MOCK_VIOMMU_TYPE = 0xdeadbeef;
export const MOCK_VIOMMU_INVALIDATE_TYPE = 0xdeadbeef;
/** What a vIOMMU is made from, and answers. */
export const MOCK_VIOMMU_DATA = { bytes: 24, inData: 0, outData: 4, outMmapOffset: 8, outMmapLength: 16 } as const;
/** An entry of an invalidation of a vIOMMU. */
export const MOCK_VIOMMU_ENTRY = { bytes: 12, flags: 0, vdevId: 4, cacheId: 8 } as const;
export const MOCK_VEVENTQ_TYPE = 0xbeefbeef;
export const MOCK_HW_QUEUE_TYPE = 0xdeadbeef;
export const MOCK_HW_QUEUES = 2;

/** Entries of a nested domain's translation cache, and of a device's. */
export const MOCK_CACHE_ENTRIES = 4;
export const MOCK_IOTLB_DEFAULT = 0xbadbeef;
export const MOCK_DEV_CACHE_DEFAULT = 0xbaddad;

/** The second attachment of this PASID fails once, with ENOMEM. */
export const MOCK_PASID_RESERVED = 1024;

/** Bytes of temporary memory that a page takes while it is mapped; there is never less. */
export const MOCK_BATCH_ENTRY_BYTES = 12;
export const MOCK_MEMORY_LIMIT_DEFAULT = 65_536;
