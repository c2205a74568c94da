import type { Words } from '@faultline/core/sync';

const LOOK_MS = 50;

/** Resolves once `isTrue` of the word at `at`. Context: an event loop. @returns false when `signal` was aborted before. */
export async function waitWord(
  words: Words,
  at: number,
  isTrue: (value: number) => boolean,
  signal?: AbortSignal,
): Promise<boolean> {
  for (;;) {
    const seen = Atomics.load(words, at);
    if (isTrue(seen)) return true;
    if (signal?.aborted === true) return false;
    const wait = Atomics.waitAsync(words, at, seen, LOOK_MS);
    if (wait.async) await wait.value;
  }
}
