// The calibration's file: a preset of the model, with what was measured here.
import { cpus } from 'node:os';
import { stringify } from 'yaml';
import { COST_NAMES, type CostTable, loadPreset, type PresetParameter } from '../model/index.ts';
import type { Environment } from '../result/schema.ts';
import { defaultParameters } from '../scenario/defaults.ts';
import { PUMP_BATCH } from './machine.ts';

export interface FileOrder {
  readonly environment: Environment;
  readonly date: Date;
  readonly costs: CostTable;
  readonly devices: number;
  readonly pagesPerJob: number;
  readonly timeMs: number;
}

/** @returns YAML that `parsePreset` takes. */
export function presetText({ environment, date, costs, devices, pagesPerJob, timeMs }: FileOrder): string {
  const { cpuModel, cpus: processors, node, v8, platform, release } = environment;
  const { parameters } = loadPreset('this-class');
  const { handlers, maxActive, queueEntries, stallMax, pagesPerJob: jobPages } = defaultParameters('stress', false);
  const here = (value: unknown, source: string): PresetParameter => ({ value, kind: 'measured', source });
  const DEFAULTS = 'scenario defaults of the stress run';
  const file = {
    name: 'calibrated',
    text:
      `${cpuModel}, ${processors} processors at ${cpus()[0]?.speed ?? 0} MHz as told; ${platform} ${release}; Node ${node}, V8 ${v8}; ` +
      `measured ${date.toISOString()} with ${devices} device threads of ${pagesPerJob} pages, ${timeMs} ms a stage.`,
    parameters: {
      ...parameters,
      processors: here(processors, 'os.availableParallelism()'),
      handlers: here(handlers, DEFAULTS),
      maxActive: here(maxActive, DEFAULTS),
      queueEntries: here(queueEntries, DEFAULTS),
      stallMax: here(stallMax, DEFAULTS),
      pagesPerJob: here(jobPages, DEFAULTS),
      interruptBatch: here(PUMP_BATCH, 'hw/smmu-v3/event-pump.ts'),
    },
    costs: Object.fromEntries(COST_NAMES.map((name) => [name, costs[name]])),
  };
  return `# Made by faultline calibrate. Figures marked measured are this machine's; the others are as their source says.\n${stringify(file, { lineWidth: 140 })}`;
}

/** @returns a name for it in the working directory. */
export function presetName(date: Date): string {
  return `faultline-costs-${date.toISOString().slice(0, 16).replaceAll(/[-:]/g, '').replace('T', '-')}.yaml`;
}
