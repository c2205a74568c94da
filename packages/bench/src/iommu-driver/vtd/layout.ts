// What a VT-d unit's driver keeps in shared words beside what all families keep (common/layout.ts).
import { DOMAIN_OWN } from '../common/index.ts';

export const VTD_UNIT_REGION = 'iommu-driver.vtd.unit';

// Formats of paging domains: DOMAIN_CODE.
export const CODE_FIRST_FOUR = 1;
export const CODE_FIRST_FIVE = 2;
export const CODE_SECOND = 3;
/** A second stage that takes no read-only mappings. */
export const CODE_SECOND_WRITEABLE = 4;

// Nested domain: the family's words of its row, constant.
//
//   name      offset  meaning
//   ROOT      0       guest's address of its first-stage root, 64 bits
//   S1_FLAGS  2       VTD_S1_*
//   WIDTH     3       of the guest's input addresses
export const NESTED_ROOT: number = DOMAIN_OWN;
export const NESTED_S1_FLAGS: number = DOMAIN_OWN + 2;
export const NESTED_WIDTH: number = DOMAIN_OWN + 3;
