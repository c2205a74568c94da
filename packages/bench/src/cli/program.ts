import { Command, CommanderError } from 'commander';
import { perfettoOption, perfettoSampleOption } from '../perfetto/options.ts';
import type { Command as CommandName } from '../scenario/defaults.ts';
import { ScenarioError } from '../scenario/file.ts';
import { addCalibrateCommand } from './calibrate/index.ts';
import { addCompareCommand } from './compare/index.ts';
import { addDecodeCommand } from './decode/index.ts';
import type { DecodeHost } from './decode/run.ts';
import { addExploreCommands, type ExploreHost } from './explore/index.ts';
import { addLitmusCommand } from './litmus/index.ts';
import type { LitmusHost } from './litmus/run.ts';
import { addParameterOptions } from './options.ts';
import { addPtCommand } from './pt/index.ts';
import { addReplayCommand } from './replay/index.ts';
import { readRequest, UsageError } from './request.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE, type Host, run } from './run.ts';
import { addSimulateCommand } from './simulate/index.ts';
import { addTraceOverheadCommand } from './trace-overhead/index.ts';
import { addVerdictCommand } from './verdict/index.ts';

/** What the commands need of the process; tests bring their own. */
export type MainHost = Host & ExploreHost & LitmusHost & DecodeHost;

/** Runs the command line. Prints every error itself: a line for bad input, a stack for what should not have happened.
 * @param args what follows the program's name.
 * @returns the exit code: 0, 1 unbalanced or failed, 2 bad input, 130 interrupted. */
export async function main(args: readonly string[], host: MainHost): Promise<number> {
  let code: number = EXIT_OK;
  const done = (value: number): void => {
    code = value;
  };
  const program = new Command('faultline')
    .description("A laboratory for Linux's I/O page fault path, on real threads")
    .helpCommand(false);
  const define = (name: CommandName, description: string): void => {
    const command = program.command(name).description(description);
    addParameterOptions(command);
    command
      .option('--scenario <file>', 'YAML file of parameters; options win over it')
      .option('--json <file>', 'write the result as JSON')
      .option('--html <file>', 'write the report as one HTML file')
      .addOption(perfettoOption())
      .addOption(perfettoSampleOption())
      .option('--record <file>', 'write the page requests of measured cells, as a trace that replay takes')
      .option('--quick', 'a few threads and short cells: shows that everything works')
      .action(async (values: Record<string, unknown>) => {
        code = await run(readRequest(name, values), host);
      });
  };
  define('stress', 'run what the options ask for');
  define('repro', "the mailing list's table, calibrated to this machine");
  addExploreCommands(program, host, done);
  addLitmusCommand(program, host, done);
  addDecodeCommand(program, host, done);
  addPtCommand(program, host, done);
  addReplayCommand(program, host, done);
  addVerdictCommand(program, host, done);
  addCalibrateCommand(program, host, done);
  addCompareCommand(program, host, done);
  addSimulateCommand(program, host, done);
  addTraceOverheadCommand(program, host, done);
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .allowExcessArguments(false)
      .showHelpAfterError(false)
      .configureOutput({ writeOut: (text) => host.out.write(text), writeErr: (text) => host.err.write(text) });
  }

  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE; // it has printed its line
    if (error instanceof UsageError || error instanceof ScenarioError) {
      host.err.write(`${error.message.replaceAll(/^/gm, 'error: ')}\n`);
      return EXIT_USAGE;
    }
    host.err.write(`faultline failed: ${(error as Error).stack ?? String(error)}\n`);
    return EXIT_FAILED;
  }
}
