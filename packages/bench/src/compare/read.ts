import { readFileSync } from 'node:fs';
import { resultSchema } from '../result/schema.ts';
import { readBench } from './bench-file.ts';
import type { Measured } from './measured.ts';
import { FileError, parse } from './parse.ts';
import { readStress } from './stress-file.ts';

/** Reads what `--json` wrote: of stress, of repro or of the micro-benchmarks.
 * @throws FileError */
export function readMeasured(file: string): Measured {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new FileError(`${file}: cannot be read: ${(error as Error).message}`);
  }
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch (error) {
    throw new FileError(`${file}: is not JSON: ${(error as Error).message}`);
  }
  const has = (field: string): boolean => typeof input === 'object' && input !== null && field in input;
  if (has('cells')) return readStress(file, parse(file, resultSchema, input));
  if (has('costs') && has('pairs')) return readBench(file, input);
  throw new FileError(`${file}: holds neither \`cells\` (stress, repro) nor \`costs\` and \`pairs\` (bench)`);
}
