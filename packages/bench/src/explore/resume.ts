// Where an exploration stood, as one word: printed at a bound or at Ctrl-C, to go on from there.
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import { ScenarioError } from './engine/placement.ts';
import type { Counts } from './engine/session.ts';
import type { Strategy } from './scenario.ts';

export interface Resume {
  readonly name: string;
  readonly design: string;
  readonly strategy: Strategy;
  readonly seconds: number;
  /** How it was explored: the search's state means nothing otherwise. */
  readonly checked: boolean;
  readonly steps: number;
  readonly spins: number;
  /** Of the code that was explored. */
  readonly code: number;
  readonly search: { readonly index: number; readonly keep: number; readonly frames: readonly number[] };
  readonly counts: Counts;
}

const PREFIX = 'r1:';
const SUM_DIGITS = 8;
const whole = z.int().min(0);

const schema = z.object({
  name: z.string(),
  design: z.string(),
  strategy: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('dpor') }),
    z.object({ kind: z.literal('bounded'), preemptions: whole }),
    z.object({ kind: z.literal('pct'), depth: whole, seed: z.int() }),
    z.object({ kind: z.literal('random'), seed: z.int() }),
  ]),
  seconds: z.number().min(0),
  checked: z.boolean(),
  steps: whole,
  spins: whole,
  code: z.int(),
  search: z.object({ index: whole, keep: whole, frames: z.array(z.int()) }),
  counts: z.object({
    schedules: whole,
    redundant: whole,
    longest: whole,
    cut: whole,
    releases: whole,
    outcomes: z.array(whole),
  }),
});

export function encodeResume(resume: Resume): string {
  const body = deflateRawSync(JSON.stringify(resume)).toString('base64url');
  return PREFIX + checkSum(body) + body;
}

/** @throws ScenarioError when it is no such word, or of another scenario or design. */
export function decodeResume(text: string, name: string, design: string): Resume {
  const word = text.trim();
  if (!word.startsWith(PREFIX)) throw new ScenarioError(`resume: must start with ${PREFIX}: ${word.slice(0, 20)}`);
  const resume = parse(word.slice(PREFIX.length));
  if (resume.name !== name || resume.design !== design)
    throw new ScenarioError(
      `resume: is of ${resume.name}, design '${resume.design}', not of ${name}, design '${design}'`,
    );
  return resume;
}

/** A state that was changed on its way would leave part of the space out and say nothing. */
function checkSum(body: string): string {
  return crc32(body).toString(16).padStart(SUM_DIGITS, '0');
}

function parse(text: string): Resume {
  const body = text.slice(SUM_DIGITS);
  if (text.slice(0, SUM_DIGITS) !== checkSum(body)) throw new ScenarioError('resume: is damaged: its sum does not fit');
  let data: unknown;
  try {
    data = JSON.parse(inflateRawSync(Buffer.from(body, 'base64url')).toString());
  } catch {
    throw new ScenarioError('resume: is damaged: it does not unpack');
  }
  const read = schema.safeParse(data);
  if (!read.success) throw new ScenarioError(`resume: is damaged: ${z.prettifyError(read.error)}`);
  return read.data;
}
