/** What each code means, once, for every package. Numbers are Linux's (asm-generic). */
export const ERRNO = {
  /** Not allowed to this caller. */
  EPERM: 1,
  /** No such object: an id, PASID or index that names nothing. */
  ENOENT: 2,
  /** Hardware or its driver refused. */
  EIO: 5,
  /** Addressed to nothing: no size, device or place that fits. */
  ENXIO: 6,
  /** More bytes than this version knows, and not all zero. */
  E2BIG: 7,
  /** The file is closed, or not of that kind. */
  EBADF: 9,
  /** Would block: nothing to take now. */
  EAGAIN: 11,
  /** A fixed-size pool (slab, ring, index space) is used up. */
  ENOMEM: 12,
  /** The mapping does not grant it. */
  EACCES: 13,
  /** Memory handed in cannot be reached. */
  EFAULT: 14,
  /** In use, or taken already. */
  EBUSY: 16,
  /** It exists already. */
  EEXIST: 17,
  /** No such device, or it lacks what the call needs. */
  ENODEV: 19,
  /** A value outside its range, or a call in the wrong state. */
  EINVAL: 22,
  /** No file descriptor is left. */
  EMFILE: 24,
  /** No such operation: an unknown ioctl number. */
  ENOTTY: 25,
  /** A fixed table is full. */
  ENOSPC: 28,
  /** The file has no position to read from. */
  ESPIPE: 29,
  /** The other side is gone: a thread or host that died. */
  EPIPE: 32,
  /** Wider than the format can say. */
  ERANGE: 34,
  /** Others did not let go, however often they were asked. */
  EDEADLK: 35,
  /** What is there is not what was expected. */
  EBADE: 52,
  /** A number does not fit. */
  EOVERFLOW: 75,
  /** A file of another kind. */
  EBADFD: 77,
  /** More entries than the caller has room for. */
  EMSGSIZE: 90,
  /** The operation is not offered here. */
  EOPNOTSUPP: 95,
  /** That address range is taken. */
  EADDRINUSE: 98,
  /** Waited for longer than agreed. */
  ETIMEDOUT: 110,
} as const;

export type ErrnoName = keyof typeof ERRNO;
