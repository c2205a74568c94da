// The device's side of a fence, in one word: once blocked, the hardware terminates what faults instead of recording it.
import type { Context, Region } from '@faultline/bench/explore';

export const HARDWARE: Region = { name: 'hardware', words: 1, fields: { BLOCKED: 0 } };

export function blockDevice({ words, at }: Context): void {
  Atomics.store(words, at('hardware'), 1);
}

/** Looked at inside the reporting thread's read section: a grace period after {@link blockDevice} ends when what it saw is reported. */
export function isBlocked({ words, at }: Context): boolean {
  return Atomics.load(words, at('hardware')) === 1;
}
