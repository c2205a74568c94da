// Where a design's knee lies: the load from which more threads no longer get more, or anything, done.
import type { MergedCell } from '../result/merge.ts';
import type { Generation } from '../scenario/parameters.ts';
import { formatRate } from './format.ts';

/** Below this share of its best, a generation counts as collapsed. */
const COLLAPSE = 0.25;

export interface Knee {
  generation: Generation;
  /** Milliseconds the scanner takes to go round; 0 = it was off. */
  scanner: number;
  /** First thread count past the knee; null when no cell is. */
  threads: number | null;
  why: string;
}

/** Finds each generation's knee, once per scanner pace: the first thread count with time-outs,
 * or past the best one, where useful work falls below a quarter of it: faults that are not a job's second on the same page. */
export function findKnees(cells: readonly MergedCell[]): Knee[] {
  const curves = Map.groupBy(cells, (cell) => `${cell.scanner}/${cell.generation}`);
  return [...curves.values()].map(kneeOf);
}

function kneeOf(curve: readonly MergedCell[]): Knee {
  const { generation, scanner } = curve[0];
  const cells = [...curve].sort((a, b) => a.threads - b.threads);
  let best = cells[0];
  for (const cell of cells) {
    if (cell.timeouts > 0) {
      return { generation, scanner, threads: cell.threads, why: `${cell.timeouts} time-outs` };
    }
    const rate = usefulRate(cell);
    const bestRate = usefulRate(best);
    if (rate < COLLAPSE * bestRate) {
      const why = `useful work ${formatRate(rate)}, under a quarter of ${formatRate(bestRate)} at ${best.threads}`;
      return { generation, scanner, threads: cell.threads, why };
    }
    if (rate > bestRate) best = cell;
  }
  const last = cells[cells.length - 1].threads;
  return {
    generation,
    scanner,
    threads: null,
    why: `none up to ${last}: no time-outs, useful work never under a quarter of its best`,
  };
}

function usefulRate(cell: MergedCell): number {
  return cell.faults === 0 ? 0 : cell.faultsPerSecond.median * (1 - cell.refaults / cell.faults);
}

/** @returns e.g. `lockless, scanner off: knee at 512 threads (3 time-outs)`. */
export function describeKnee({ generation, scanner, threads, why }: Knee): string {
  const pace = scanner > 0 ? `scanner ${scanner} ms` : 'scanner off';
  return `${generation}, ${pace}: ${threads === null ? why : `knee at ${threads} threads (${why})`}`;
}
