// The verdict as data: what the document, the terminal and the HTML page are made from.
import { z } from 'zod';
import { type Cost, costSchema, type Preset, type PresetParameter } from '../model/index.ts';
import type { Environment } from '../result/schema.ts';
import { type Candidate, candidateSchema } from './adaptive.ts';
import { type Metastability, metastabilitySchema } from './metastability.ts';
import { type Plan, planSchema } from './plan.ts';
import { type RealRun, realRunSchema } from './real.ts';
import { type SensitivityPoint, sensitivityPointSchema } from './sensitivity.ts';
import { type Removal, removalSchema } from './suspects.ts';
import { type TableRow, tableRowSchema } from './table.ts';
import { type Validation, validationSchema } from './validation-view.ts';

export const VERDICT_VERSION = 1;

export interface VerdictResult {
  readonly schemaVersion: typeof VERDICT_VERSION;
  readonly command: 'verdict';
  readonly environment: Environment;
  readonly plan: Plan;
  readonly preset: {
    readonly name: string;
    readonly text: string;
    readonly parameters: Readonly<Record<string, PresetParameter>>;
    /** By name; a stored result may know others than the model has by now. */
    readonly costs: Readonly<Record<string, Cost>>;
  };
  /** Interrupted: what is here was finished, what is missing was not. */
  readonly partial: boolean;
  readonly table: readonly TableRow[];
  readonly removals: readonly Removal[];
  readonly sensitivity: readonly SensitivityPoint[];
  readonly metastability: Metastability;
  readonly candidates: readonly Candidate[];
  readonly real?: RealRun;
  readonly validation?: Validation;
  /** What it took. */
  readonly effort: {
    readonly simulations: number;
    readonly events: number;
    readonly seconds: number;
    readonly tableSeconds: number;
    readonly processors: number;
  };
}

const environmentSchema: z.ZodType<Environment> = z.object({
  node: z.string(),
  v8: z.string(),
  platform: z.string(),
  arch: z.string(),
  release: z.string(),
  cpus: z.int(),
  cpuModel: z.string(),
  memoryBytes: z.number(),
});

const parameterSchema: z.ZodType<PresetParameter> = z.object({
  value: z.unknown(),
  kind: z.enum(['measured', 'published', 'guess']),
  source: z.string(),
});

export const verdictSchema: z.ZodType<VerdictResult> = z.object({
  schemaVersion: z.literal(VERDICT_VERSION),
  command: z.literal('verdict'),
  environment: environmentSchema,
  plan: planSchema,
  preset: z.object({
    name: z.string(),
    text: z.string(),
    parameters: z.record(z.string(), parameterSchema),
    costs: z.record(z.string(), costSchema),
  }),
  partial: z.boolean(),
  table: z.array(tableRowSchema),
  removals: z.array(removalSchema),
  sensitivity: z.array(sensitivityPointSchema),
  metastability: metastabilitySchema,
  candidates: z.array(candidateSchema),
  real: realRunSchema.exactOptional(),
  validation: validationSchema.exactOptional(),
  effort: z.object({
    simulations: z.int(),
    events: z.number(),
    seconds: z.number(),
    tableSeconds: z.number(),
    processors: z.int(),
  }),
});

export function presetOf({ name, text, parameters, costs }: Preset): VerdictResult['preset'] {
  return { name, text, parameters, costs };
}
