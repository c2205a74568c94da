import type { Words } from '@faultline/core/sync';

/** Where a procedure waits: until the word at `at` differs from `seen`, or for a while. */
export interface Waiting {
  readonly at: number;
  readonly seen: number;
}

/** What a driver does with waits in between, as a generator: an event loop awaits what a thread with nothing else to do steps through. */
export type Procedure<T = void> = Generator<Waiting, T, void>;

const SLICE_MS = 20;

/** Takes a procedure to its end on a thread with an event loop. */
export async function runProcedure<T>(words: Words, procedure: Procedure<T>): Promise<T> {
  for (;;) {
    const { done, value } = procedure.next();
    if (done === true) return value;
    await Atomics.waitAsync(words, value.at, value.seen, SLICE_MS).value;
  }
}
