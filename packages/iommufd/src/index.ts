export { type ErrnoName, IommuError } from '@faultline/core/errors';
export {
  FAULT_FLAG_LAST_PAGE,
  FAULT_FLAG_PASID_VALID,
  FAULT_PERM_EXEC,
  FAULT_PERM_PRIV,
  FAULT_PERM_READ,
  FAULT_PERM_WRITE,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
  type ResponseCode,
} from '@faultline/core/iopf';
export {
  type AccessRange,
  type AccessSpec,
  accessBytes,
  attachAccess,
  createAccess,
  destroyAccess,
  detachAccess,
  pinAccess,
  replaceAccess,
  unpinAccess,
} from './access/index.ts';
export {
  ACCOUNT_NONE,
  ACCOUNT_PROCESS,
  ACCOUNT_USER,
  type Account,
  type Caller,
  initPhysicalMemory,
  type MappableFile,
  PAGE_BYTES,
  PhysicalMemory,
  PIN_FAULT,
  PIN_NO_MEMORY,
  physicalMemoryWords,
  type UserMemory,
} from './caller/index.ts';
export * from './compat/index.ts';
export { destroy } from './context/destroy.ts';
export { openFiles } from './context/files.ts';
export {
  type AnyCommand,
  COMMANDS,
  type Command,
  Context,
  callCommand,
  Dispatcher,
  openContext,
} from './context/index.ts';
export { attachDevice, bindDevice, detachDevice, replaceDevice, unbindDevice } from './device/index.ts';
export * from './driver/index.ts';
export { faultQueueAlloc } from './fault-queue/alloc.ts';
export { CookieTable } from './fault-queue/cookie-table.ts';
export * from './fault-queue/index.ts';
export { EventFile } from './files/event-file.ts';
export { FaultFile } from './files/fault-file.ts';
export { FILE_REFS, FILE_WORDS, FileTable } from './files/index.ts';
export * from './files/streams/index.ts';
export { hwptAlloc } from './hwpt/alloc.ts';
export { ioasAlloc } from './ioas/alloc.ts';
export { ioasMap, ioasUnmap } from './ioas/map-commands.ts';
export { Iommufd } from './iommufd.ts';
export * from './iommufd-inputs.ts';
export { type IommufdConfig, initIommufd, iommufdConfig, iommufdRegions, Machine } from './machine/index.ts';
export { FailPoint, RecordPool } from './memory/index.ts';
export * from './objects/index.ts';
export * from './uapi/index.ts';
export { EventQueue, reportEvent, veventqAlloc } from './veventq/index.ts';
export {
  hwQueueAlloc,
  type MappedRegion,
  MMAP_EXEC,
  MMAP_SHARED,
  mmapRegion,
  unmapRegion,
  vdeviceAlloc,
  viommuAlloc,
} from './viommu/index.ts';
