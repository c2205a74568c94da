// One run from request to exit code: refuse what does not fit, calibrate, measure, print, write the files.
import { writeFileSync } from 'node:fs';
import { openPerfetto } from '../perfetto/options.ts';
import { openRecording } from '../replay/record/stress-recording.ts';
import { renderHtml } from '../report/html.ts';
import { renderResult, unbalanced } from '../report/table.ts';
import { readEnvironment } from '../result/environment.ts';
import { type Calibration, type Cell, type Result, SCHEMA_VERSION } from '../result/schema.ts';
import { creditsWithin } from '../scenario/credits.ts';
import { refuseMemory } from '../scenario/memory.ts';
import type { StressParameters } from '../scenario/parameters.ts';
import type { Engine, RunHooks } from '../stress/types.ts';
import { openProgress, type TextSink } from './progress.ts';
import { type Request, UsageError } from './request.ts';

export const EXIT_OK = 0;
/** The books do not balance, or the engine failed. */
export const EXIT_FAILED = 1;
/** Bad input. */
export const EXIT_USAGE = 2;
/** 128 + SIGINT, as shells have it. */
export const EXIT_INTERRUPTED = 130;

/** How long after the signal the engine may take to stop its threads. */
const STOP_MS = 2000;

/** What a run needs of the process; tests bring their own. */
export interface Host {
  readonly engine: Engine;
  readonly out: TextSink;
  readonly err: TextSink;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  readonly availableBytes: number;
}

/** @returns the exit code.
 * @throws UsageError when the run would not fit into memory or a file cannot be written, before anything is measured;
 * what the engine threw, after printing what was measured until then as partial. */
export async function run(request: Request, host: Host): Promise<number> {
  const refusal = refuseMemory(request.parameters, host.availableBytes);
  if (refusal !== null) throw new UsageError(refusal);
  for (const option of ['json', 'html', 'record'] as const) touch(`--${option}`, request[option]);
  touch('--perfetto', request.perfetto?.file);

  const { recorder, done: traced } = openPerfetto(request.perfetto);
  const progress = openProgress(host.err);
  const cells: Cell[] = [];
  const recording = openRecording(request.record);
  const hooks: RunHooks = {
    requests: recording.requests,
    onPlan: (count, seconds) => progress.plan(count, seconds),
    onCell: (cell) => {
      cells.push(cell);
      progress.cell(cell);
    },
    onProgress: (done, total, label) => progress.at(done, total, label),
    onNote: (text) => progress.note(text),
    signal: host.signal,
    recorder,
  };
  const measured: Measured = { parameters: request.parameters, partial: true };
  // Atomics.waitAsync keeps no process alive, and an engine may wait for nothing else.
  const alive = setInterval(() => {}, 2 ** 30);
  let failure: { reason: unknown } | undefined;
  try {
    const late = await orLate(measure(request, host.engine, hooks, measured), host.signal);
    if (late) progress.note(`threads were still running ${STOP_MS} ms after the signal, and end with the process`);
  } catch (reason) {
    failure = { reason };
  }
  clearInterval(alive);
  recording.done((text) => progress.note(text));
  traced((text) => progress.note(text));
  progress.stop();

  const result: Result = {
    schemaVersion: SCHEMA_VERSION,
    command: request.command,
    environment: readEnvironment(),
    ...measured,
    cells,
  };
  host.out.write(renderResult(result));
  if (request.json !== undefined) writeFileSync(request.json, `${JSON.stringify(result)}\n`);
  if (request.html !== undefined) writeFileSync(request.html, renderHtml(result));
  if (failure) throw failure.reason; // what was measured before it is worth having, and is out by now
  return exitCode(result, host.err);
}

interface Measured {
  parameters: StressParameters;
  calibration?: Calibration;
  partial: boolean;
}

/** Fills `measured` as it goes, so that an interrupted run can show what it had. */
async function measure(request: Request, engine: Engine, hooks: RunHooks, measured: Measured): Promise<void> {
  if (request.command === 'repro') {
    const calibration = await engine.calibrate(measured.parameters, hooks);
    if (hooks.signal.aborted) return;
    measured.calibration = calibration;
    const { scannerPeriodMs, costNsPerFault } = calibration;
    const timeoutMs = request.chosen.has('timeoutMs') ? measured.parameters.timeoutMs : calibration.timeoutMs;
    measured.parameters = {
      ...measured.parameters,
      ...(request.chosen.has('scanner') ? {} : { scanner: scannerPeriodMs }),
      timeoutMs,
      ...(request.chosen.has('credits') ? {} : { credits: creditsWithin(timeoutMs, costNsPerFault) }),
    };
  }
  const { partial } = await engine.runCells(measured.parameters, hooks);
  measured.partial = partial;
}

/** Waits for the work, but after an abort no longer than the engine may take.
 * @returns true when the time ran out. */
async function orLate(work: Promise<void>, signal: AbortSignal): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  let arm: (() => void) | undefined;
  const late = new Promise<boolean>((resolve) => {
    arm = () => {
      timer = setTimeout(() => resolve(true), STOP_MS);
    };
    if (signal.aborted) arm();
    else signal.addEventListener('abort', arm, { once: true });
  });
  try {
    return await Promise.race([work.then(() => false), late]);
  } finally {
    clearTimeout(timer);
    if (arm) signal.removeEventListener('abort', arm);
  }
}

function exitCode(result: Result, err: TextSink): number {
  const wrong = unbalanced(result);
  if (wrong.length > 0) {
    err.write(wrong.map((line) => `books do not balance: ${line}\n`).join(''));
    return EXIT_FAILED;
  }
  return result.partial ? EXIT_INTERRUPTED : EXIT_OK;
}

/** Four minutes of measuring must not end at a folder that does not exist. */
export function touch(option: string, file: string | undefined): void {
  if (file === undefined) return;
  try {
    writeFileSync(file, '', { flag: 'a' });
  } catch (error) {
    throw new UsageError(`${option} = ${JSON.stringify(file)}: cannot be written: ${(error as Error).message}`);
  }
}
