import { type Command, InvalidArgumentError } from 'commander';
import { measureOverhead } from '../../perfetto/overhead/measure.ts';
import { renderOverhead } from '../../perfetto/overhead/table.ts';
import type { Host } from '../run.ts';

interface Options {
  readonly rounds: number;
  readonly samples: readonly number[];
}

/** Adds `trace-overhead` to the program. @param done told the exit code. */
export function addTraceOverheadCommand(
  program: Command,
  host: Pick<Host, 'out' | 'signal'>,
  done: (code: number) => void,
): void {
  program
    .command('trace-overhead')
    .description('measures what --perfetto costs the fault path, beside threads without the code')
    .option('--rounds <n>', 'how often each variant has its turn', whole, 1000)
    .option('--samples <n,...>', 'one fault in n is traced, a variant each', list, [1, 7, 127])
    .action(async (options: Options) => {
      host.out.write(`${renderOverhead(await measureOverhead(options, host.signal))}\n`);
      done(0);
    });
}

function whole(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number above 0.');
  return Number(text);
}

function list(text: string): number[] {
  return text.split(',').map(whole);
}
