import { IommuError } from './iommu-error.ts';

/** @throws IommuError EINVAL unless `value` is a whole number in [min, max]. */
export function checkInteger(call: string, field: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new IommuError('EINVAL', call, field, value, `must be a whole number from ${min} to ${max}`);
  return value;
}

/** @throws IommuError EINVAL unless `value` is a power of two in [min, max]. */
export function checkPowerOfTwo(call: string, field: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max || (value & (value - 1)) !== 0)
    throw new IommuError('EINVAL', call, field, value, `must be a power of two from ${min} to ${max}`);
  return value;
}
