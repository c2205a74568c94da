import { type Command, Option } from 'commander';
import { type Operation, parseMap, parseUnmap } from './operations.ts';
import { type PtHost, type PtOptions, runPt } from './run.ts';

/** Adds `pt` to the program.
 * @param done told the exit code: 0, 1 the table refused something. UsageError is thrown. */
export function addPtCommand(program: Command, host: PtHost, done: (code: number) => void): void {
  const operations: Operation[] = []; // in the order of the command line, over both options
  const collect = (parse: (text: string) => Operation) => (text: string) => operations.push(parse(text));
  program
    .command('pt')
    .description('maps and unmaps ranges, and shows the page table as a tree')
    .requiredOption(
      '--format <name>',
      'amdv1, vtd-second-stage, x86-first-stage, arm-lpae-s1, arm-lpae-s2, riscv-sv39, riscv-sv48 or riscv-sv57',
    )
    .addOption(
      new Option(
        '--map <range...>',
        'IOVA:OA:LENGTH[:prot], in bytes, hex with 0x, or with a unit (2M); prot: letters of rw (default), c cache, n no execute, m mmio, p privileged',
      ).argParser(collect(parseMap)),
    )
    .addOption(
      new Option('--unmap <range...>', 'IOVA:LENGTH, after what stands before it on the line').argParser(
        collect(parseUnmap),
      ),
    )
    .option('--json <file>', 'write the table as JSON; to standard output, in place of the tree, with -')
    .action(async (options: PtOptions) => {
      done(await runPt(operations, options, host));
    });
}
