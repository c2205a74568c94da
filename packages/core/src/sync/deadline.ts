import { IommuError } from '../errors/index.ts';

/** The moment `timeoutMs` from now, in performance.now() milliseconds. Infinity stays.
 * @throws IommuError EINVAL unless it is a number from 0. */
export function deadlineAfter(call: string, timeoutMs: number): number {
  checkTimeout(call, timeoutMs);
  return timeoutMs === Infinity ? Infinity : performance.now() + timeoutMs;
}

/** Infinity is a time-out; NaN, which Atomics.wait would take for it, is none. @throws IommuError EINVAL */
export function checkTimeout(call: string, timeoutMs: number): void {
  if (!(timeoutMs >= 0)) throw new IommuError('EINVAL', call, 'timeoutMs', timeoutMs, 'must be a number from 0');
}

/** Milliseconds left until `deadline`, never negative. */
export function remainingMs(deadline: number): number {
  return deadline === Infinity ? Infinity : Math.max(0, deadline - performance.now());
}
