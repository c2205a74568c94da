import type { StressParameters } from '../scenario/parameters.ts';
import { onStage } from './run.ts';
import { runCell } from './run-cell.ts';
import type { Calibration, RunHooks } from './types.ts';

const THREADS = 64;
const WARM_UP_FAULTS = 150_000;
const SECONDS = 1;
/** The thread count at which the mailing list's machine timed out. */
const TABLE_MAX = 512;
/** A page stays with its job for about one latency: a scanner that comes round as often takes most pages at 512 threads away
 * before their jobs are through with them, and few at 8. */
const SCAN_PER_LATENCY = 1;
/** Well above what a fault waits at 512 threads when nothing is taken away, so that a time-out means a page lost again and again. */
const TIMEOUT_PER_LATENCY = 4;

/** Measures what a fault costs here, without a scanner, and derives the scanner's pace and the time-out from it, for every
 * generation alike. The cost is that of `locked`, the table's own measure. */
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
  hooks.onNote(`calibrating: ${THREADS} threads, locked, no scanner`);
  const cell = await onStage(own, hooks.signal, async (stage) => {
    await stage.crew.growDevices(Math.ceil(THREADS / own.threadsPerWorker), () => {}, hooks.signal);
    const order = { generation: 'locked', threads: THREADS, scanPeriodMs: 0, timeoutMs: own.timeoutMs } as const;
    await runCell(stage, { ...order, repeat: 0, faults: WARM_UP_FAULTS });
    return runCell(stage, { ...order, repeat: 1, seconds: SECONDS });
  });
  const costNs = 1e9 / cell.faultsPerSecond;
  const latencyMs = (TABLE_MAX * parameters.pagesPerJob * costNs) / 1e6;
  const scannerPeriodMs = Math.max(1, Math.round(SCAN_PER_LATENCY * latencyMs));
  const timeoutMs = Math.max(10, Math.round(TIMEOUT_PER_LATENCY * latencyMs));
  return {
    costNsPerFault: costNs,
    latencyMsAt512: latencyMs,
    scannerPeriodMs,
    timeoutMs,
    explanation: [
      `${TABLE_MAX} threads with ${parameters.pagesPerJob} pages each keep ${TABLE_MAX * parameters.pagesPerJob} faults waiting, each for about ${latencyMs.toFixed(0)} ms.`,
      `The scanner comes round in ${SCAN_PER_LATENCY} x that, the device gives up after ${TIMEOUT_PER_LATENCY} x that: both the same for every generation.`,
      'Where jobs are admitted (`adaptive`), as many faults have credits as are answered in a quarter of the time-out; further jobs wait before they begin.',
    ],
  };
}
