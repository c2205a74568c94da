import { z } from 'zod';
import { PRESET_NAMES, type PresetName } from '../../model/index.ts';
import type { LatencyNs } from '../../result/schema.ts';
import { GENERATIONS } from '../../scenario/parameters.ts';
import type { ModelReplayed, ModelReplayOptions } from '../model/replay-model.ts';
import { count, latencySchema, REPLAY_SCHEMA_VERSION, type TraceFigures, traceFigures } from './schema.ts';

/** What a replay through the model writes with --json. Fields that ReplayResult has too mean the same; seconds are virtual. */
export interface ModelReplayResult extends TraceFigures {
  schemaVersion: typeof REPLAY_SCHEMA_VERSION;
  command: 'replay';
  file: string;
  options: Omit<ModelReplayOptions, 'speed' | 'preset'> & { preset: PresetName; speed: number | null };
  interrupted: boolean;
  unplaced: number;
  stopMarkers: number;
  groupsSent: number;
  answered: number;
  heldForCredit: number;
  seconds: number;
  latencyNs: LatencyNs;
  /** Events that were simulated. */
  events: number;
  unbalanced: string[];
}

export const modelReplayResultSchema: z.ZodType<ModelReplayResult> = z.object({
  schemaVersion: z.literal(REPLAY_SCHEMA_VERSION),
  command: z.literal('replay'),
  file: z.string(),
  options: z.object({
    preset: z.enum(PRESET_NAMES),
    generation: z.enum(GENERATIONS),
    speed: z.number().positive().nullable(),
    ...{ devices: count, seed: count },
  }),
  interrupted: z.boolean(),
  ...traceFigures,
  ...{ unplaced: count, stopMarkers: count, groupsSent: count, answered: count, heldForCredit: count, events: count },
  seconds: z.number().nonnegative(),
  latencyNs: latencySchema,
  unbalanced: z.array(z.string()),
});

export function makeModelResult(
  file: string,
  options: Omit<ModelReplayOptions, 'preset'> & { readonly preset: PresetName },
  replayed: ModelReplayed,
): ModelReplayResult {
  const { reader, ...figures } = replayed;
  const { groupsSent, answered } = figures;
  return {
    schemaVersion: REPLAY_SCHEMA_VERSION,
    command: 'replay',
    file,
    options: { ...options, speed: Number.isFinite(options.speed) ? options.speed : null },
    ...reader.counts,
    unreadableLines: reader.unreadable,
    devices: reader.parser.names.count,
    ...figures,
    unbalanced: groupsSent === answered ? [] : [`groupsSent = ${groupsSent}, but answered = ${answered}`],
  };
}
