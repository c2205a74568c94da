// Lock order, outermost first. A lock may be taken while those above it are held, never the other way round. The fault path (report,
// deliver, answer) takes none of them but its own queue's, 10. A driver's locks come below 1 to 8, and above 9 and 11: it may hold them as it
// reports an event.
//
//   1  group         GROUP_LOCK            mutex    bind, attach, replace, detach, vdevice alloc and end
//   2  hwpt list     IOAS_LIST_LOCK        mutex    the HWPTs of an IOAS; whether an automatic one is made or goes
//   2a access items  ACCESS_ITEMS_LOCK     mutex    what a driver has pinned through an access
//   2b access        ACCESS_LOCK           mutex    which IOAS an access is attached to
//   3  domains       IOAS_DOMAINS          rwlock   which domains an IOAS fills; read: map, unmap
//   -  change        CONTEXT_CHANGE_LOCK   mutex    IOAS_CHANGE_PROCESS, which alone has many areas and pages locked at once
//   4  areas         IOAS_IOVA             rwlock   areas, reserved and allowed ranges; read: look-ups and dirty sweeps
//   5  pages         PAGES_LOCK            mutex    what of a pages object is pinned
//   6  viommu        VIOMMU_LOCK           mutex    a vIOMMU's lists
//   7  context       CONTEXT_LOCK          mutex    the compat IOAS, the mmap regions
//   8  process, RAM  caller/               mutex    a process's pages, then frames
//   9  pools         RecordPool's own      mutex    free records
//  10  fault queue   QUEUE_LOCK            mutex    delivery and automatic answers
//  11  event queues  VIOMMU_EVENT_LOCK     mutex    a vIOMMU's event queues: taken by who reports, too
//  12  event queue   VEVENTQ_LOCK          mutex    one queue's events; the list's lock is let go of once it is taken
//
// @see Linux drivers/iommu/iommufd/iommufd_private.h, which has domains rwsem, iova rwsem, pages mutex in that order
export {};
