import type { Command } from 'commander';
import { type DecodeHost, type DecodeOptions, runDecode } from './run.ts';

/** Adds `decode` to the program.
 * @param done told the exit code: 0, 1 a line was no record, 130 interrupted. UsageError is thrown. */
export function addDecodeCommand(program: Command, host: DecodeHost, done: (code: number) => void): void {
  program
    .command('decode')
    .description('decodes raw records of hardware queues: one a line, as 64-bit hex words, w0 first')
    .argument('[file]', 'the records; standard input if left out')
    .requiredOption('--family <name>', 'smmu-v3, vtd or amd')
    .requiredOption('--queue <name>', 'smmu-v3: evtq, cmdq, priq; vtd: prq, iq, fault; amd: ppr, cmd, event')
    .option('--json <file>', 'write one object a record, one a line; to standard output, in place of tables, with -')
    .action(async (file: string | undefined, options: DecodeOptions) => {
      done(await runDecode(file, options, host));
    });
}
