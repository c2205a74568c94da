// One `decode` from options to exit code: records in as they come, out as they come.
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { writeOut } from '../output.ts';
import type { TextSink } from '../progress.ts';
import { UsageError } from '../request.ts';
import { EXIT_FAILED, EXIT_OK } from '../run.ts';
import { AMD_QUEUES } from './amd.ts';
import { LineSplitter, parseLine } from './line.ts';
import { RecordDecoder, type RecordQueue } from './queue.ts';
import { SMMU_QUEUES } from './smmu-v3.ts';
import { recordJson, recordTable } from './table.ts';
import { VTD_QUEUES } from './vtd.ts';

/** As commander hands them over. */
export interface DecodeOptions {
  readonly family: string;
  readonly queue: string;
  readonly json?: string;
}

/** What `decode` needs of the process. */
export interface DecodeHost {
  /** Standard input; the process's own if left out. */
  readonly input?: AsyncIterable<string | Uint8Array>;
  readonly out: TextSink;
  readonly err: TextSink;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

const EXIT_INTERRUPTED = 130;
const STANDARD = '-';
/** 64-bit words of the longest record. */
const MAX_WORDS = 4;

export const QUEUES: readonly RecordQueue[] = [...SMMU_QUEUES, ...VTD_QUEUES, ...AMD_QUEUES];

/** @returns 0, 1 when a line was no record, 130 interrupted. A record that its family does not allow is one all the same, and is
 * printed with what is wrong with it. @throws UsageError a queue or file that there is not */
export async function runDecode(file: string | undefined, options: DecodeOptions, host: DecodeHost): Promise<number> {
  const queue = findQueue(options.family, options.queue);
  const { json } = options;
  const fromFile = file !== undefined && file !== STANDARD;
  if (fromFile && json !== undefined && resolve(file) === resolve(json))
    throw new UsageError(`--json = ${JSON.stringify(json)}: is the file to read`);
  const input = fromFile ? readFile(file) : (host.input ?? process.stdin);
  const saved = json === undefined || json === STANDARD ? undefined : openFile(json);
  try {
    return await decodeAll(input, queue, json === STANDARD, saved, host);
  } finally {
    if (saved !== undefined) closeSync(saved);
  }
}

async function decodeAll(
  input: AsyncIterable<string | Uint8Array>,
  queue: RecordQueue,
  asJson: boolean,
  saved: number | undefined,
  host: DecodeHost,
): Promise<number> {
  const decoder = new RecordDecoder(queue);
  const words = new Int32Array(2 * MAX_WORDS);
  let code: number = EXIT_OK;
  let out = '';
  let objects = '';
  let wrong = '';
  const splitter = new LineSplitter((text, line) => {
    const size = parseLine(text, queue.sizes, words);
    if (size === 0) return;
    if (typeof size === 'string') {
      wrong += `line ${line}: ${size}\n`;
      code = EXIT_FAILED;
      return;
    }
    const decoded = decoder.decode(words, size);
    out += asJson ? recordJson(decoded) : recordTable(decoded, line);
    if (saved !== undefined) objects += recordJson(decoded);
  });
  /** @returns whether anybody reads on. */
  const flush = async (): Promise<boolean> => {
    if (saved !== undefined) writeSync(saved, objects);
    const open = (out === '' || (await writeOut(host.out, out))) && (wrong === '' || (await writeOut(host.err, wrong)));
    out = objects = wrong = '';
    return open;
  };

  for await (const chunk of untilAborted(input, host.signal)) {
    splitter.push(chunk);
    if (!(await flush())) return code;
  }
  if (host.signal.aborted) return EXIT_INTERRUPTED;
  splitter.end();
  await flush();
  return code;
}

function findQueue(family: string, name: string): RecordQueue {
  const families = [...new Set(QUEUES.map((queue) => queue.family))];
  const ofFamily = QUEUES.filter((queue) => queue.family === family);
  if (ofFamily.length === 0)
    throw new UsageError(`--family = ${JSON.stringify(family)}: must be one of ${families.join(', ')}`);
  const found = ofFamily.find((queue) => queue.name === name);
  if (found !== undefined) return found;
  const names = ofFamily.map((queue) => queue.name).join(', ');
  throw new UsageError(`--queue = ${JSON.stringify(name)}: ${family} has ${names}`);
}

async function* readFile(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file);
  } catch (error) {
    throw new UsageError(`${JSON.stringify(file)}: cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function openFile(file: string): number {
  try {
    return openSync(file, 'w');
  } catch (error) {
    throw new UsageError(`--json = ${JSON.stringify(file)}: cannot be written: ${(error as Error).message}`);
  }
}

/** Ends with the input or the signal, whichever is first: a terminal may never say another word. */
async function* untilAborted<Chunk>(input: AsyncIterable<Chunk>, signal: AbortSignal): AsyncGenerator<Chunk> {
  const { promise: aborted, resolve: abort } = Promise.withResolvers<undefined>();
  const onAbort = (): void => abort(undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  const iterator = input[Symbol.asyncIterator]();
  try {
    while (!signal.aborted) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next === undefined || next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
