// One `calibrate` from options to exit code.
import { writeFileSync } from 'node:fs';
import { calibrateMachine, FULL, QUICK } from '../../calibrate/calibrate.ts';
import { presetName } from '../../calibrate/file.ts';
import { renderCosts } from '../../calibrate/table.ts';
import { openProgress } from '../progress.ts';
import { EXIT_INTERRUPTED, EXIT_OK, type Host, touch } from '../run.ts';

/** As commander hands them over. */
export interface CalibrateOptions {
  readonly out?: string;
  readonly json?: string;
  readonly quick: boolean;
}

export type CalibrateHost = Pick<Host, 'out' | 'err' | 'signal'>;

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
  let isPlanned = false;
  const onStep = (done: number, total: number, label: string): void => {
    if (!isPlanned) progress.plan(total, total * stepSeconds);
    isPlanned = true;
    progress.at(done * stepSeconds, total * stepSeconds, label);
  };
  // Threads in Atomics.wait keep no process alive.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    const { preset, costs, figures, ...calibration } = await calibrateMachine(length, { signal, onStep });
    progress.stop();
    host.out.write(`${renderCosts(costs, figures)}\n`);
    writeFileSync(out, preset);
    if (options.json !== undefined)
      writeFileSync(options.json, `${JSON.stringify({ ...calibration, figures, costs }, null, 2)}\n`);
    host.out.write(`costs written to ${out}\n`);
    return EXIT_OK;
  } catch (error) {
    if (signal.aborted) return EXIT_INTERRUPTED;
    throw error;
  } finally {
    clearInterval(alive);
    progress.stop();
  }
}
