// What an AMD IOMMU's driver keeps in shared words beside what all families keep (common/layout.ts).
export const AMD_UNIT_REGION = 'iommu-driver.amd.unit';

// Formats of paging domains: DOMAIN_CODE. Linux calls them v1 and v2.
export const CODE_HOST = 1;
export const CODE_GUEST = 2;
/** Levels of both: 48 bits. */
export const LEVELS = 4;
