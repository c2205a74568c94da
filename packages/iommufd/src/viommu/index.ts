export { endHwQueue, hwQueueAlloc } from './hw-queue.ts';
export { type MappedRegion, MMAP_EXEC, MMAP_SHARED, mmapRegion, unmapRegion } from './mmap.ts';
export { endVdevice, vdeviceAlloc, virtualDevices } from './vdevice.ts';
export { endViommu, viommuAlloc } from './viommu.ts';
