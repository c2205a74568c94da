import type { Command } from 'commander';
import { type CalibrateHost, type CalibrateOptions, runCalibrate } from './run.ts';

/** Adds `calibrate` to the program. @param done told the exit code: 0, 130 interrupted. UsageError is thrown. */
export function addCalibrateCommand(program: Command, host: CalibrateHost, done: (code: number) => void): void {
  program
    .command('calibrate')
    .description("measures this machine's costs for the model of the fault path, and writes them as a preset")
    .option('--out <file>', 'where to write the preset; default: a name with the date, in the working directory')
    .option('--json <file>', 'also write all measurements as JSON')
    .option('--validate', 'then run the model beside the real fault path, for 1 to 512 threads', false)
    .option('--quick', 'short measurements: shows that everything works', false)
    .action(async (options: CalibrateOptions) => {
      done(await runCalibrate(options, host));
    });
}
