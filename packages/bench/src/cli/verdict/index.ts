import type { Command } from 'commander';
import { runVerdictCommand, type VerdictHost, type VerdictOptions } from './run.ts';

/** Adds `verdict` to the program.
 * @param done told the exit code: 0, 130 interrupted. UsageError is thrown. */
export function addVerdictCommand(program: Command, host: VerdictHost, done: (code: number) => void): void {
  program
    .command('verdict')
    .description('why 512 threads time out: simulates the machine of the mailing list and writes verdict-512.md')
    .option('--preset <name|file>', 'machine: reporter-arm128, this-class, or a YAML file of one', 'reporter-arm128')
    .option('--costs <file>', "another machine's costs, as calibrate writes them, in the preset's place")
    .option('--seeds <n>', "seeds of the table's cells, 1 to 100")
    .option('--quick', 'a few short cells: shows that everything works')
    .option('--out <folder>', 'where verdict-512.md and the folder of its plots go; default: docs, or verdict-quick')
    .option('--json <file>', 'write the result as JSON')
    .option('--html <file>', 'write the document as one HTML file')
    .option('--from <file>', 'make the document from a stored result, and run nothing')
    .option('--real <file>', 'take the real run from a stored result of stress or repro; without it one is made')
    .option('--no-real', 'leave the real run out')
    .option(
      '--validate <file>',
      'take the comparison of model and real threads from what calibrate --validate --json wrote',
    )
    .option('--no-validate', 'do not hold the model against real threads')
    .action(async (options: VerdictOptions) => {
      done(await runVerdictCommand(options, host));
    });
}
