// What drivers of all families keep in shared words of their own.
import { LINE } from '@faultline/core/sync';

export const DOMAINS_REGION = 'iommu-driver.domains';
export const ATTACHED_REGION = 'iommu-driver.attached';
export const TABLES_REGION = 'iommu-driver.tables';
export const ENTRIES_REGION = 'iommu-driver.entries';
export const RCU_REGION = 'iommu-driver.rcu';
export const REQUESTERS_REGION = 'iommu-driver.requesters';

// A domain: one row by the core's number. Offsets in words.
//
//   name        offset  guarded by   meaning
//   KIND        0       atomic       DOMAIN_*
//   GENERATION  1       atomic       how often the row was filled: threads throw away what they know of an older one
//   CODE        2       constant     paging: which format, in the family's own words
//   PARENT      3       constant     nested: the nesting parent's domain
//   VIOMMU      4       constant     nested: the vIOMMU that it was made on, 0 for none
//   FLAGS       5       constant     HWPT_ALLOC_*
//   TRACKING    6       atomic       1: dirty tracking is on
//   OWN         8       the family's OWN_WORDS words
//   TABLE       LINE    hw's         a page table's words
export const DOMAIN_KIND = 0;
export const DOMAIN_GENERATION = 1;
export const DOMAIN_CODE = 2;
export const DOMAIN_PARENT = 3;
export const DOMAIN_VIOMMU = 4;
export const DOMAIN_FLAGS = 5;
export const DOMAIN_TRACKING = 6;
export const DOMAIN_OWN = 8;
export const OWN_WORDS: number = LINE - DOMAIN_OWN;
export const DOMAIN_TABLE: number = LINE;

export const DOMAIN_NONE = 0;
export const DOMAIN_PAGING = 1;
export const DOMAIN_NESTED = 2;

// Attachments: LOCK, ROWS and HIGH on a line, then rows of four words.
//
//   name    offset  guarded by  meaning
//   LOCK    0       atomic      mutex: all below
//   ROWS    1       constant    rows there are
//   HIGH    2       LOCK        rows below are all that may be in use
//   DEVICE  0       LOCK        of a row: 0 for a free one
//   PASID   1       LOCK        0: what comes without one
//   DOMAIN  2       LOCK
//   FLAGS   3       LOCK        ATTACHED_CURRENT; others are the family's
export const ATTACHED_LOCK = 0;
export const ATTACHED_ROWS = 1;
export const ATTACHED_HIGH = 2;
export const ATTACHED_FIRST: number = LINE;
export const ATTACHED_DEVICE = 0;
export const ATTACHED_PASID = 1;
export const ATTACHED_DOMAIN = 2;
export const ATTACHED_FLAGS = 3;
export const ATTACHED_WORDS = 4;

/** The PASID's domain. Without it: a domain that comes or goes, and that the hardware may know. */
export const ATTACHED_CURRENT = 1;
/** The domain has a fault queue: page requests on the attachment's account are let in. */
export const ATTACHED_FAULTS = 2;

// A requester of a PCIe family: one row by its device's number. Offsets in words.
//
//   name      offset  guarded by      meaning
//   STATE     0       atomic          1: there is such a device
//   RID       1       constant        its requester id
//   GROUP     2       constant
//   PASIDS    3       constant        log2 of its PASIDs, 0: none
//   FUNCTION  4       constant        its ATS and PRI registers, 0: it has neither
//   BOUND     5       group's lock    1: the unit's procedures know its requester
export const REQUESTER_STATE = 0;
export const REQUESTER_RID = 1;
export const REQUESTER_GROUP = 2;
export const REQUESTER_PASIDS = 3;
export const REQUESTER_FUNCTION = 4;
export const REQUESTER_BOUND = 5;
export const REQUESTER_WORDS = 8;
