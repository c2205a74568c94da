import { COST_NAMES, type CostName } from './costs/names.ts';
import type { CostTable } from './costs/schema.ts';
import { loadPreset, type ModelConfig } from './index.ts';

/** Costs that are all 0 but for those given. */
export function costs(given: Partial<Record<CostName, number>>): CostTable {
  const cost = (name: CostName): [string, unknown] => [name, { ns: given[name] ?? 0, kind: 'guess', source: 'a test' }];
  return Object.fromEntries(COST_NAMES.map(cost)) as unknown as CostTable;
}

/** A machine with hardware beside it, processors for all, and costs that are all 0 but for those given. */
export function bare(given: Partial<Record<CostName, number>>, change: Partial<ModelConfig>): ModelConfig {
  return {
    ...loadPreset('reporter-arm128').config,
    scanner: { kind: 'none' },
    buffers: 'discard',
    windows: 1,
    pagesPerJob: 1,
    jobComputeNs: 0,
    deviceEngines: 0,
    processors: 64,
    handlers: 32,
    grain: 1,
    seconds: 0.02,
    warmupSeconds: 0.005,
    jobWait: 'sleep',
    costs: costs(given),
    ...change,
  };
}
