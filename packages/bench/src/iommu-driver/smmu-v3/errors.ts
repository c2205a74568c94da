import { ERRNO, type ErrnoName, IommuError } from '@faultline/core/errors';

const NAMES: ReadonlyMap<number, ErrnoName> = new Map(
  (Object.entries(ERRNO) as [ErrnoName, number][]).map(([name, number]) => [number, name]),
);

/** Throws what a call of hw's returned as a negative errno; anything else it hands on. */
export function orThrow(result: number, call: string, field: string, value: unknown, why: string): number {
  if (result >= 0) return result;
  throw new IommuError(NAMES.get(-result) ?? 'EIO', call, field, value, why);
}
