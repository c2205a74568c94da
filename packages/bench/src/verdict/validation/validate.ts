// The same cells twice: on real threads of this machine, and in the model with what was measured on it.
import { availableParallelism } from 'node:os';
import type { ModelConfig } from '../../model/index.ts';
import type { Cell } from '../../result/schema.ts';
import { defaultParameters } from '../../scenario/defaults.ts';
import { GENERATIONS, type Generation, type StressParameters } from '../../scenario/parameters.ts';
import type { Engine, RunHooks } from '../../stress/types.ts';
import type { Outcome } from '../outcome.ts';
import { CORE_ADAPTIVE } from '../plan.ts';
import { SimulationPool } from '../pool.ts';
import { WITHIN } from '../validation-view.ts';
import { DisturbanceMeter, referenceLoop } from './disturbance.ts';
import type { ComparedRow, Comparison, RowVerdict } from './result.ts';

export const VALIDATED_THREADS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

export interface ValidateOptions {
  readonly threads: readonly number[];
  readonly generations: readonly Generation[];
  /** Length of a real cell, and repeats of each. */
  readonly seconds: number;
  readonly repeats: number;
  /** Virtual seconds of a simulated one. */
  readonly modelSeconds: number;
  /** Whether to compare once more with the page scanner, calibrated to this machine. */
  readonly withScanner: boolean;
  readonly seed: number;
}

export const VALIDATE_FULL: ValidateOptions = {
  threads: VALIDATED_THREADS,
  generations: GENERATIONS,
  seconds: 0.5,
  repeats: 3,
  modelSeconds: 0.5,
  withScanner: true,
  seed: 1,
};
export const VALIDATE_QUICK: ValidateOptions = {
  ...VALIDATE_FULL,
  threads: [1, 8, 64],
  seconds: 0.2,
  repeats: 1,
  modelSeconds: 0.1,
  withScanner: false,
};

/** From here on more threads bring nothing: the real run has this share of its generation's best. */
const SATURATED = 0.9;
/** Others had more of the processors than this: throughput says more of them than of the fault path. */
const DISTURBED = 0.1;
/** The reference loop took this much more, or less, than as the costs were measured. */
const DRIFT = 0.1;

interface RealCell extends Cell {
  readonly othersShare: number;
}

/** @param config this machine's, with measured costs. @throws what the engine threw; Interrupted */
export async function validate(
  config: ModelConfig,
  options: ValidateOptions,
  engine: Engine,
  hooks: RunHooks,
): Promise<Comparison> {
  const { threads, generations, seconds, repeats, seed } = options;
  const loopBefore = referenceLoop();
  const plain: StressParameters = {
    ...defaultParameters('stress', false),
    ...{ threads: [...threads], generations: [...generations], seconds, repeats, seed },
  };
  const cells = await runReal(engine, plain, hooks);
  const notes: string[] = [];
  if (options.withScanner && !hooks.signal.aborted) {
    const { scannerPeriodMs, timeoutMs } = await engine.calibrate(plain, hooks);
    notes.push(`page scanner: once round in ${scannerPeriodMs} ms, time-out ${timeoutMs} ms, as repro calibrates them`);
    cells.push(...(await runReal(engine, { ...plain, scanner: scannerPeriodMs, timeoutMs, repeats: 1 }, hooks)));
  }
  const drift = referenceLoop() / loopBefore - 1;
  if (Math.abs(drift) > DRIFT)
    notes.push(`the machine's speed changed by ${(drift * 100).toFixed(0)} % between the first cell and the last`);
  const rows = await compare(config, options, plain, cells, hooks);
  const held = rows.filter(({ verdict }) => verdict === 'within' || verdict === 'off');
  notes.push(
    `saturated: from the least number of threads on that reaches ${SATURATED * 100} % of the generation's best throughput`,
    `disturbed: other programs had more than ${DISTURBED * 100} % of the processors while the cell ran`,
    `real: of ${repeats} repeats the one that was disturbed least`,
  );
  return {
    rows,
    notes,
    limit: WITHIN,
    held: held.length,
    within: held.filter(({ verdict }) => verdict === 'within').length,
  };
}

async function runReal(engine: Engine, parameters: StressParameters, hooks: RunHooks): Promise<RealCell[]> {
  const meter = new DisturbanceMeter();
  const cells: RealCell[] = [];
  await engine.runCells(parameters, {
    ...hooks,
    onCell(cell) {
      cells.push({ ...cell, othersShare: meter.lap() });
      hooks.onCell(cell);
    },
  });
  return cells;
}

/** The cell in the model's words. */
export function modelOf(config: ModelConfig, parameters: StressParameters, cell: Cell, seconds: number): ModelConfig {
  const { devices, handlers, maxActive, queueEntries, pagesPerJob, stallMax, timeoutMs } = parameters;
  const { generation, threads, scanner } = cell;
  const { seconds: _seconds, faults: _faults, loadSteps: _steps, remove: _remove, ...rest } = config;
  return {
    ...rest,
    ...{ generation, threads, devices, handlers, maxActive, queueEntries, pagesPerJob, stallMax, timeoutMs },
    processors: availableParallelism(),
    deviceOnProcessor: true,
    hardwareOnProcessor: true,
    adaptive: CORE_ADAPTIVE,
    scanner: scanner === 0 ? { kind: 'none' } : { kind: 'round', periodMs: scanner, chunkPages: SCAN_CHUNK_PAGES },
    seconds,
    warmupSeconds: seconds / 2,
  };
}
/** As stress/device-worker.ts has it. */
const SCAN_CHUNK_PAGES = 64;

async function compare(
  config: ModelConfig,
  { modelSeconds, seed }: ValidateOptions,
  parameters: StressParameters,
  cells: readonly RealCell[],
  hooks: RunHooks,
): Promise<ComparedRow[]> {
  const groups = Map.groupBy(cells, ({ generation, threads, scanner }) => `${scanner} ${threads} ${generation}`);
  let done = 0;
  const pool = new SimulationPool(availableParallelism(), {
    onAsked: () => {},
    onDone: () => hooks.onProgress(++done, groups.size, 'simulating the same cells'),
    signal: hooks.signal,
  });
  try {
    const rows = await Promise.all(
      [...groups.values()].map(async (repeats) => {
        const calm = repeats.reduce((best, each) => (each.othersShare < best.othersShare ? each : best));
        const outcome = await pool.run(modelOf(config, parameters, calm, modelSeconds), seed);
        return rowOf(calm, repeats, outcome);
      }),
    );
    return judge(rows);
  } finally {
    await pool.destroy();
  }
}

type Unjudged = Omit<ComparedRow, 'verdict' | 'isBelowSaturation'>;

function rowOf(calm: RealCell, repeats: readonly RealCell[], outcome: Outcome): Unjudged {
  const { generation, threads, scanner, othersShare, timeouts, faultsPerSecond: real, latencyNs } = calm;
  const { faultsPerSecond: model, latency, processors: modelBusy, timeouts: modelTimeouts } = outcome;
  return {
    ...{ generation, threads, scanner, real, model, realP99Ns: latencyNs.p99, modelP99Ns: latency.p99 },
    throughputError: errorOf(model, real),
    p99Error: errorOf(latency.p99, latencyNs.p99),
    repeats: repeats.map(({ faultsPerSecond }) => faultsPerSecond),
    ...{ othersShare, modelBusy, timeouts, modelTimeouts },
  };
}

function errorOf(model: number, real: number): number {
  return real === 0 ? 0 : model / real - 1;
}

/** Says of each row whether it is held to the limit. */
export function judge(rows: readonly Unjudged[]): ComparedRow[] {
  return rows.map((row) => {
    const isBelowSaturation = row.threads < saturationOf(rows, row);
    const isWithin = Math.abs(row.throughputError) <= WITHIN;
    const verdict: RowVerdict = !isBelowSaturation
      ? 'saturated'
      : row.othersShare > DISTURBED
        ? 'disturbed'
        : isWithin
          ? 'within'
          : 'off';
    return { ...row, isBelowSaturation, verdict };
  });
}

/** The least number of threads that reaches its generation's best, nearly. */
function saturationOf(rows: readonly Unjudged[], { generation, scanner }: Unjudged): number {
  const own = rows.filter((row) => row.generation === generation && row.scanner === scanner);
  const best = Math.max(...own.map(({ real }) => real));
  return Math.min(...own.filter(({ real }) => real >= SATURATED * best).map(({ threads }) => threads));
}
