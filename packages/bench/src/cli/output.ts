import { Writable } from 'node:stream';
import type { TextSink } from './progress.ts';

/** Writes, and waits until the stream has taken it: what is printed piece by piece is neither piled up in memory nor lost at the exit.
 * @returns false when nobody reads any more (`| head`). @throws what else the stream says. */
export function writeOut(sink: TextSink, text: string): Promise<boolean> {
  if (!(sink instanceof Writable)) {
    sink.write(text);
    return Promise.resolve(true);
  }
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => (error.code === 'EPIPE' ? resolve(false) : reject(error));
    sink.once('error', failed); // emitted after the callback: it stays on then
    sink.write(text, (error) => {
      if (error) return failed(error);
      sink.off('error', failed);
      resolve(true);
    });
  });
}
