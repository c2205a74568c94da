import { type Command, InvalidArgumentError } from 'commander';
import { type CompareHost, type CompareOptions, runCompare } from './run.ts';

/** Adds `compare` to the program.
 * @param done told the exit code: 0, 1 a regression beyond --fail-over. UsageError is thrown. */
export function addCompareCommand(program: Command, host: CompareHost, done: (code: number) => void): void {
  program
    .command('compare')
    .description('compares two result files, cell by cell: of stress, repro or bench')
    .argument('<A.json>', 'the result before')
    .argument('<B.json>', 'the result after')
    .option('--fail-over <percent>', 'exit with 1 if a figure is worse by more than this, and it is no noise', percent)
    .option('--noise <percent>', 'a change up to this is noise; beyond it, single repeats count as well', percent)
    .option('--confidence <percent>', 'share of resampled changes that an interval holds (default: 95)', confidence)
    .option('--seed <n>', 'seed of the resampling (default: 1)', seed)
    .option('--json <file>', 'write the comparison as JSON')
    .option('--html <file>', 'write the comparison as one HTML file')
    .action((before: string, after: string, options: CompareOptions) => {
      done(runCompare(before, after, options, host));
    });
}

/** @returns a ratio. */
function percent(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value >= 0 && value <= 1e6)) throw new InvalidArgumentError('It must be a percentage, 0 or more.');
  return value / 100;
}

function confidence(text: string): number {
  const value = Number(text) / 100;
  if (!(value >= 0.5 && value < 1)) throw new InvalidArgumentError('It must be from 50 up to, not with, 100.');
  return value;
}

function seed(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < 0 || value >= 2 ** 32)
    throw new InvalidArgumentError('It must be a whole number from 0 to 4294967295.');
  return value;
}
