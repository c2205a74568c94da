// The fault record: what a driver fills, the core carries and a handler reads. 32 bytes in shared memory, never an object.
// Field order follows struct iommu_fault_page_request. The IOVA travels as a page number (52 bits) in two words; the 12 bits that it leaves
// free hold the byte in the page, 0 from a driver whose hardware names pages only: the address, turned right by 12 bits.
//
//   name     offset  width  unit
//   DEVICE   0       u32    index into the device table
//   FLAGS    1       u32    FAULT_FLAG_*
//   PASID    2       u32    20 bits, meaningful with PASID_VALID
//   GRPID    3       u32    the device's word: groups requests, is never a key of ours (stall tag, PRG index)
//   PERM     4       u32    FAULT_PERM_*
//   PAGE_LO  5       u32    IOVA bits 43:12
//   PAGE_HI  6       u32    bits 19:0: IOVA bits 63:44; bits 31:20: IOVA bits 11:0
//   TOKEN    7       u32    for the driver that filled it: whatever names the transaction in its answer
export const FAULT_DEVICE = 0;
export const FAULT_FLAGS = 1;
export const FAULT_PASID = 2;
export const FAULT_GRPID = 3;
export const FAULT_PERM = 4;
export const FAULT_PAGE_LO = 5;
export const FAULT_PAGE_HI = 6;
export const FAULT_TOKEN = 7;
export const FAULT_WORDS = 8;

/** The part of PAGE_HI that is the page's, and where the byte in the page begins. */
export const FAULT_PAGE_HI_MASK = 0xfffff;
export const FAULT_OFFSET_SHIFT = 20;

/** Flag bits (include/linux/iommu.h). */
export const FAULT_FLAG_PASID_VALID = 1;
export const FAULT_FLAG_LAST_PAGE = 2;
export const FAULT_FLAG_RESPONSE_NEEDS_PASID = 4;

/** Permission bits (include/linux/iommu.h). */
export const FAULT_PERM_READ = 1;
export const FAULT_PERM_WRITE = 2;
export const FAULT_PERM_EXEC = 4;
export const FAULT_PERM_PRIV = 8;

/** Answer codes (enum iommu_page_response_code). */
export const RESPONSE_SUCCESS = 0;
export const RESPONSE_INVALID = 1;
export const RESPONSE_FAILURE = 2;
export type ResponseCode = typeof RESPONSE_SUCCESS | typeof RESPONSE_INVALID | typeof RESPONSE_FAILURE;
