import type { Command } from 'commander';
import { type LitmusHost, type LitmusOptions, runLitmus } from './run.ts';

/** Adds `litmus` to the program.
 * @param done told the exit code: 0, 1 something forbidden was seen, 130 interrupted. UsageError is thrown. */
export function addLitmusCommand(program: Command, host: LitmusHost, done: (code: number) => void): void {
  program
    .command('litmus')
    .description('runs scenarios on real threads, without the scheduler, and counts their outcomes')
    .argument('[scenario...]', 'names, beginnings of names, or patterns such as "000/*"; all if left out')
    .option('--design <name>', 'one design of those that the scenarios have')
    .option('--seconds <n>', 'how long each design runs', '1')
    .option('--seed <n>', 'of the delays before each start', '1')
    .option('--json <file>', 'write the counts as JSON')
    .action(async (names: string[], options: LitmusOptions) => {
      done(await runLitmus(names, options, host));
    });
}
