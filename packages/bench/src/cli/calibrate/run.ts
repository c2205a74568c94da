// One `calibrate` from options to exit code.
import { writeFileSync } from 'node:fs';
import { calibrateMachine, FULL, QUICK } from '../../calibrate/calibrate.ts';
import { presetName } from '../../calibrate/file.ts';
import { renderCosts } from '../../calibrate/table.ts';
import { parsePreset } from '../../model/index.ts';
import {
  type Comparison,
  renderComparison,
  VALIDATE_FULL,
  VALIDATE_QUICK,
  validate,
} from '../../verdict/validation/index.ts';
import { openProgress } from '../progress.ts';
import { EXIT_INTERRUPTED, EXIT_OK, type Host, touch } from '../run.ts';

/** As commander hands them over. */
export interface CalibrateOptions {
  readonly out?: string;
  readonly json?: string;
  readonly validate: boolean;
  readonly quick: boolean;
}

export type CalibrateHost = Pick<Host, 'engine' | 'out' | 'err' | 'signal'>;

/** About what a step takes besides its times: threads that start. */
const STEP_SECONDS = 0.3;

/** @returns 0, 130 interrupted. @throws UsageError a file cannot be written, before anything is measured. */
export async function runCalibrate(options: CalibrateOptions, host: CalibrateHost): Promise<number> {
  const { signal } = host;
  const out = options.out ?? presetName(new Date());
  touch('--out', out);
  touch('--json', options.json);
  const length = options.quick ? QUICK : FULL;
  const stepSeconds = (length.warmupMs + length.timeMs) / 1000 + STEP_SECONDS;
  const progress = openProgress(host.err);
  let steps = 0;
  const onStep = (done: number, total: number, label: string): void => {
    if (steps === 0) progress.plan(total, total * stepSeconds);
    steps = total;
    progress.at(done * stepSeconds, total * stepSeconds, label);
  };
  // Threads in Atomics.wait keep no process alive.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    const { preset, costs, figures, ...calibration } = await calibrateMachine(length, { signal, onStep });
    progress.stop();
    host.out.write(`${renderCosts(costs, figures)}\n`);
    writeFileSync(out, preset);
    host.out.write(`costs written to ${out}\n`);
    const validation = options.validate ? await validateCosts(preset, options.quick, host) : undefined;
    if (validation !== undefined) host.out.write(`${renderComparison(validation)}\n`);
    if (options.json !== undefined)
      writeFileSync(options.json, `${JSON.stringify({ ...calibration, figures, costs, validation }, null, 2)}\n`);
    return signal.aborted ? EXIT_INTERRUPTED : EXIT_OK;
  } catch (error) {
    if (signal.aborted) return EXIT_INTERRUPTED;
    throw error;
  } finally {
    clearInterval(alive);
    progress.stop();
  }
}

async function validateCosts(
  preset: string,
  quick: boolean,
  { engine, err, signal }: CalibrateHost,
): Promise<Comparison> {
  const progress = openProgress(err);
  try {
    return await validate(parsePreset(preset).config, quick ? VALIDATE_QUICK : VALIDATE_FULL, engine, {
      onPlan: (count, seconds) => progress.plan(count, seconds),
      onCell: (cell) => progress.cell(cell),
      onProgress: (done, total, label) => progress.at(done, total, label),
      onNote: (text) => progress.note(text),
      signal,
    });
  } finally {
    progress.stop();
  }
}
