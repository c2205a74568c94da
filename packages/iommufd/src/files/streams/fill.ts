import type { Readable } from 'node:stream';
import type { OpenFile } from './open-file.ts';

/** One `_read` of a stream over a file: pushes what `take` gives as soon as there is some, or the end when the file is closed.
 * @param take Context: the file is held. @returns undefined: nothing waits. */
export async function fill(
  stream: Readable,
  file: OpenFile<unknown>,
  take: () => Uint8Array | undefined,
): Promise<void> {
  try {
    while (!stream.destroyed) {
      if (!file.isOpen()) {
        stream.push(null);
        return;
      }
      const bytes = file.use(take);
      if (bytes !== undefined) {
        stream.push(bytes);
        return;
      }
      await file.wait();
    }
  } catch (error) {
    stream.destroy(error as Error);
  }
}
