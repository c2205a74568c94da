import { ERRNO } from '@faultline/core/errors';

// What a guest or its owner can bring about is a number, 0 or a negative errno, as it becomes the result of their call;
// what only a mistake of the caller's can bring about is thrown.

/** No such vSMMU, domain, or vdevice where one is needed. */
export const ENOENT: number = ERRNO.ENOENT;
/** A guest's command or stream table entry that is not let through. */
export const EIO = 5;
/** In use. */
export const EBUSY: number = ERRNO.EBUSY;
/** The device has a vdevice, the virtual id is taken, the queue is there. */
export const EEXIST = 17;
export const EINVAL: number = ERRNO.EINVAL;
/** Every entry of a table is in use. */
export const ENOSPC: number = ERRNO.ENOSPC;
/** Nobody takes such an event. */
export const EOPNOTSUPP: number = ERRNO.EOPNOTSUPP;
/** The hardware did not answer. */
export const ETIMEDOUT: number = ERRNO.ETIMEDOUT;
