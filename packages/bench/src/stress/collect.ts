import { IopfSystem, sumBooks } from '@faultline/core/iopf';
import { OBJECT_GRACE, type Slab } from '@faultline/core/memory';
import { TICK_NS } from '@faultline/core/sync';
import { HistogramSum } from '@faultline/core/trace';
import { readDeviceResults } from '@faultline/hw/accelerator';
import { type EndpointStat, readEndpointStats } from '@faultline/hw/pcie';
import type { AtcFigures, Bin, Cell, GroupFigures, HostileFigures } from '../result/schema.ts';
import { readAdmission } from './admission.ts';
import { portPlaces } from './family/family.ts';
import { LAYOUTS } from './family/layouts.ts';
import { histogramBase, isTallied, ledgerPlace, resultBase } from './plan.ts';
import type { CellOrder, CellStage } from './run-cell.ts';
import { readStages } from './stages/sums.ts';
import { readTally } from './tally.ts';
import { readBreaches } from './translation-ledger.ts';
import { readFaultFile } from './user-space/reader-books.ts';

/** Reads a cell's figures from the arena. Context: all its threads have left it. */
export function collectCell(stage: CellStage, order: CellOrder, seconds: number): Cell {
  const { arena, plan } = stage;
  const { words } = arena;
  const { parameters } = plan;
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
  const stats = LAYOUTS[parameters.iommu].readStats(arena);
  const system = new IopfSystem(arena, { id: 1, spins: 0 });
  const books = sumBooks(words, arena.base('iopf.books'), plan.iopf.threads);
  const answered = books.answered + books.voided + books.refused;
  let pending = 0;
  for (let domain = 0; domain <= plan.iopf.domains; domain++) pending += system.pending.read(domain);
  let references = 0;
  for (let param = 0; param <= system.params.capacity; param++) references += system.references.read(param);
  const slabs = [system.requests, system.params, system.handles];
  const bins = [...histogram.bins()].map(({ start, count }): Bin => [start * TICK_NS, count]);
  const admission = readAdmission(arena, order.threads);
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
    answered,
    resumed,
    ...(isTallied(parameters) ? byGroup(stage, order, { faults, pages: resumed, answered, seconds }) : {}),
    ...(admission === undefined ? {} : { admission }),
    ...(parameters.atc ? { atc: atcFigures(stage, order) } : {}),
    ...(parameters.handler === 'iommufd' ? { faultFile: readFaultFile(arena) } : {}),
    ...(parameters.stages === true ? { stages: readStages(arena, order.threads) } : {}),
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

/** A sum over the endpoints of the good devices. */
function sumOf({ arena, plan }: CellStage, order: CellOrder): (stat: EndpointStat) => number {
  const { endpoints, endpointWords } = portPlaces(arena, plan.family, true);
  const each = Array.from({ length: order.threads }, (_, thread) =>
    readEndpointStats(arena.words, endpoints + thread * endpointWords),
  );
  return (stat) => each.reduce((sum, stats) => sum + stats[stat], 0);
}

/** The books in groups, of the good devices alone, and what became of the other one. */
function byGroup(
  stage: CellStage,
  order: CellOrder,
  all: { readonly faults: number; readonly pages: number; readonly answered: number; readonly seconds: number },
): Partial<Cell> {
  const { arena, plan } = stage;
  const { parameters } = plan;
  const stat = sumOf(stage, order);
  const tally = readTally(arena);
  const reported = tally.groups - tally.hostile.groups;
  const answered = all.answered - tally.hostile.answered;
  const resumed = stat('succeeded') + stat('invalid');
  const sent = stat('groups');
  const groups: GroupFigures = {
    sent,
    perSecond: sent / all.seconds,
    pagesPerGroup: sent === 0 ? 0 : all.faults / sent,
    pagesResumed: all.pages,
  };
  const { automatic } = LAYOUTS[parameters.iommu].readStats(arena);
  return {
    reported,
    answered,
    resumed,
    // The hardware does not say whom it answered: no more than what is missing, and no more than there was.
    automatic: parameters.misbehave === undefined ? automatic : Math.min(Math.max(0, resumed - answered), automatic),
    ...(parameters.groupPages > 1 ? { groups } : {}),
    ...(parameters.misbehave === undefined ? {} : { hostile: hostileFigures(stage, order, stat('unexpected')) }),
  };
}

function hostileFigures({ arena, plan }: CellStage, order: CellOrder, strays: number): HostileFigures {
  const { endpoints, endpointWords } = portPlaces(arena, plan.family, true);
  const stats = readEndpointStats(arena.words, endpoints + order.threads * endpointWords);
  const { hostile, ownAnswers } = readTally(arena);
  const { succeeded, invalid, failures, ignored, unexpected, lost, duplicated } = stats;
  const arrived = succeeded + invalid + failures + ignored + unexpected + lost - duplicated;
  return {
    requests: stats.requests,
    groups: stats.groups,
    reported: hostile.requests,
    answered: hostile.answered,
    rejected: Math.max(0, arrived - hostile.answered),
    rejectedByDriver: ownAnswers,
    succeeded,
    invalid,
    failures,
    unexpected,
    lost,
    dropped: stats.dropped,
    strays,
  };
}

function atcFigures(stage: CellStage, order: CellOrder): AtcFigures {
  const { arena, plan } = stage;
  const stat = sumOf(stage, order);
  return {
    hits: stat('hits'),
    translations: stat('translations'),
    invalidations: stat('invalidations'),
    discarded: stat('stale'),
    breaches: readBreaches(arena.words, ledgerPlace(arena, plan), order.threads),
  };
}
