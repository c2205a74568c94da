import { IopfSystem, sumBooks } from '@faultline/core/iopf';
import { OBJECT_GRACE, type Slab } from '@faultline/core/memory';
import { TICK_NS } from '@faultline/core/sync';
import { HistogramSum } from '@faultline/core/trace';
import { readDeviceResults } from '@faultline/hw/accelerator';
import type { Bin, Cell } from '../result/schema.ts';
import { LAYOUTS } from './family/layouts.ts';
import { histogramBase, resultBase } from './plan.ts';
import type { CellOrder, CellStage } from './run-cell.ts';

/** Reads a cell's figures from the arena. Context: all its threads have left it. */
export function collectCell({ arena, plan }: CellStage, order: CellOrder, seconds: number): Cell {
  const { words } = arena;
  const histogram = new HistogramSum();
  let [faults, resumed, jobs, timeouts, refaults] = [0, 0, 0, 0, 0];
  for (let thread = 0; thread < order.threads; thread++) {
    histogram.add(words, histogramBase(arena, thread));
    const result = readDeviceResults(words, resultBase(arena, thread));
    faults += result.posted;
    resumed += result.resumed + result.aborted;
    jobs += result.jobs;
    timeouts += result.timeouts;
    refaults += result.refaults;
  }
  const stats = LAYOUTS[plan.parameters.iommu].readStats(arena);
  const system = new IopfSystem(arena, { id: 1, spins: 0 });
  const books = sumBooks(words, arena.base('iopf.books'), plan.iopf.threads);
  let pending = 0;
  for (let domain = 0; domain <= plan.iopf.domains; domain++) pending += system.pending.read(domain);
  let references = 0;
  for (let param = 0; param <= system.params.capacity; param++) references += system.references.read(param);
  const slabs = [system.requests, system.params, system.handles];
  const bins = [...histogram.bins()].map(({ start, count }): Bin => [start * TICK_NS, count]);
  return {
    generation: order.generation,
    threads: order.threads,
    repeat: order.repeat,
    scanner: order.scanPeriodMs,
    faults,
    seconds,
    faultsPerSecond: faults / seconds,
    latencyNs: {
      p50: histogram.quantile(0.5) * TICK_NS,
      p99: histogram.quantile(0.99) * TICK_NS,
      p999: histogram.quantile(0.999) * TICK_NS,
      max: histogram.max * TICK_NS,
    },
    histogram: bins,
    jobs,
    timeouts,
    refaults,
    overflows: stats.overflows,
    automatic: stats.automatic,
    reported: books.reported,
    answered: books.answered + books.voided + books.refused,
    resumed,
    leaked: {
      slab: slabs.reduce((live, slab) => live + slab.live(), 0),
      references,
      pending,
      deferred: slabs.reduce((grace, slab) => grace + inGrace(slab), 0),
    },
  };
}

function inGrace(slab: Slab): number {
  let count = 0;
  for (let index = 1; index <= slab.capacity; index++) if (slab.state(index) === OBJECT_GRACE) count++;
  return count;
}
