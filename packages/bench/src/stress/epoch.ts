import type { Words } from '@faultline/core/sync';

/** The clock's zero, from its two words. */
export function epochOf(words: Words, at: number): bigint {
  return (BigInt(words[at + 1] >>> 0) << 32n) | BigInt(words[at] >>> 0);
}
