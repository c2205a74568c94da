import { LINE } from '@faultline/core/sync';

// Mock device: one row by number. Offsets in words.
//
//   name    offset  guarded by         meaning
//   STATE   0       atomic             1: there is such a device; -1: it is being made
//   FLAGS   1       constant           MOCK_DEV_*
//   GROUP   2       constant           its group: each mock device has one of its own
//   FAILS   3       group's lock       1: the next attachment of MOCK_PASID_RESERVED fails
//   CACHE   4       plain, test's      MOCK_CACHE_ENTRIES words: its translation cache
//   LOCK    8       atomic             mutex: EVENT_*
//   VIRT_ID 10      group's lock       its vdevice's number, 64 bits
//   EVENT_VIOMMU 12 LOCK               vIOMMU of the domain that it is attached to, 0 for none
//   EVENT_ID 14     LOCK               its number there, 64 bits
export const MOCK_DEVICE_STATE = 0;
export const MOCK_DEVICE_FLAGS = 1;
export const MOCK_DEVICE_GROUP = 2;
export const MOCK_DEVICE_FAILS = 3;
export const MOCK_DEVICE_CACHE = 4;
export const MOCK_DEVICE_LOCK = 8;
export const MOCK_DEVICE_VIRT_ID = 10;
export const MOCK_DEVICE_EVENT_VIOMMU = 12;
export const MOCK_DEVICE_EVENT_ID = 14;
export const MOCK_DEVICE_WORDS = 16;

// Mock domain: one row by the core's number.
//
//   name      offset  guarded by         meaning
//   KIND      0       constant           MOCK_PAGING, MOCK_NESTED; 0: none
//   HUGE      1       constant           1: leaves as large as MOCK_HUGE_BYTES
//   TRACKING  2       atomic             dirty tracking is on
//   PARENT    3       constant           nested: the parent's domain
//   VIOMMU    4       constant           nested: the vIOMMU that it was made on, 0 for none
//   CAN_TRACK 5       constant           made for dirty tracking
//   IOTLB     8       plain, test's      nested: MOCK_CACHE_ENTRIES words
export const MOCK_DOMAIN_KIND = 0;
export const MOCK_DOMAIN_HUGE = 1;
export const MOCK_DOMAIN_TRACKING = 2;
export const MOCK_DOMAIN_PARENT = 3;
export const MOCK_DOMAIN_VIOMMU = 4;
export const MOCK_DOMAIN_CAN_TRACK = 5;
export const MOCK_DOMAIN_IOTLB = 8;
export const MOCK_DOMAIN_WORDS = 16;

export const MOCK_PAGING = 1;
export const MOCK_NESTED = 2;

// Mock vIOMMU: one row by number. Offsets in words.
//
//   name    offset  guarded by          meaning
//   QUEUES  0       the vIOMMU's lock   MOCK_HW_QUEUES words: 1 where a hardware queue is
//   FRAME   2       constant            first frame of its pages, 0 for none
//   PARENT  3       constant            the nesting parent's domain
export const MOCK_VIOMMU_QUEUES = 0;
export const MOCK_VIOMMU_FRAME = 2;
export const MOCK_VIOMMU_PARENT = 3;
export const MOCK_VIOMMU_WORDS = 4;

// Mock: one for all threads.
//
//   name   offset  guarded by   meaning
//   LIMIT  0       the pages'  bytes of temporary memory of a call
export const MOCK_STATE_LIMIT = 0;
export const MOCK_STATE_WORDS: number = LINE;
