import { type Command, Option } from 'commander';
import { PRESET_NAMES } from '../../model/index.ts';
import { perfettoOption, perfettoSampleOption } from '../../perfetto/options.ts';
import { defaultReplayOptions } from '../../replay/run/options.ts';
import type { ReplayHost, ReplayValues } from './run.ts';
import { runReplay } from './run.ts';

/** Adds `replay` to the program.
 * @param done told the exit code: 0, 1 the books do not balance or there was nothing to replay, 130 interrupted. UsageError is thrown. */
export function addReplayCommand(program: Command, host: ReplayHost, done: (code: number) => void): void {
  const defaults = defaultReplayOptions();
  program
    .command('replay')
    .description('replays a trace of page requests: ftrace or perf script with prq_report, or lines of our own')
    .argument('<file>', 'the trace, packed by gzip or not; - is standard input')
    .option('--speed <x>', 'times as fast as the trace, or max: as fast as it goes', String(defaults.speed))
    .option('--iommu <which>', 'vtd or amd', defaults.iommu)
    .option('--generation <name>', 'fault path', defaults.generation)
    .option('--handler <which>', 'sva, iommufd or noop', defaults.handler)
    .option('--devices <n>', 'devices of the trace that there is a place for', String(defaults.devices))
    .option('--handlers <n>', 'handler threads', String(defaults.handlers))
    .option('--max-active <n>', "the work queue's limit on groups in work", String(defaults.maxActive))
    .option('--queue-entries <n>', "records in the IOMMU's queue", String(defaults.queueEntries))
    .addOption(
      new Option('--model <machine>', 'through the model, in virtual time, instead of real threads')
        .choices(PRESET_NAMES)
        .conflicts(['record', 'perfetto']),
    )
    .option('--json <file>', 'write the result as JSON')
    .option('--record <file>', 'write what was reported to the core, as a trace')
    .addOption(perfettoOption())
    .addOption(perfettoSampleOption())
    .action(async (file: string, values: ReplayValues) => {
      done(await runReplay(file, values, host));
    });
}
