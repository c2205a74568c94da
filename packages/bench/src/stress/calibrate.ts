import type { StressParameters } from '../scenario/parameters.ts';
import { onStage } from './run.ts';
import { runCell } from './run-cell.ts';
import type { Calibration, RunHooks } from './types.ts';

const THREADS = 64;
const SECONDS = 1;
const TABLE_MAX = 512;

/** Measures what a fault costs here, without a scanner, and derives the scanner's period and the time-out from it. */
export async function calibrate(parameters: StressParameters, hooks: RunHooks): Promise<Calibration> {
  const { faults: _faults, ...rest } = parameters;
  const own: StressParameters = {
    ...rest,
    threads: [THREADS],
    seconds: SECONDS,
    repeats: 1,
    scanner: 0,
    timeoutMs: 60_000,
  };
  const cell = await onStage(own, hooks.signal, async (stage) => {
    await stage.crew.growDevices(Math.ceil(THREADS / own.threadsPerWorker), () => {}, hooks.signal);
    const order = { generation: 'locked', threads: THREADS, scanPeriodMs: 0, timeoutMs: own.timeoutMs } as const;
    await runCell(stage, { ...order, repeat: 0, seconds: SECONDS / 2 });
    return runCell(stage, { ...order, repeat: 1, seconds: SECONDS });
  });
  const costNs = 1e9 / cell.faultsPerSecond;
  const outstanding = Math.min(TABLE_MAX * parameters.pagesPerJob, parameters.stallMax);
  const latencyMs = (outstanding * costNs) / 1e6;
  return {
    costNsPerFault: costNs,
    latencyMsAt512: latencyMs,
    scannerPeriodMs: Math.max(1, Math.round(latencyMs)),
    timeoutMs: Math.max(10, Math.round(8 * latencyMs)),
    explanation: [],
  };
}
