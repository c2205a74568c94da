/** What each code means, once, for every package. Numbers are Linux's (asm-generic). */
export const ERRNO = {
  /** No such object: an id, PASID or index that names nothing. */
  ENOENT: 2,
  /** Would block: nothing to take now. */
  EAGAIN: 11,
  /** A fixed-size pool (slab, ring, index space) is used up. */
  ENOMEM: 12,
  /** Memory handed in cannot be reached. */
  EFAULT: 14,
  /** In use, or taken already. */
  EBUSY: 16,
  /** No such device, or it lacks what the call needs. */
  ENODEV: 19,
  /** A value outside its range, or a call in the wrong state. */
  EINVAL: 22,
  /** A fixed table is full. */
  ENOSPC: 28,
  /** The other side is gone: a thread or host that died. */
  EPIPE: 32,
  /** A number does not fit. */
  EOVERFLOW: 75,
  /** The operation is not offered here. */
  EOPNOTSUPP: 95,
  /** Waited for longer than agreed. */
  ETIMEDOUT: 110,
} as const;

export type ErrnoName = keyof typeof ERRNO;
