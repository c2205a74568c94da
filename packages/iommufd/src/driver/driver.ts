// What iommufd needs of an IOMMU's driver. It knows none: a driver is handed in, one instance a thread, over shared state of its own.
// Domains are numbered by core's domain table: the same number names a domain to the core, to iommufd and to its driver.
import type { DirtySink } from './dirty-sink.ts';

/** What stays as it is while a device exists. */
export interface DeviceTraits {
  /** Number of the IOMMU it is behind. */
  readonly iommu: number;
  /** Number of its group, from 1: devices that cannot be told apart are attached together. */
  readonly group: number;
  /** Its accesses are coherent with the processors' caches: bind refuses others. */
  readonly coherent: boolean;
  /** Its interrupts cannot reach another owner's. */
  readonly isolated: boolean;
  /** A virtual function with PRI: its faults cannot be told from its siblings'. */
  readonly priVirtualFunction: boolean;
  /** log2 of the PASIDs that it may have, 0: none. */
  readonly maxPasidLog2: number;
  /** HW_CAP_*. */
  readonly capabilities: number;
}

/** First and last byte, both included. */
export interface IovaRange {
  readonly start: bigint;
  readonly last: bigint;
}

export interface HwInfo {
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** What page tables of a domain can do. */
export interface DomainGeometry {
  readonly aperture: IovaRange;
  /** Sizes of a page, one bit each: 2^12 for 4 KiB. What is mapped is a multiple of the smallest. @see Linux struct iommu_domain pgsize_bitmap */
  readonly pageSizes: bigint;
}

/** Data that a caller gave for a domain or a vIOMMU: not looked at yet. */
export interface DriverData {
  readonly type: number;
  readonly length: number;
  /** Copies at most `into.length` bytes. @throws IommuError EFAULT */
  read(into: Uint8Array): void;
  /** For structs with outputs. @throws IommuError EFAULT */
  write(from: Uint8Array): void;
}

/** An array of entries of a caller's, for an invalidation. */
export interface DriverEntries {
  readonly type: number;
  readonly entryBytes: number;
  readonly count: number;
  /** Copies entry `index`. @throws IommuError EFAULT, E2BIG */
  read(index: number, into: Uint8Array): void;
  /** Says how many are done: written back whatever comes after. */
  done(count: number): void;
}

/** What of a vIOMMU's can be mapped by user space. */
export interface MmapRegions {
  /** Offers one region, whole pages that are physically contiguous, for as long as the vIOMMU lives. @returns the offset that names it in
   * mmap. @throws IommuError ENOMEM */
  offer(physical: number, bytes: number): bigint;
}

/** The devices of a vIOMMU by the numbers that its machine knows them by. */
export interface VirtualDevices {
  /** Runs `body` with the device of a number, which stays until that returns. @returns false: there is none. */
  withDevice(virtId: bigint, body: (device: number) => void): boolean;
}

/** All calls throw IommuError: EINVAL, EOPNOTSUPP and others as the operation says. Context: as named, in the lock order. */
export interface IommufdDriver {
  /** @throws IommuError ENODEV no such device. */
  traits(device: number): DeviceTraits;
  /** Ranges that no mapping may meet while the device is attached. */
  reservedRanges(device: number): readonly IovaRange[];
  /** @param type 0: the IOMMU's own. @throws IommuError EOPNOTSUPP a type that it has not. */
  hwInfo(device: number, type: number): HwInfo | undefined;

  /** Readies a domain whose number the core gave out. @param flags HWPT_ALLOC_*. */
  allocPaging(domain: number, device: number, flags: number, data: DriverData | undefined): DomainGeometry;
  /** @param parent the nesting parent's domain. @param viommu number of the vIOMMU that it is made on, 0: on the parent itself. */
  allocNested(domain: number, device: number, parent: number, viommu: number, flags: number, data: DriverData): void;
  freeDomain(domain: number): void;

  /** Whether a nested domain that was made on a vIOMMU goes to devices alone that have a vdevice there: what translates nothing may not need a
   * name for its faults. Left out: every one does. */
  needsVdevice?(domain: number): boolean;

  /** Has the hardware translate the device's PASID (0: no PASID) by the domain, in place of `old`, 0 for none. The core's attach handle
   * is stored by the caller. Context: the group's lock. On failure the old domain stays. */
  attach(device: number, pasid: number, domain: number, old: number): void;
  /** Nothing is translated afterwards, and no access by the domain is under way. Context: the group's lock. Cannot fail. */
  detach(device: number, pasid: number, domain: number): void;

  /** Maps pages that are physically contiguous. @param prot IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE. @throws IommuError ENOMEM, with nothing
   * of this call left mapped. Context: the IOAS's domains lock. */
  map(domain: number, iova: bigint, physical: number, bytes: number, prot: number): void;
  /** Unmaps exactly what was mapped; {@link syncUnmaps} ends a batch. */
  unmap(domain: number, iova: bigint, bytes: bigint): void;
  /** From here on nothing that was unmapped is reached by a device. */
  syncUnmaps(domain: number): void;
  /** Physical address, or -1. */
  iovaToPhys(domain: number, iova: bigint): number;

  /** @throws IommuError EOPNOTSUPP */
  setDirtyTracking(domain: number, enable: boolean): void;
  /** Reports what is dirty of a mapped range, and cleans it unless `keep`. No sink: only cleans. Takes no lock against map and unmap. */
  readDirty(domain: number, iova: bigint, bytes: bigint, keep: boolean, sink: DirtySink | undefined): void;
  /** Ends a batch of {@link readDirty} that cleaned. */
  syncDirty(domain: number): void;

  /** Invalidates what a guest asks for: of a nested domain. */
  invalidateDomain(domain: number, entries: DriverEntries): void;

  /** Whether the device's IOMMU makes vIOMMUs of a type. */
  hasViommu(device: number, type: number): boolean;
  /** @param parent the nesting parent's domain. Its outputs are written to `data`. @throws IommuError EINVAL data, EFAULT, ENOMEM */
  allocViommu(
    viommu: number,
    device: number,
    type: number,
    parent: number,
    data: DriverData | undefined,
    regions: MmapRegions,
  ): void;
  freeViommu(viommu: number): void;
  invalidateViommu(viommu: number, entries: DriverEntries, devices: VirtualDevices): void;
  /** The number finds the device once this has returned. Context: the group's lock. */
  allocVdevice(viommu: number, device: number, virtId: bigint): void;
  /** The number does not find the device any more. Context: the group's lock. */
  freeVdevice(viommu: number, device: number, virtId: bigint): void;
  /** Whether the vIOMMU has hardware queues of a type. */
  hasHwQueue(viommu: number, type: number): boolean;
  /** Context: the vIOMMU's lock. @returns index of the queue that this one depends on, -1 for none.
   * @throws IommuError EINVAL index, EEXIST, EIO one that it needs is missing */
  allocHwQueue(viommu: number, type: number, index: number, iova: bigint, physical: number, bytes: bigint): number;
  /** Context: the vIOMMU's lock. */
  freeHwQueue(viommu: number, index: number): void;
}
