// One thread of the verdict's pool: a simulation a task.
import { type ModelConfig, simulate } from '../model/index.ts';
import { type Answer, outcomeOf } from './outcome.ts';

export interface SimulationTask {
  readonly config: ModelConfig;
  readonly seed: number;
  readonly withSeries: boolean;
}

export default function run({ config, seed, withSeries }: SimulationTask): Answer {
  const result = simulate(config, seed);
  return { outcome: outcomeOf(result), ...(withSeries ? { series: result.series } : {}) };
}
