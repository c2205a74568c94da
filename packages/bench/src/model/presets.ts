import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import type { ModelConfig } from './config.ts';
import type { CostKind } from './costs/schema.ts';
import { COST_KINDS, type CostTable, costTableSchema } from './costs/schema.ts';
import { modelConfigSchema } from './parameters.ts';

/** Machines that are described, as files beside this one. */
export const PRESET_NAMES = ['this-class', 'reporter-arm128'] as const;
export type PresetName = (typeof PRESET_NAMES)[number];

/** A parameter with where its value is from. */
export interface PresetParameter {
  readonly value: unknown;
  readonly kind: CostKind;
  readonly source: string;
}

export interface Preset {
  readonly name: string;
  readonly text: string;
  /** By dot path. */
  readonly parameters: Readonly<Record<string, PresetParameter>>;
  readonly costs: CostTable;
  readonly config: ModelConfig;
}

const fileSchema = z.strictObject({
  name: z.string(),
  text: z.string(),
  parameters: z.record(
    z.string(),
    z.strictObject({ value: z.unknown(), kind: z.enum(COST_KINDS), source: z.string().min(3) }),
  ),
  costs: costTableSchema,
});

/** What a preset does not say, as it is no property of a machine: who asks says so. */
const ASKED: Pick<
  ModelConfig,
  | 'generation'
  | 'threads'
  | 'locks'
  | 'mmapLock'
  | 'invalidations'
  | 'adaptive'
  | 'seconds'
  | 'warmupSeconds'
  | 'seriesMs'
> = {
  generation: 'locked',
  threads: 8,
  locks: true,
  mmapLock: true,
  invalidations: true,
  adaptive: {
    coalescePerPage: false,
    boundHandlersToProcessors: true,
    batchedResponses: true,
    pinUntilUsedRounds: 4,
    admissionCredits: 0,
    interruptPumps: 1,
  },
  seconds: 10,
  warmupSeconds: 2,
  seriesMs: 100,
};

/** Reads a preset. @throws ZodError, YAMLParseError naming what is wrong with the file. */
export function loadPreset(name: PresetName): Preset {
  return parsePreset(readFileSync(new URL(`./presets/${name}.yaml`, import.meta.url), 'utf8'));
}

/** Makes a preset of a file's text. @throws ZodError, YAMLParseError */
export function parsePreset(text: string): Preset {
  const file = fileSchema.parse(parse(text));
  const given: Record<string, unknown> = {};
  for (const [path, { value }] of Object.entries(file.parameters)) {
    const [name, inner] = path.split('.');
    if (inner === undefined) given[name] = value;
    else given[name] = { ...(given[name] as object | undefined), [inner]: value };
  }
  const config = modelConfigSchema.parse({ ...ASKED, grain: 1, ...given, costs: file.costs });
  return { ...file, config };
}
