// What an AMD IOMMU's driver keeps in shared words beside what all families keep (common/layout.ts).
export const AMD_UNIT_REGION = 'iommu-driver.amd.unit';
export const AMD_DEVICES_REGION = 'iommu-driver.amd.devices';

// Formats of paging domains: DOMAIN_CODE. Linux calls them v1 and v2.
export const CODE_HOST = 1;
export const CODE_GUEST = 2;
/** Levels of both: 48 bits. */
export const LEVELS = 4;

/** Of an attachment: the domain has a fault queue. */
export const ATTACHED_FAULTS = 2;

// Device: one row by number. Offsets in words.
//
//   name      offset  guarded by  meaning
//   STATE     0       atomic      1: there is such a device
//   RID       1       constant    its requester id
//   GROUP     2       constant
//   PASIDS    3       constant    log2 of its PASIDs, 0: none
//   FUNCTION  4       constant    its ATS and PRI registers, 0: it has neither
export const DEVICE_STATE = 0;
export const DEVICE_RID = 1;
export const DEVICE_GROUP = 2;
export const DEVICE_PASIDS = 3;
export const DEVICE_FUNCTION = 4;
export const DEVICE_ROW_WORDS = 8;
