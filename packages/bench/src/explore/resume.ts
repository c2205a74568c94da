// Where an exploration stood, as one word: printed at a bound or at Ctrl-C, to go on from there.
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import type { Counts } from './engine/crew.ts';
import { ScenarioError } from './engine/placement.ts';
import type { Strategy } from './scenario.ts';

export interface Resume {
  readonly name: string;
  readonly design: string;
  readonly strategy: Strategy;
  readonly seconds: number;
  readonly search: { readonly index: number; readonly keep: number; readonly frames: readonly number[] };
  readonly counts: Counts;
}

const PREFIX = 'r1:';
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
  return PREFIX + deflateRawSync(JSON.stringify(resume)).toString('base64url');
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

function parse(body: string): Resume {
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
