import { IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import type { VtdOps } from './vtd-ops.ts';

/** Where a procedure waits: until the word differs from what was seen, for a while at most, or for a promise. */
export type Waiting = { readonly at: number; readonly seen: number } | Promise<unknown>;
/** A procedure of the driver: whoever runs it waits where it says so. */
export type Procedure<T = void> = Generator<Waiting, T, void>;

/** Publishes the batch, and is over when that is. @throws IommuError as VtdOps.isOver */
export function* syncSteps(words: Words, ops: VtdOps, drain: boolean = false): Procedure {
  ops.begin(drain);
  for (;;) {
    const seen = Atomics.load(words, ops.statusAt);
    if (ops.isOver()) return;
    yield { at: ops.statusAt, seen };
  }
}

/** {@link syncSteps}, but a device that does not complete its invalidations is no error: the unit's own caches are empty all the same.
 * @returns whether all of them completed. @throws IommuError EINVAL, ETIMEDOUT a hardware that does not run */
export function* syncPastDevice(words: Words, ops: VtdOps, drain: boolean = false): Procedure<boolean> {
  try {
    yield* syncSteps(words, ops, drain);
    return true;
  } catch (error) {
    if (error instanceof IommuError && error.code === 'ETIMEDOUT' && error.field === 'rid') return false;
    throw error;
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
