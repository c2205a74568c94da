import type { Words } from '@faultline/core/sync';
import type { DeviceCaches } from './family.ts';

/** How long a thread with nothing to serve sleeps before it looks at the word again: that one's change rings no doorbell of its. */
const LOOK_MS = 0.5;

/** One turn of waiting for a word to change: the thread's own endpoints go on, as what it waits for may be their completion; with nothing
 * to do for them it sleeps a little. Context: blocks. */
export function serveWhile(words: Words, at: number, seen: number, { own, wake }: DeviceCaches): void {
  if (own.pump() !== 0) return;
  wake.sleep(() => Atomics.load(words, at) !== seen || own.hasWork(), LOOK_MS);
}
