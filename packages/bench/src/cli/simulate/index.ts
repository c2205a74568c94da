import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  loadPreset,
  MODEL_GENERATIONS,
  type ModelGeneration,
  PRESET_NAMES,
  type PresetName,
  simulate,
} from '../../model/index.ts';
import { ModelTrace } from '../../perfetto/model/trace-model.ts';
import { PerfettoFile } from '../../perfetto/trace-file.ts';
import { formatBytes, formatCount, formatNs, formatRate } from '../../report/format.ts';
import { UsageError } from '../request.ts';
import type { Host } from '../run.ts';

interface Options {
  readonly preset: PresetName;
  readonly generation: ModelGeneration;
  readonly threads: number;
  readonly warmupMs: number;
  readonly ms: number;
  readonly seed: number;
  readonly perfetto?: string;
}

/** Adds `simulate` to the program: one cell of the model, to be looked at closely. @param done told the exit code. UsageError is thrown. */
export function addSimulateCommand(program: Command, host: Pick<Host, 'out'>, done: (code: number) => void): void {
  program
    .command('simulate')
    .description('one cell of the model, in virtual time')
    .addOption(new Option('--preset <name>', 'machine').choices(PRESET_NAMES).default('reporter-arm128'))
    .addOption(new Option('--generation <name>', 'fault path').choices(MODEL_GENERATIONS).default('locked'))
    .option('--threads <n>', 'device threads', whole, 64)
    .option('--warmup-ms <n>', 'virtual milliseconds before, which are not looked at', whole, 2000)
    .option('--ms <n>', 'virtual milliseconds', whole, 1000)
    .option('--seed <n>', 'of what is left to chance', whole, 1)
    .option('--perfetto <file>', 'write the way of each fault, for ui.perfetto.dev')
    .action((options: Options) => {
      host.out.write(run(options));
      done(0);
    });
}

function run({ preset, generation, threads, warmupMs, ms, seed, perfetto }: Options): string {
  const { faults: _, ...rest } = loadPreset(preset).config;
  const config = {
    ...rest,
    generation,
    threads,
    warmupSeconds: warmupMs / 1000,
    seconds: ms / 1000,
    seriesMs: ms,
    grain: 1,
  };
  const file = perfetto === undefined ? undefined : openFile(perfetto);
  const watch = file && new ModelTrace(file, config);
  const { faults, faultsPerSecond, outstanding, latency, timeouts } = simulate(config, seed, watch);
  watch?.close();
  file?.close();
  const figures = [
    `${formatCount(faults)} faults (${formatRate(faultsPerSecond)}), p50 ${formatNs(latency.p50)}, p99 ${formatNs(latency.p99)}`,
    `${formatCount(outstanding)} outstanding at the end, ${formatCount(timeouts)} time-outs`,
  ];
  const written =
    file === undefined ? '' : `${perfetto}: ${formatBytes(file.bytes)}; open it at https://ui.perfetto.dev\n`;
  return `${preset}, ${generation}, ${threads} threads, ${ms} ms, seed ${seed}: ${figures.join('; ')}\n${written}`;
}

function openFile(path: string): PerfettoFile {
  try {
    return new PerfettoFile(path);
  } catch (error) {
    throw new UsageError(`--perfetto = ${JSON.stringify(path)}: cannot be written: ${(error as Error).message}`);
  }
}

function whole(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number above 0.');
  return Number(text);
}
