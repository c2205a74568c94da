// What a VT-d unit's driver keeps in shared words beside what all families keep (common/layout.ts).
import { DOMAIN_OWN } from '../common/index.ts';

export const VTD_UNIT_REGION = 'iommu-driver.vtd.unit';
export const VTD_DEVICES_REGION = 'iommu-driver.vtd.devices';

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

/** Of an attachment: page requests on its account are let in. */
export const ATTACHED_FAULTS = 2;

// Device: one row by number. Offsets in words.
//
//   name      offset  guarded by      meaning
//   STATE     0       atomic          1: there is such a device
//   RID       1       constant        its requester id
//   GROUP     2       constant
//   PASIDS    3       constant        log2 of its PASIDs, 0: none
//   FUNCTION  4       constant        its ATS and PRI registers, 0: it has neither
//   BOUND     5       group's lock    1: the unit's procedures know its requester
export const DEVICE_STATE = 0;
export const DEVICE_RID = 1;
export const DEVICE_GROUP = 2;
export const DEVICE_PASIDS = 3;
export const DEVICE_FUNCTION = 4;
export const DEVICE_BOUND = 5;
export const DEVICE_ROW_WORDS = 8;
