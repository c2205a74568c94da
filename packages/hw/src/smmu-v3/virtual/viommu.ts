// What a driver asks of the objects of a vIOMMU. In Linux iommufd has them; here whoever wires the two packages hands them over,
// and vdevices.ts has them where nobody else does. One instance a thread.

/** vdevices, by device and by virtual id. */
export interface VdeviceLookUp {
  /** The virtual id of `device` in vIOMMU `vsmmu`. Context: the device's group mutex, so that it cannot come or go meanwhile.
   * @returns negative errno ENOENT when it has no vdevice there. @see Linux iommufd_viommu_get_vdev_id() */
  virtualId(vsmmu: number, device: number): number;
  /** The device that a guest calls `virtualId`. Any thread, no lock; the answer may be out of date at once, and a device is
   * for good: using it late reaches the wrong device of the right host, never memory that was freed.
   * @returns negative errno ENOENT for nobody. @see Linux iommufd_viommu_find_dev() */
  findDevice(vsmmu: number, virtualId: number): number;
}

/** The event queues of vIOMMUs. */
export interface VirtualEventSink {
  /** Queues the event record (EVENT_WORDS words) at word offset `recordAt` for the guest, or counts it as lost there.
   * Context: the interrupt thread, with a master's lock held for reading: must not attach, and not wait for one who does.
   * @returns 0, or negative errno: EOPNOTSUPP when the vIOMMU has no queue of this kind. @see Linux iommufd_viommu_report_event() */
  reportEvent(vsmmu: number, recordAt: number): number;
}
