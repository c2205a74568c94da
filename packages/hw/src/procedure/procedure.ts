import { IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';

/** Where a procedure waits: until the word at `at` differs from `seen`, for a while at most, or for a promise. */
export type Waiting = { readonly at: number; readonly seen: number } | Promise<unknown>;

/** What a driver does with waits in between, as a generator: an event loop awaits what a thread with nothing else to do steps through. */
export type Procedure<T = void> = Generator<Waiting, T, void>;

const SLICE_MS = 20; // procedures look for errors between two waits, and errors change no word that is waited on

/** Takes a procedure to its end on a thread with an event loop. */
export async function runProcedure<T>(words: Words, procedure: Procedure<T>): Promise<T> {
  for (;;) {
    const { done, value } = procedure.next();
    if (done === true) return value;
    if (value instanceof Promise) await value;
    else await Atomics.waitAsync(words, value.at, value.seen, SLICE_MS).value;
  }
}

/** Waits for another thread to make a word true. @throws IommuError ETIMEDOUT */
export function* untilWord(
  words: Words,
  call: string,
  at: number,
  isTrue: (value: number) => boolean,
  timeoutMs: number,
): Procedure {
  for (const deadline = performance.now() + timeoutMs; ; ) {
    const seen = Atomics.load(words, at);
    if (isTrue(seen)) return;
    if (performance.now() >= deadline)
      throw new IommuError('ETIMEDOUT', call, 'timeoutMs', timeoutMs, 'the other side did not answer');
    yield { at, seen };
  }
}
