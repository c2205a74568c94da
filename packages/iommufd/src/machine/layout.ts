import { LINE } from '@faultline/core/sync';

// Context: one open /dev/iommu. Offsets in words.
//
//   name         offset  guarded by   meaning
//   STATE        0       atomic       CONTEXT_*
//   REFS         1       atomic       files that keep it: /dev/iommu itself, fault and event files, accesses
//   RLIMIT_MODE  2       atomic       OPTION_RLIMIT_MODE: 1 charges the process rather than the user
//   COMPAT_IOAS  3       LOCK         object index of the IOAS that legacy VFIO calls mean, 0 for none
//   LOCK         4       atomic       mutex: COMPAT_IOAS, REGIONS
//   REGIONS      5       LOCK         first vIOMMU that has an mmap region (objects)
//   CHANGE_LOCK  6       atomic       mutex: who changes the process that is charged
export const CONTEXT_STATE = 0;
export const CONTEXT_REFS = 1;
export const CONTEXT_RLIMIT_MODE = 2;
export const CONTEXT_COMPAT_IOAS = 3;
export const CONTEXT_LOCK = 4;
export const CONTEXT_REGIONS = 5;
export const CONTEXT_CHANGE_LOCK = 6;
export const CONTEXT_WORDS: number = LINE;

export const CONTEXT_FREE = 0;
export const CONTEXT_LIVE = 1;

// Group: devices that are attached together, by the number that the driver gives. Offsets in words.
//
//   name         offset  guarded by   meaning
//   LOCK         0       atomic       mutex: the group's words, its devices' attachments; outermost of all locks (LOCKS.md)
//   CONTEXT      1       LOCK         who owns it, 0 for nobody
//   DEVICES      2       LOCK         bound devices
//   ATTACHMENTS  3       LOCK         first of its attachments, one for each PASID in use
export const GROUP_LOCK = 0;
export const GROUP_CONTEXT = 1;
export const GROUP_DEVICES = 2;
export const GROUP_ATTACHMENTS = 3;
export const GROUP_WORDS: number = LINE;
