// Something that happens, and somebody who waits for it. Two words, which may stand inside a larger structure.
//
// Ordering.
//   [P] complete: results (of the caller), then DONE   pairs with  [C] wait: DONE, then results
//   [W] complete: DONE, then WAITERS                   pairs with      wait: WAITERS, then DONE (compared inside wait)
import { deadlineAfter, remainingMs } from './deadline.ts';
import type { ThreadSelf, Words } from './thread-self.ts';

const DONE = 0; // completions nobody has taken, or ALL
const WAITERS = 1; // how many may be asleep on DONE
const ALL = 0x7fffffff;

/** Words from `at` on; zero to begin with. */
export function completionWords(): number {
  return 2;
}

/** Starts over: nothing has happened. Nobody waits, and nobody is about to complete. */
export function reinitCompletion(words: Words, at: number): void {
  Atomics.store(words, at + DONE, 0);
}

/** Lets one waiter go, now or later. Never blocks. */
export function complete(words: Words, at: number): void {
  for (let seen = Atomics.load(words, at + DONE); seen !== ALL; ) {
    const found = Atomics.compareExchange(words, at + DONE, seen, seen + 1); // [P]
    if (found === seen) break;
    seen = found;
  }
  if (Atomics.load(words, at + WAITERS) !== 0) Atomics.notify(words, at + DONE, 1); // [W]
}

/** Lets all waiters go, those to come included, until {@link reinitCompletion}. Never blocks. */
export function completeAll(words: Words, at: number): void {
  Atomics.store(words, at + DONE, ALL); // [P]
  if (Atomics.load(words, at + WAITERS) !== 0) Atomics.notify(words, at + DONE); // [W]
}

/** Takes a completion if there is one. Never blocks. */
export function tryWaitForCompletion(words: Words, at: number): boolean {
  for (let seen = Atomics.load(words, at + DONE); seen !== 0; ) {
    // [C]
    if (seen === ALL) return true;
    const found = Atomics.compareExchange(words, at + DONE, seen, seen - 1);
    if (found === seen) return true;
    seen = found;
  }
  return false;
}

/** Waits for a completion and takes it. Context: may block. @returns false when `timeoutMs` passed first; Infinity waits for ever.
 * @throws IommuError EINVAL timeoutMs. */
export function waitForCompletion(words: Words, at: number, self: ThreadSelf, timeoutMs: number): boolean {
  const deadline = deadlineAfter('waitForCompletion', timeoutMs);
  for (let spin = 0; spin <= self.spins; spin++) if (tryWaitForCompletion(words, at)) return true;
  Atomics.add(words, at + WAITERS, 1); // [W]
  let taken = tryWaitForCompletion(words, at);
  for (let leftMs = remainingMs(deadline); !taken && leftMs > 0; leftMs = remainingMs(deadline)) {
    Atomics.wait(words, at + DONE, 0, leftMs);
    taken = tryWaitForCompletion(words, at);
  }
  Atomics.sub(words, at + WAITERS, 1);
  return taken;
}

/** As {@link waitForCompletion} without a limit, for event loops. Keeps no process alive by itself. */
export async function waitForCompletionAsync(words: Words, at: number): Promise<void> {
  Atomics.add(words, at + WAITERS, 1); // [W]
  while (!tryWaitForCompletion(words, at)) {
    const wait = Atomics.waitAsync(words, at + DONE, 0);
    if (wait.async) await wait.value;
  }
  Atomics.sub(words, at + WAITERS, 1);
}
