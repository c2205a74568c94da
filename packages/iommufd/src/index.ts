export { createAccess, destroyAccess } from './access/index.ts';
export type { Caller, MappableFile, UserMemory } from './caller/index.ts';
export { destroy } from './context/destroy.ts';
export { openFiles } from './context/files.ts';
export { type Command, Context, callCommand, openContext } from './context/index.ts';
export { attachDevice, bindDevice, detachDevice, replaceDevice, unbindDevice } from './device/index.ts';
export type {
  DeviceTraits,
  DirtySink,
  DomainGeometry,
  DriverData,
  DriverEntries,
  HwInfo,
  IommufdDriver,
  IovaRange,
} from './driver/index.ts';
export { faultQueueAlloc } from './fault-queue/alloc.ts';
export { CookieTable } from './fault-queue/cookie-table.ts';
export * from './fault-queue/index.ts';
export { EventFile } from './files/event-file.ts';
export { FaultFile } from './files/fault-file.ts';
export { FILE_REFS, FILE_WORDS, FileTable } from './files/index.ts';
export * from './files/streams/index.ts';
export { hwptAlloc } from './hwpt/alloc.ts';
export { ioasAlloc } from './ioas/alloc.ts';
export { ioasMap } from './ioas/map-commands.ts';
export { Iommufd } from './iommufd.ts';
export * from './iommufd-inputs.ts';
export { type IommufdConfig, initIommufd, iommufdConfig, iommufdRegions, Machine } from './machine/index.ts';
export { FailPoint, RecordPool } from './memory/index.ts';
export * from './objects/index.ts';
export * from './uapi/index.ts';
export { EventQueue, reportEvent, veventqAlloc } from './veventq/index.ts';
export { hwQueueAlloc, vdeviceAlloc, viommuAlloc } from './viommu/index.ts';
