import { Writable } from 'node:stream';
import type { Command } from 'commander';
import { addOptions, type ExploreOptions } from './options.ts';
import { runExplore } from './run.ts';
import type { ExploreHost, Terminal } from './types.ts';

/** Adds `explore` to the program.
 * @param done told the exit code when the command has run: 0, 1 not as expected, 130 interrupted. UsageError is thrown. */
export function addExploreCommands(program: Command, host: ExploreHost, done: (code: number) => void): void {
  const command = program
    .command('explore')
    .description('runs scenarios of the fault path and its structures through every schedule')
    .argument('[scenario...]', 'names, beginnings of names, or patterns such as "000/*"');
  addOptions(command);
  command.action(async (names: string[], options: ExploreOptions) => {
    const code = await runExplore(names, options, host);
    await written(host.out);
    done(code);
  });
}

/** A pipe takes 64 KiB at a time, and the program exits outright: what is left by then would be lost. */
function written(stream: Terminal): Promise<void> {
  if (!(stream instanceof Writable)) return Promise.resolve();
  return new Promise((resolve) => stream.write('', () => resolve()));
}

export { checker } from './checker.ts';
export { loadScenarios, shippedScenarios } from './load.ts';
export type { ExploreHost } from './types.ts';
