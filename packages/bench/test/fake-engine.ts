// An engine that invents its cells at once, or waits to be interrupted: the command line is tested against it.
import type { Calibration, Cell } from '../src/result/schema.ts';
import type { StressParameters } from '../src/scenario/parameters.ts';
import type { Engine, RunHooks, RunOutcome } from '../src/stress/types.ts';
import { makeCell } from './cells.ts';

export interface FakeEngine extends Engine {
  /** Parameters of each run asked for. */
  readonly asked: StressParameters[];
}

export interface FakeBehaviour {
  /** Changes a cell before it is handed over. */
  spoil?: (cell: Cell) => Cell;
  /** Cells to measure before waiting for the signal. */
  waitAfter?: number;
  /** Ignore the signal, as an engine does whose thread hangs. */
  deaf?: boolean;
}

export function fakeEngine({ spoil = (cell) => cell, waitAfter, deaf = false }: FakeBehaviour = {}): FakeEngine {
  const asked: StressParameters[] = [];
  return {
    asked,
    async runCells(parameters: StressParameters, hooks: RunHooks): Promise<RunOutcome> {
      asked.push(parameters);
      const cells: Cell[] = [];
      const { threads, generations, repeats, scanner, compareScanner } = parameters;
      hooks.onPlan(threads.length * generations.length * repeats, 1);
      for (const count of threads) {
        for (const generation of generations) {
          for (let repeat = 0; repeat < repeats; repeat += 1) {
            if (cells.length === waitAfter) {
              await (deaf ? new Promise(() => {}) : aborted(hooks.signal));
              return { cells, partial: true };
            }
            const cell = spoil(makeCell({ generation, threads: count, repeat, scanner }));
            cells.push(cell);
            hooks.onProgress(0.5, 1, generation);
            hooks.onCell(cell);
            if (compareScanner && scanner > 0)
              hooks.onCell(makeCell({ generation, threads: count, repeat, scanner: 0 }));
          }
        }
      }
      return { cells, partial: false };
    },
    async calibrate(): Promise<Calibration> {
      const explanation = ['Chosen by the test.'];
      return { costNsPerFault: 1830, latencyMsAt512: 12, scannerPeriodMs: 777, timeoutMs: 99, explanation };
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
