export { Arrivals } from './arrivals.ts';
export {
  type AdaptiveSwitches,
  type LoadStep,
  MODEL_GENERATIONS,
  type ModelConfig,
  type ModelGeneration,
} from './config.ts';
export { COST_NAMES, COST_TEXTS, type CostName } from './costs/names.ts';
export { type Cost, type CostTable, costSchema } from './costs/schema.ts';
export { modelConfigSchema, parameterOf, withParameter } from './parameters.ts';
export {
  loadPreset,
  PRESET_NAMES,
  type Preset,
  type PresetName,
  type PresetParameter,
  parsePreset,
} from './presets.ts';
export type { ModelResult, SeriesPoint } from './result.ts';
export { simulate } from './run.ts';
export { measureSpeed } from './speed.ts';
export { SUSPECT_NAMES, SUSPECTS, type Suspect } from './suspects.ts';
