import { IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import { PRI_CREDITS, PRI_DROPPED, PRI_REQUEST_SLOTS } from './pri-port.layout.ts';

/** No record. Offset 0 is never one. */
export const NO_RECORD = 0;

/** Responses and invalidations that found no room since the start. */
export function priPortDropped(words: Words, base: number): number {
  return Atomics.load(words, base + PRI_DROPPED) >>> 0;
}

/** @throws IommuError EINVAL where no port was laid out. */
export function checkPort(call: string, words: Words, base: number): void {
  if (words[base + PRI_REQUEST_SLOTS] === 0 || words[base + PRI_CREDITS] === 0)
    throw new IommuError('EINVAL', call, 'base', base, 'no PRI port was laid out here');
}
