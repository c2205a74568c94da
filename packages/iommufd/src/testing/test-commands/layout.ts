// The test command: one request number, a struct of 72 bytes for each operation. `id` is what the operation is about.
// @see Linux drivers/iommu/iommufd/iommufd_test.h

/** As it comes in: what the union holds is known once the operation is. */
export const TEST_CMD = {
  name: 'TEST_CMD',
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    word0: ['u64', 16, 'inout'],
    word1: ['u64', 24, 'inout'],
    word2: ['u64', 32, 'inout'],
    word3: ['u64', 40, 'inout'],
    word4: ['u64', 48, 'inout'],
    word5: ['u64', 56, 'inout'],
  },
} as const;

export const TEST_ADD_RESERVED = {
  name: 'TEST_ADD_RESERVED',
  op: 1,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    start: ['u64', 16, 'in'],
    length: ['u64', 24, 'in'],
  },
} as const;

export const TEST_MOCK_DOMAIN = {
  name: 'TEST_MOCK_DOMAIN',
  op: 2,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    outStdevId: ['u32', 16, 'out'],
    outHwptId: ['u32', 20, 'out'],
    outIdevId: ['u32', 24, 'out'],
  },
} as const;

export const TEST_MD_CHECK_MAP = {
  name: 'TEST_MD_CHECK_MAP',
  op: 3,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    iova: ['u64', 16, 'in'],
    length: ['u64', 24, 'in'],
    uptr: ['u64', 32, 'in'],
  },
} as const;

export const TEST_MD_CHECK_REFS = {
  name: 'TEST_MD_CHECK_REFS',
  op: 4,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    length: ['u64', 16, 'in'],
    uptr: ['u64', 24, 'in'],
    refs: ['u32', 32, 'in'],
  },
} as const;

export const TEST_CREATE_ACCESS = {
  name: 'TEST_CREATE_ACCESS',
  op: 5,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    outAccessFd: ['u32', 16, 'out'],
    flags: ['u32', 20, 'in'],
  },
} as const;

export const TEST_DESTROY_ACCESS_PAGES = {
  name: 'TEST_DESTROY_ACCESS_PAGES',
  op: 6,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    accessPagesId: ['u32', 16, 'in'],
  },
} as const;

export const TEST_ACCESS_PAGES = {
  name: 'TEST_ACCESS_PAGES',
  op: 7,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    flags: ['u32', 16, 'in'],
    outAccessPagesId: ['u32', 20, 'out'],
    iova: ['u64', 24, 'in'],
    length: ['u64', 32, 'in'],
    uptr: ['u64', 40, 'in'],
  },
} as const;

export const TEST_ACCESS_RW = {
  name: 'TEST_ACCESS_RW',
  op: 8,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    iova: ['u64', 16, 'in'],
    length: ['u64', 24, 'in'],
    uptr: ['u64', 32, 'in'],
    flags: ['u32', 40, 'in'],
  },
} as const;

export const TEST_SET_TEMP_MEMORY_LIMIT = {
  name: 'TEST_SET_TEMP_MEMORY_LIMIT',
  op: 9,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    limit: ['u32', 16, 'in'],
  },
} as const;

export const TEST_MOCK_DOMAIN_REPLACE = {
  name: 'TEST_MOCK_DOMAIN_REPLACE',
  op: 10,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    ptId: ['u32', 16, 'inout'],
  },
} as const;

export const TEST_ACCESS_REPLACE_IOAS = {
  name: 'TEST_ACCESS_REPLACE_IOAS',
  op: 11,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    ioasId: ['u32', 16, 'in'],
  },
} as const;

export const TEST_MOCK_DOMAIN_FLAGS = {
  name: 'TEST_MOCK_DOMAIN_FLAGS',
  op: 12,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    outStdevId: ['u32', 16, 'out'],
    outHwptId: ['u32', 20, 'out'],
    outIdevId: ['u32', 24, 'out'],
    devFlags: ['u32', 28, 'in'],
  },
} as const;

export const TEST_DIRTY = {
  name: 'TEST_DIRTY',
  op: 13,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    flags: ['u32', 16, 'in'],
    iova: ['u64', 24, 'in'],
    length: ['u64', 32, 'in'],
    pageSize: ['u64', 40, 'in'],
    uptr: ['u64', 48, 'in'],
    outNrDirty: ['u64', 56, 'out'],
  },
} as const;

export const TEST_MD_CHECK_IOTLB = {
  name: 'TEST_MD_CHECK_IOTLB',
  op: 14,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    iotlbId: ['u32', 16, 'in'],
    iotlb: ['u32', 20, 'in'],
  },
} as const;

export const TEST_TRIGGER_IOPF = {
  name: 'TEST_TRIGGER_IOPF',
  op: 15,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    devId: ['u32', 16, 'in'],
    pasid: ['u32', 20, 'in'],
    grpid: ['u32', 24, 'in'],
    perm: ['u32', 28, 'in'],
    addr: ['u64', 32, 'in'],
  },
} as const;

export const TEST_DEV_CHECK_CACHE = {
  name: 'TEST_DEV_CHECK_CACHE',
  op: 16,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    cacheId: ['u32', 16, 'in'],
    cache: ['u32', 20, 'in'],
  },
} as const;

export const TEST_TRIGGER_VEVENT = {
  name: 'TEST_TRIGGER_VEVENT',
  op: 17,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    devId: ['u32', 16, 'in'],
  },
} as const;

export const TEST_PASID_ATTACH = {
  name: 'TEST_PASID_ATTACH',
  op: 18,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    pasid: ['u32', 16, 'in'],
    ptId: ['u32', 20, 'in'],
  },
} as const;

export const TEST_PASID_REPLACE = {
  name: 'TEST_PASID_REPLACE',
  op: 19,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    pasid: ['u32', 16, 'in'],
    ptId: ['u32', 20, 'in'],
  },
} as const;

export const TEST_PASID_DETACH = {
  name: 'TEST_PASID_DETACH',
  op: 20,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    pasid: ['u32', 16, 'in'],
  },
} as const;

export const TEST_PASID_CHECK_HWPT = {
  name: 'TEST_PASID_CHECK_HWPT',
  op: 21,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    id: ['u32', 8, 'in'],
    pasid: ['u32', 16, 'in'],
    hwptId: ['u32', 20, 'in'],
  },
} as const;

export const TEST_DMABUF_GET = {
  name: 'TEST_DMABUF_GET',
  op: 22,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    length: ['u32', 16, 'in'],
    openFlags: ['u32', 20, 'in'],
  },
} as const;

export const TEST_DMABUF_REVOKE = {
  name: 'TEST_DMABUF_REVOKE',
  op: 23,
  nr: 0xa0,
  minBytes: 68,
  bytes: 72,
  fields: {
    op: ['u32', 4, 'in'],
    dmabufFd: ['i32', 16, 'in'],
    revoked: ['u32', 20, 'in'],
  },
} as const;
