import { Command } from 'commander';
import { UsageError } from '../request.ts';
import { addDecodeCommand } from './index.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `decode` over the input: a text, or its pieces as they come. */
export async function decode(
  args: readonly string[],
  input: string | Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array> = '',
  signal: AbortSignal = new AbortController().signal,
): Promise<Ran> {
  const text = { out: '', err: '' };
  let code = -1;
  const host = {
    input: chunks(typeof input === 'string' ? [input] : input),
    out: { write: (part: string) => (text.out += part) },
    err: { write: (part: string) => (text.err += part) },
    signal,
  };
  const program = new Command('faultline');
  addDecodeCommand(program, host, (value) => {
    code = value;
  });
  try {
    await program.parseAsync(['decode', ...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    text.err += error.message;
    code = 2;
  }
  return { code, ...text };
}

/** Runs it with `--json -`. @returns the objects. */
export async function decodeJson(
  family: string,
  queue: string,
  input: string,
): Promise<{ kind: string; fields: Record<string, number | string>; errors: string[] }[]> {
  const { out } = await decode(['--family', family, '--queue', queue, '--json', '-'], input);
  return out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

async function* chunks<Chunk>(input: Iterable<Chunk> | AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
  yield* input;
}
