// One `replay` from options to exit code.
import { writeFileSync } from 'node:fs';
import { SingleBar } from 'cli-progress';
import { loadPreset, type PresetName } from '../../model/index.ts';
import { openPerfetto, readPerfettoOptions } from '../../perfetto/options.ts';
import { replayInModel } from '../../replay/model/replay-model.ts';
import { makeModelResult } from '../../replay/report/model-result.ts';
import { makeResult } from '../../replay/report/result.ts';
import type { ReplayResult } from '../../replay/report/schema.ts';
import { renderModelReplay, renderReplay } from '../../replay/report/table.ts';
import { type ReplayOptions, replayOptionsSchema } from '../../replay/run/options.ts';
import { replayTrace } from '../../replay/run/replay.ts';
import { openTrace, type TraceFile } from '../../replay/source/open-trace.ts';
import { formatBytes, formatCount } from '../../report/format.ts';
import type { TextSink } from '../progress.ts';
import { UsageError } from '../request.ts';
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, touch } from '../run.ts';

/** As commander hands them over. */
export interface ReplayValues {
  readonly speed: string;
  readonly iommu: string;
  readonly generation: string;
  readonly handler: string;
  readonly devices: string;
  readonly handlers: string;
  readonly maxActive: string;
  readonly queueEntries: string;
  readonly json?: string;
  readonly record?: string;
  readonly perfetto?: string;
  readonly perfettoSample?: number;
  readonly model?: PresetName;
}

/** What `replay` needs of the process. */
export interface ReplayHost {
  readonly out: TextSink;
  readonly err: TextSink;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

const PROGRESS_MS = 200;
/** Of what the model leaves to chance. */
const SEED = 1;

/** @returns 0, 1 the books do not balance or there was no request, 130 interrupted. @throws UsageError an option, or a file that there is not */
export async function runReplay(file: string, values: ReplayValues, host: ReplayHost): Promise<number> {
  const options = readOptions(values);
  for (const option of ['json', 'record', 'perfetto'] as const) touch(`--${option}`, values[option]);
  const trace = await open(file);
  const { recorder, done: traced } = openPerfetto(readPerfettoOptions({ ...values }).perfetto);
  const progress = openBar(trace, host.err);
  const alive = setInterval(() => {}, 2 ** 30); // Atomics.waitAsync keeps no process alive
  try {
    const { json, record, model } = values;
    if (model !== undefined) return await throughModel(model, { file, trace, options, progress, json }, host);
    const replayed = await replayTrace(trace, options, {
      onProgress: progress.at,
      signal: host.signal,
      record,
      recorder,
    });
    progress.stop();
    const result = makeResult(file, options, replayed);
    host.out.write(renderReplay(result));
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(result)}\n`);
    return exitCode(file, result, host);
  } catch (error) {
    throw asUsage(file, error);
  } finally {
    progress.stop();
    traced((text) => host.err.write(`${text}\n`));
    clearInterval(alive);
  }
}

async function throughModel(
  model: PresetName,
  asked: { file: string; trace: TraceFile; options: ReplayOptions; progress: Bar; json: string | undefined },
  host: ReplayHost,
): Promise<number> {
  const { file, trace, options, progress, json } = asked;
  const { generation, speed, devices } = options;
  const parts = { generation, speed, devices, seed: SEED };
  const hooks = { onProgress: progress.at, signal: host.signal };
  const replayed = await replayInModel(trace, { ...parts, preset: loadPreset(model) }, hooks);
  progress.stop();
  const result = makeModelResult(file, { ...parts, preset: model }, replayed);
  host.out.write(renderModelReplay(result));
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(result)}\n`);
  return exitCode(file, result, host);
}

function exitCode(
  file: string,
  { interrupted, records, unbalanced }: Pick<ReplayResult, 'interrupted' | 'records' | 'unbalanced'>,
  { err }: ReplayHost,
): number {
  if (interrupted) return EXIT_INTERRUPTED;
  if (records === 0) err.write(`${file}: no page request in it\n`);
  return unbalanced.length > 0 || records === 0 ? EXIT_FAILED : EXIT_OK;
}

function readOptions(values: ReplayValues): ReplayOptions {
  const number = (text: string): unknown => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : text);
  const parsed = replayOptionsSchema.safeParse({
    ...{ iommu: values.iommu, generation: values.generation, handler: values.handler },
    speed: values.speed === 'max' ? Number.POSITIVE_INFINITY : number(values.speed),
    ...{ devices: number(values.devices), handlers: number(values.handlers) },
    ...{ maxActive: number(values.maxActive), queueEntries: number(values.queueEntries) },
  });
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(({ path, message }) => {
    const field = String(path[0]) as keyof ReplayValues;
    const flag = field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return `--${flag} = ${JSON.stringify(values[field])}: ${message}`;
  });
  throw new UsageError(lines.join('\n'));
}

/** A file that ends early, or is packed and damaged, is the user's to know of, in a line. */
function asUsage(file: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  const isTheFile = typeof code === 'string' && (code.startsWith('Z_') || code === 'EISDIR' || code === 'EIO');
  return isTheFile ? new UsageError(`${JSON.stringify(file)}: cannot be read: ${message}`) : error;
}

async function open(file: string): Promise<TraceFile> {
  try {
    return await openTrace(file);
  } catch (error) {
    throw new UsageError(`${JSON.stringify(file)}: cannot be read: ${(error as Error).message}`);
  }
}

interface Bar {
  readonly at: (bytes: number, records: number) => void;
  stop(): void;
}

/** By the file's bytes; nothing where nobody watches. */
function openBar({ bytes }: TraceFile, stream: TextSink): Bar {
  if (stream.isTTY !== true) return { at: () => {}, stop: () => {} };
  const format =
    bytes === 0 ? '{records} requests' : '{bar} {percentage} % of {size} · {records} requests · {eta_formatted} left';
  const bar = new SingleBar({
    ...{ stream: stream as NodeJS.WriteStream, format, barsize: 24, hideCursor: true, clearOnComplete: true },
    ...{ barCompleteChar: '█', barIncompleteChar: '░', linewrap: false },
  });
  bar.start(Math.max(1, bytes), 0, { records: '0', size: formatBytes(bytes) });
  let told = 0;
  return {
    at: (position, records) => {
      const now = performance.now();
      if (now - told < PROGRESS_MS) return;
      told = now;
      bar.update(position, { records: formatCount(records) });
    },
    stop: () => bar.stop(),
  };
}
