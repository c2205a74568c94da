// One `compare` from options to exit code.
import { writeFileSync } from 'node:fs';
import {
  compare,
  comparisonJson,
  FileError,
  type Measured,
  readMeasured,
  regressionsOf,
  renderComparison,
  renderComparisonHtml,
} from '../../compare/index.ts';
import type { TextSink } from '../progress.ts';
import { UsageError } from '../request.ts';
import { EXIT_FAILED, EXIT_OK } from '../run.ts';

/** As commander hands them over. Percentages are ratios by now. */
export interface CompareOptions {
  readonly failOver?: number;
  readonly noise?: number;
  readonly confidence?: number;
  readonly seed?: number;
  readonly json?: string;
  readonly html?: string;
}

/** What `compare` needs of the process. */
export interface CompareHost {
  readonly out: TextSink;
  readonly err: TextSink;
}

const CONFIDENCE = 0.95;
const RESAMPLES = 2000;
const SEED = 1;

/** @returns 0, or 1 when there is a regression beyond `failOver`. @throws UsageError naming the file and the field. */
export function runCompare(before: string, after: string, options: CompareOptions, host: CompareHost): number {
  const [a, b] = readBoth(before, after);
  const { confidence = CONFIDENCE, seed = SEED, noise, failOver } = options;
  const comparison = compare(a, b, { confidence, resamples: RESAMPLES, seed, noise, failOver });
  for (const warning of comparison.warnings) host.err.write(`warning: ${warning}\n`);
  host.out.write(renderComparison(comparison));
  save('--json', options.json, () => `${JSON.stringify(comparisonJson(comparison))}\n`);
  save('--html', options.html, () => renderComparisonHtml(comparison));
  return regressionsOf(comparison).length > 0 ? EXIT_FAILED : EXIT_OK;
}

function readBoth(before: string, after: string): [Measured, Measured] {
  const problems: string[] = [];
  const [a, b] = [before, after].map((file) => {
    try {
      return readMeasured(file);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      problems.push(error.message);
      return undefined;
    }
  });
  if (a === undefined || b === undefined) throw new UsageError(problems.join('\n'));
  if ((a.kind === 'bench') !== (b.kind === 'bench'))
    throw new UsageError(`${before} is of ${a.kind}, ${after} of ${b.kind}: they have no cell in common`);
  return [a, b];
}

function save(option: string, file: string | undefined, render: () => string): void {
  if (file === undefined) return;
  try {
    writeFileSync(file, render());
  } catch (error) {
    throw new UsageError(`${option} = ${JSON.stringify(file)}: cannot be written: ${(error as Error).message}`);
  }
}
