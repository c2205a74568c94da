import { IommuError } from '../errors/index.ts';
import { LINE, type Words } from '../sync/thread-self.ts';

/** `words` rounded up to whole lines, so that what follows has no line in common with it. */
export function alignLine(words: number): number {
  return Math.ceil(words / LINE) * LINE;
}

/** Checks where a structure is about to be laid out: on a line, past the words that stand for nothing, and inside.
 * @throws IommuError EINVAL naming `base`. */
export function checkRegion(call: string, words: Words, base: number, needWords: number): void {
  if (!Number.isInteger(base) || base < LINE || base % LINE !== 0)
    throw new IommuError('EINVAL', call, 'base', base, `must be a positive multiple of ${LINE} words`);
  if (base + needWords > words.length)
    throw new IommuError('EINVAL', call, 'base', base, `${needWords} words do not fit into ${words.length}`);
}
