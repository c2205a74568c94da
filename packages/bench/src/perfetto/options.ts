// The options that write a Perfetto trace, for every command that has them.
import { InvalidArgumentError, Option } from 'commander';
import { formatBytes, formatCount } from '../report/format.ts';
import { type Recorded, Recorder } from './recorder.ts';

/** One fault in this many is traced. A prime: what divides a job's pages would always take the same ones. */
const SAMPLE = 127;
const MAX_SAMPLE = 1_000_000;

export interface PerfettoRequest {
  readonly file: string;
  readonly sample: number;
}

export function perfettoOption(): Option {
  return new Option('--perfetto <file>', 'write what threads do, and the way of each fault, for ui.perfetto.dev');
}

export function perfettoSampleOption(): Option {
  return new Option(
    '--perfetto-sample <n>',
    `trace one fault in n of each device thread (default: ${SAMPLE})`,
  ).argParser((text) => {
    const sample = Number(text);
    if (/^\d+$/.test(text) && sample >= 1 && sample <= MAX_SAMPLE) return sample;
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_SAMPLE}.`);
  });
}

/** @param values commander's. */
export function readPerfettoOptions(values: Record<string, unknown>): { perfetto?: PerfettoRequest } {
  const { perfetto: file, perfettoSample: sample } = values;
  if (typeof file !== 'string') return {};
  return { perfetto: { file, sample: typeof sample === 'number' ? sample : SAMPLE } };
}

export interface Perfetto {
  /** Undefined where nothing is to be traced. */
  readonly recorder: Recorder | undefined;
  /** Closes the file, and says what is in it. */
  readonly done: (note: (text: string) => void) => void;
}

/** @throws what the file system says. */
export function openPerfetto(request: PerfettoRequest | undefined): Perfetto {
  if (request === undefined) return { recorder: undefined, done: () => {} };
  const { file, sample } = request;
  const recorder = new Recorder(file, { sample });
  return {
    recorder,
    done: (note) => {
      recorder.close();
      note(`${file}: ${describe(recorder.recorded(), sample)}`);
    },
  };
}

function describe({ cells, faults, lost, bytes }: Recorded, sample: number): string {
  const which = sample === 1 ? 'every fault' : `one fault in ${sample}`;
  const missing = lost === 0 ? 'no record lost' : `${formatCount(lost)} records lost, as threads filled their rings`;
  return `${which} of ${cells} cells, ${formatCount(faults)} flows, ${missing}, ${formatBytes(bytes)}; open it at https://ui.perfetto.dev; what tracing costs: faultline trace-overhead`;
}
