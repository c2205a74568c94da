// What the command does: measures, and makes the model's costs of that.
import { type CostTable, loadPreset } from '../model/index.ts';
import { readEnvironment } from '../result/environment.ts';
import type { Environment } from '../result/schema.ts';
import { type Figures, figuresOf, withFigures } from './figures.ts';
import { presetText } from './file.ts';
import { type Measured, type MeasureOptions, measure } from './measure.ts';

export const FULL: CalibrateLength = { warmupMs: 300, timeMs: 800, repeats: 400 };
export const QUICK: CalibrateLength = { warmupMs: 120, timeMs: 120, repeats: 80 };
/** Few enough for the caches, many enough that a batch is full. */
const DEVICES = 8;
const PAGES_PER_JOB = 64;

export interface CalibrateLength {
  readonly warmupMs: number;
  readonly timeMs: number;
  readonly repeats: number;
}

export interface MachineCalibration {
  readonly environment: Environment;
  readonly date: string;
  readonly measured: Measured;
  readonly figures: Figures;
  readonly costs: CostTable;
  /** A preset of the model: YAML. */
  readonly preset: string;
}

/** Measures this machine. @throws the signal's reason; what a measurement threw. */
export async function calibrateMachine(
  length: CalibrateLength,
  hooks: Pick<MeasureOptions, 'signal' | 'onStep'>,
): Promise<MachineCalibration> {
  const sizes = { devices: DEVICES, pagesPerJob: PAGES_PER_JOB };
  const measured = await measure({ ...sizes, ...length, ...hooks });
  const figures = figuresOf(measured, PAGES_PER_JOB);
  const costs = withFigures(loadPreset('this-class').costs, figures);
  const environment = readEnvironment();
  const date = new Date();
  const preset = presetText({ environment, date, costs, ...sizes, timeMs: length.timeMs });
  return { environment, date: date.toISOString(), measured, figures, costs, preset };
}
