// Every ioctl of /dev/iommu: number, sizes and fields. `min` is the smallest size that is accepted.
// A reserved field that the kernel does not look at is left out: it may hold anything.
// @see Linux include/uapi/linux/iommufd.h

/** Type character of all requests: `;`. */
export const IOMMUFD_TYPE = 0x3b;
/** Numbers below are the legacy VFIO container's. */
export const CMD_BASE = 0x80;

export const DESTROY = {
  name: 'DESTROY',
  nr: 0x80,
  minBytes: 8,
  bytes: 8,
  fields: { id: ['u32', 4, 'in'] },
} as const;
export const IOAS_ALLOC = {
  name: 'IOAS_ALLOC',
  nr: 0x81,
  minBytes: 12,
  bytes: 12,
  fields: { flags: ['u32', 4, 'in'], outIoasId: ['u32', 8, 'out'] },
} as const;
export const IOAS_ALLOW_IOVAS = {
  name: 'IOAS_ALLOW_IOVAS',
  nr: 0x82,
  minBytes: 24,
  bytes: 24,
  fields: {
    ioasId: ['u32', 4, 'in'],
    numIovas: ['u32', 8, 'in'],
    reserved: ['u32', 12, 'reserved'],
    allowedIovas: ['u64', 16, 'in'],
  },
} as const;
export const IOAS_COPY = {
  name: 'IOAS_COPY',
  nr: 0x83,
  minBytes: 40,
  bytes: 40,
  fields: {
    flags: ['u32', 4, 'in'],
    dstIoasId: ['u32', 8, 'in'],
    srcIoasId: ['u32', 12, 'in'],
    length: ['u64', 16, 'in'],
    dstIova: ['u64', 24, 'inout'],
    srcIova: ['u64', 32, 'in'],
  },
} as const;
export const IOAS_IOVA_RANGES = {
  name: 'IOAS_IOVA_RANGES',
  nr: 0x84,
  minBytes: 32,
  bytes: 32,
  fields: {
    ioasId: ['u32', 4, 'in'],
    numIovas: ['u32', 8, 'inout'],
    reserved: ['u32', 12, 'reserved'],
    allowedIovas: ['u64', 16, 'in'],
    outIovaAlignment: ['u64', 24, 'out'],
  },
} as const;
export const IOAS_MAP = {
  name: 'IOAS_MAP',
  nr: 0x85,
  minBytes: 40,
  bytes: 40,
  fields: {
    flags: ['u32', 4, 'in'],
    ioasId: ['u32', 8, 'in'],
    reserved: ['u32', 12, 'reserved'],
    userVa: ['u64', 16, 'in'],
    length: ['u64', 24, 'in'],
    iova: ['u64', 32, 'inout'],
  },
} as const;
export const IOAS_UNMAP = {
  name: 'IOAS_UNMAP',
  nr: 0x86,
  minBytes: 24,
  bytes: 24,
  fields: {
    ioasId: ['u32', 4, 'in'],
    iova: ['u64', 8, 'in'],
    length: ['u64', 16, 'inout'],
  },
} as const;
export const OPTION = {
  name: 'OPTION',
  nr: 0x87,
  minBytes: 24,
  bytes: 24,
  fields: {
    optionId: ['u32', 4, 'in'],
    op: ['u16', 8, 'in'],
    reserved: ['u16', 10, 'reserved'],
    objectId: ['u32', 12, 'in'],
    val64: ['u64', 16, 'inout'],
  },
} as const;
export const VFIO_IOAS = {
  name: 'VFIO_IOAS',
  nr: 0x88,
  minBytes: 12,
  bytes: 12,
  fields: {
    ioasId: ['u32', 4, 'inout'],
    op: ['u16', 8, 'in'],
    reserved: ['u16', 10, 'reserved'],
  },
} as const;
export const HWPT_ALLOC = {
  name: 'HWPT_ALLOC',
  nr: 0x89,
  minBytes: 24,
  bytes: 48,
  fields: {
    flags: ['u32', 4, 'in'],
    devId: ['u32', 8, 'in'],
    ptId: ['u32', 12, 'in'],
    outHwptId: ['u32', 16, 'out'],
    reserved: ['u32', 20, 'reserved'],
    dataType: ['u32', 24, 'in'],
    dataLen: ['u32', 28, 'in'],
    dataUptr: ['u64', 32, 'in'],
    faultId: ['u32', 40, 'in'],
  },
} as const;
export const GET_HW_INFO = {
  name: 'GET_HW_INFO',
  nr: 0x8a,
  minBytes: 32,
  bytes: 40,
  fields: {
    flags: ['u32', 4, 'in'],
    devId: ['u32', 8, 'in'],
    dataLen: ['u32', 12, 'inout'],
    dataUptr: ['u64', 16, 'in'],
    /** In: the type asked for, with flag INPUT_TYPE. Out: the type answered. */
    dataType: ['u32', 24, 'inout'],
    outMaxPasidLog2: ['u8', 28, 'out'],
    reserved0: ['u8', 29, 'reserved'],
    reserved1: ['u8', 30, 'reserved'],
    reserved2: ['u8', 31, 'reserved'],
    outCapabilities: ['u64', 32, 'out'],
  },
} as const;
export const HWPT_SET_DIRTY_TRACKING = {
  name: 'HWPT_SET_DIRTY_TRACKING',
  nr: 0x8b,
  minBytes: 16,
  bytes: 16,
  fields: {
    flags: ['u32', 4, 'in'],
    hwptId: ['u32', 8, 'in'],
  },
} as const;
export const HWPT_GET_DIRTY_BITMAP = {
  name: 'HWPT_GET_DIRTY_BITMAP',
  nr: 0x8c,
  minBytes: 48,
  bytes: 48,
  fields: {
    hwptId: ['u32', 4, 'in'],
    flags: ['u32', 8, 'in'],
    reserved: ['u32', 12, 'reserved'],
    iova: ['u64', 16, 'in'],
    length: ['u64', 24, 'in'],
    pageSize: ['u64', 32, 'in'],
    data: ['u64', 40, 'in'],
  },
} as const;
export const HWPT_INVALIDATE = {
  name: 'HWPT_INVALIDATE',
  nr: 0x8d,
  minBytes: 32,
  bytes: 32,
  fields: {
    hwptId: ['u32', 4, 'in'],
    dataUptr: ['u64', 8, 'in'],
    dataType: ['u32', 16, 'in'],
    entryLen: ['u32', 20, 'in'],
    /** In: entries. Out: entries handled, whatever the result. */
    entryNum: ['u32', 24, 'inout'],
    reserved: ['u32', 28, 'reserved'],
  },
} as const;
export const FAULT_QUEUE_ALLOC = {
  name: 'FAULT_QUEUE_ALLOC',
  nr: 0x8e,
  minBytes: 16,
  bytes: 16,
  fields: {
    flags: ['u32', 4, 'in'],
    outFaultId: ['u32', 8, 'out'],
    outFaultFd: ['u32', 12, 'out'],
  },
} as const;
export const IOAS_MAP_FILE = {
  name: 'IOAS_MAP_FILE',
  nr: 0x8f,
  minBytes: 40,
  bytes: 40,
  fields: {
    flags: ['u32', 4, 'in'],
    ioasId: ['u32', 8, 'in'],
    fd: ['i32', 12, 'in'],
    start: ['u64', 16, 'in'],
    length: ['u64', 24, 'in'],
    iova: ['u64', 32, 'inout'],
  },
} as const;
export const VIOMMU_ALLOC = {
  name: 'VIOMMU_ALLOC',
  nr: 0x90,
  minBytes: 24,
  bytes: 40,
  fields: {
    flags: ['u32', 4, 'in'],
    type: ['u32', 8, 'in'],
    devId: ['u32', 12, 'in'],
    hwptId: ['u32', 16, 'in'],
    outViommuId: ['u32', 20, 'out'],
    dataLen: ['u32', 24, 'in'],
    dataUptr: ['u64', 32, 'in'],
  },
} as const;
export const VDEVICE_ALLOC = {
  name: 'VDEVICE_ALLOC',
  nr: 0x91,
  minBytes: 24,
  bytes: 24,
  fields: {
    viommuId: ['u32', 4, 'in'],
    devId: ['u32', 8, 'in'],
    outVdeviceId: ['u32', 12, 'out'],
    virtId: ['u64', 16, 'in'],
  },
} as const;
export const IOAS_CHANGE_PROCESS = {
  name: 'IOAS_CHANGE_PROCESS',
  nr: 0x92,
  minBytes: 8,
  bytes: 8,
  fields: {
    reserved: ['u32', 4, 'reserved'],
  },
} as const;
export const VEVENTQ_ALLOC = {
  name: 'VEVENTQ_ALLOC',
  nr: 0x93,
  minBytes: 28,
  bytes: 32,
  fields: {
    flags: ['u32', 4, 'in'],
    viommuId: ['u32', 8, 'in'],
    type: ['u32', 12, 'in'],
    veventqDepth: ['u32', 16, 'in'],
    outVeventqId: ['u32', 20, 'out'],
    outVeventqFd: ['u32', 24, 'out'],
    reserved: ['u32', 28, 'reserved'],
  },
} as const;
export const HW_QUEUE_ALLOC = {
  name: 'HW_QUEUE_ALLOC',
  nr: 0x94,
  minBytes: 40,
  bytes: 40,
  fields: {
    flags: ['u32', 4, 'in'],
    viommuId: ['u32', 8, 'in'],
    type: ['u32', 12, 'in'],
    index: ['u32', 16, 'in'],
    outHwQueueId: ['u32', 20, 'out'],
    nestingParentIova: ['u64', 24, 'in'],
    length: ['u64', 32, 'in'],
  },
} as const;
export const IOAS_NOIOMMU_GET_PA = {
  name: 'IOAS_NOIOMMU_GET_PA',
  nr: 0x95,
  minBytes: 40,
  bytes: 40,
  fields: {
    flags: ['u32', 4, 'in'],
    ioasId: ['u32', 8, 'in'],
    reserved: ['u32', 12, 'reserved'],
    iova: ['u64', 16, 'in'],
    length: ['u64', 24, 'inout'],
    outPhys: ['u64', 32, 'out'],
  },
} as const;
