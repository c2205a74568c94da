import { IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import type { Procedure } from '@faultline/hw/vtd';

const SLICE_MS = 20; // procedures look for errors between two waits, and errors change no word that is waited on

/** Takes a procedure of hw's to its end on a thread that may block. @param between where hardware and devices run on this very thread:
 * runs them for a while, in place of waiting for them.
 * @throws IommuError EDEADLK the procedure waits for a promise, which needs the event loop that is blocked; and what it throws. */
export function runBlocking<T>(words: Words, procedure: Procedure<T>, between?: () => void): T {
  for (;;) {
    const { done, value } = procedure.next();
    if (done === true) return value;
    if (value instanceof Promise)
      throw new IommuError('EDEADLK', 'runBlocking', 'procedure', 'a promise', 'nothing settles it on this thread');
    if (between === undefined) Atomics.wait(words, value.at, value.seen, SLICE_MS);
    else between();
  }
}
