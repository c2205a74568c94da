export { checkInteger, checkPowerOfTwo } from './check.ts';
export { ERRNO, type ErrnoName } from './errno.ts';
export { IommuError } from './iommu-error.ts';
