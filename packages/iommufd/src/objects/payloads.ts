// What the 24 payload words of an object mean, by type. Offsets in words from the object. "object" is an object's index: the holder has
// raised its users. All constant once the object is published, unless a lock is named.
import { OBJECT_PAYLOAD } from './layout.ts';

// DEVICE
//   NUMBER  0   the driver's number of it: the core's too
//   GROUP   1   number of its group
//   GOING   2   group's lock: it is being unbound, a new vdevice finds nothing
//   VDEVICE 3   group's lock: object of its vdevice, 0 for none
//   NEXT    4   group's lock: next bound device of the group (device objects, 0 ends)
export const DEVICE_NUMBER: number = OBJECT_PAYLOAD;
export const DEVICE_GROUP: number = OBJECT_PAYLOAD + 1;
export const DEVICE_GOING: number = OBJECT_PAYLOAD + 2;
export const DEVICE_VDEVICE: number = OBJECT_PAYLOAD + 3;
export const DEVICE_NEXT: number = OBJECT_PAYLOAD + 4;

// HWPT_PAGING and HWPT_NESTED
//   DOMAIN     0  number in the core's table and the driver's
//   FLAGS      1  HWPT_ALLOC_*
//   IOAS       2  object; of a nested one: its parent's
//   PARENT     3  object: HWPT_PAGING that it nests on, 0 for paging ones
//   VIOMMU     4  object that it was made on, 0 for none
//   FAULT      5  object of its fault queue, 0 for none
//   AUTO       6  1: made by attaching to an IOAS, goes with its last device
//   IOMMU      7  number of the IOMMU that it is for
//   NEXT       8  IOAS's list lock: next HWPT_PAGING of the IOAS
//   DIRTY      9  atomic: dirty tracking is on
//   PAGE       10 smallest page, log2
export const HWPT_DOMAIN: number = OBJECT_PAYLOAD;
export const HWPT_FLAGS: number = OBJECT_PAYLOAD + 1;
export const HWPT_IOAS: number = OBJECT_PAYLOAD + 2;
export const HWPT_PARENT: number = OBJECT_PAYLOAD + 3;
export const HWPT_VIOMMU: number = OBJECT_PAYLOAD + 4;
export const HWPT_FAULT: number = OBJECT_PAYLOAD + 5;
export const HWPT_AUTO: number = OBJECT_PAYLOAD + 6;
export const HWPT_IOMMU: number = OBJECT_PAYLOAD + 7;
export const HWPT_NEXT: number = OBJECT_PAYLOAD + 8;
export const HWPT_DIRTY: number = OBJECT_PAYLOAD + 9;
export const HWPT_PAGE_LG2: number = OBJECT_PAYLOAD + 10;

// IOAS
//   BODY  0  record of pool `ioas`: areas, ranges, domains, their locks (ioas/layout.ts)
export const IOAS_BODY: number = OBJECT_PAYLOAD;

// ACCESS
//   IOAS       0  its own lock: object of the IOAS that it pins in, 0 for none
//   NEXT       1  areas lock: next access of the IOAS that it is attached to by side 0
//   ALIGNMENT  2  what it asks of IOVAs: 1, or a page's bytes where it pins
//   LOCK       3  atomic, a mutex: IOAS, UNPIN, SIDE; taken before the IOAS's locks
//   KIND       4  whose it is: which unmap callback
//   ITEMS      5  ITEMS_LOCK: first of what it has pinned, for its owner
//   NEXT1      6  areas lock: as NEXT, by side 1: on the way from one IOAS to another it is in both lists
//   SIDE       7  LOCK: the side by which it is attached
//   UNPIN      8  LOCK: object of the IOAS that it has pins in; IOAS is 0 already while it lets go of them
//   ITEMS_LOCK 9  atomic, a mutex: ITEMS; taken before LOCK
//   NEXT_ID    10 ITEMS_LOCK: for its owner
export const ACCESS_IOAS: number = OBJECT_PAYLOAD;
export const ACCESS_NEXT: number = OBJECT_PAYLOAD + 1;
export const ACCESS_ALIGNMENT: number = OBJECT_PAYLOAD + 2;
export const ACCESS_LOCK: number = OBJECT_PAYLOAD + 3;
export const ACCESS_KIND: number = OBJECT_PAYLOAD + 4;
export const ACCESS_ITEMS: number = OBJECT_PAYLOAD + 5;
export const ACCESS_NEXT1: number = OBJECT_PAYLOAD + 6;
export const ACCESS_SIDE: number = OBJECT_PAYLOAD + 7;
export const ACCESS_UNPIN: number = OBJECT_PAYLOAD + 8;
export const ACCESS_ITEMS_LOCK: number = OBJECT_PAYLOAD + 9;
export const ACCESS_NEXT_ID: number = OBJECT_PAYLOAD + 10;

// SELFTEST: a mock device that a test command made
//   DEVICE  0  the driver's number of it
//   IDEV    1  id of its DEVICE object
export const SELFTEST_DEVICE: number = OBJECT_PAYLOAD;
export const SELFTEST_IDEV: number = OBJECT_PAYLOAD + 1;

// FAULT
//   QUEUE  0  number of its fault queue
export const FAULT_QUEUE: number = OBJECT_PAYLOAD;

// VIOMMU
//   NUMBER  0  the driver's number of it: the object's index
//   HWPT    1  object: the nesting parent
//   TYPE    2  VIOMMU_TYPE_*
//   IOMMU   3  number of the IOMMU
//   LOCK    4  atomic, a mutex: VDEVICES, QUEUES, and which types of event queues there are
//   VDEVICES 5 LOCK: first vdevice (objects, 0 ends)
//   EVENTQS  6 EVENT_LOCK: first event queue
//   QUEUES   7 LOCK: first hw queue
//   EVENT_LOCK 8 atomic, a mutex: EVENTQS; who reports takes it
//   REGION     9 context's lock: first page of its mmap region, 0 for none
//   REGION_PAGES 10, REGION_PHYSICAL 12 (64 bits), REGION_NEXT 14: context's lock; the next vIOMMU that has a region
export const VIOMMU_NUMBER: number = OBJECT_PAYLOAD;
export const VIOMMU_HWPT: number = OBJECT_PAYLOAD + 1;
export const VIOMMU_TYPE: number = OBJECT_PAYLOAD + 2;
export const VIOMMU_IOMMU: number = OBJECT_PAYLOAD + 3;
export const VIOMMU_LOCK: number = OBJECT_PAYLOAD + 4;
export const VIOMMU_VDEVICES: number = OBJECT_PAYLOAD + 5;
export const VIOMMU_EVENTQS: number = OBJECT_PAYLOAD + 6;
export const VIOMMU_QUEUES: number = OBJECT_PAYLOAD + 7;
export const VIOMMU_EVENT_LOCK: number = OBJECT_PAYLOAD + 8;
export const VIOMMU_REGION: number = OBJECT_PAYLOAD + 9;
export const VIOMMU_REGION_PAGES: number = OBJECT_PAYLOAD + 10;
export const VIOMMU_REGION_PHYSICAL: number = OBJECT_PAYLOAD + 12;
export const VIOMMU_REGION_NEXT: number = OBJECT_PAYLOAD + 14;

// VDEVICE
//   VIOMMU  0  object
//   DEVICE  1  object: it holds the device's RUNNING
//   VIRT_ID 2  64 bits
//   NEXT    4  vIOMMU's LOCK
//   READY   5  vIOMMU's LOCK: 1: its number finds it; before, it is only taken
export const VDEVICE_VIOMMU: number = OBJECT_PAYLOAD;
export const VDEVICE_DEVICE: number = OBJECT_PAYLOAD + 1;
export const VDEVICE_VIRT_ID: number = OBJECT_PAYLOAD + 2;
export const VDEVICE_NEXT: number = OBJECT_PAYLOAD + 4;
export const VDEVICE_READY: number = OBJECT_PAYLOAD + 5;

// VEVENTQ
//   VIOMMU  0  object
//   TYPE    1  VEVENTQ_TYPE_*
//   BODY    2  record of pool `veventqs`
//   NEXT    3  vIOMMU's EVENT_LOCK
export const VEVENTQ_VIOMMU: number = OBJECT_PAYLOAD;
export const VEVENTQ_TYPE: number = OBJECT_PAYLOAD + 1;
export const VEVENTQ_BODY: number = OBJECT_PAYLOAD + 2;
export const VEVENTQ_NEXT: number = OBJECT_PAYLOAD + 3;

// HW_QUEUE: it is an access, too, which pins its memory: the words of ACCESS come first.
//   VIOMMU  12 object
//   INDEX   13
//   TYPE    14 HW_QUEUE_TYPE_*
//   NEXT    15 vIOMMU's LOCK
//   IOVA    16 64 bits
//   LENGTH  18 64 bits
//   DEPENDS 20 object of the queue that it depends on, 0 for none
export const HW_QUEUE_VIOMMU: number = OBJECT_PAYLOAD + 12;
export const HW_QUEUE_INDEX: number = OBJECT_PAYLOAD + 13;
export const HW_QUEUE_TYPE: number = OBJECT_PAYLOAD + 14;
export const HW_QUEUE_NEXT: number = OBJECT_PAYLOAD + 15;
export const HW_QUEUE_IOVA: number = OBJECT_PAYLOAD + 16;
export const HW_QUEUE_LENGTH: number = OBJECT_PAYLOAD + 18;
export const HW_QUEUE_DEPENDS: number = OBJECT_PAYLOAD + 20;
