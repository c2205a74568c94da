// Repeats of one cell become one row: medians of what varies, sums of what counts, percentiles of all latencies together.
import { build } from 'hdr-histogram-js';
import { max, median, min } from 'simple-statistics';
import { GENERATIONS, type Generation } from '../scenario/parameters.ts';
import { checkBooks } from './books.ts';
import type {
  AdmissionFigures,
  AtcFigures,
  Bin,
  Cell,
  FaultFileFigures,
  GroupFigures,
  HostileFigures,
  LatencyNs,
  Leaked,
  Stages,
} from './schema.ts';
import { mergeStages } from './stages.ts';

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** All repeats of one generation at one thread count with one scanner pace, from one run or from several. */
export interface MergedCell {
  generation: Generation;
  threads: number;
  scanner: number;
  repeats: number;
  faultsPerSecond: Spread;
  /** Throughput over `locked`'s in the same repeat, minus 1; absent where `locked` did not run. */
  relative?: Spread;
  latencyNs: LatencyNs;
  histogram: Bin[];
  faults: number;
  seconds: number;
  jobs: number;
  timeouts: number;
  refaults: number;
  overflows: number;
  automatic: number;
  reported: number;
  answered: number;
  resumed: number;
  leaked: Leaked;
  /** Of runs that have them: sums, but for groups a second and pages a group, which are of the sums. */
  groups?: GroupFigures;
  /** Places of one repeat, the worst wait of all. */
  admission?: AdmissionFigures;
  atc?: AtcFigures;
  faultFile?: FaultFileFigures;
  hostile?: HostileFigures;
  stages?: Stages;
  /** The books of every repeat balance. */
  balanced: boolean;
}

/** Merges repeats. Cells of several runs may be given at once: the n-th of one generation is compared with the n-th `locked`. */
export function mergeCells(cells: readonly Cell[]): MergedCell[] {
  const groups = new Map<string, Cell[]>();
  const keyOf = (cell: Cell, generation: Generation): string => `${cell.scanner}/${cell.threads}/${generation}`;
  for (const cell of cells) {
    const key = keyOf(cell, cell.generation);
    const group = groups.get(key);
    if (group) group.push(cell);
    else groups.set(key, [cell]);
  }
  return [...groups.values()]
    .map((group) => mergeGroup(group, groups.get(keyOf(group[0], 'locked')) ?? []))
    .sort(inTableOrder);
}

/** With the scanner before without; then by threads, then as generations are listed: whatever order the cells ran in. */
function inTableOrder(a: MergedCell, b: MergedCell): number {
  return (
    b.scanner - a.scanner ||
    a.threads - b.threads ||
    GENERATIONS.indexOf(a.generation) - GENERATIONS.indexOf(b.generation)
  );
}

function mergeGroup(group: readonly Cell[], locked: readonly Cell[]): MergedCell {
  const total = (pick: (cell: Cell) => number): number => group.reduce((sum, cell) => sum + pick(cell), 0);
  const histogram = mergeBins(group.map((cell) => cell.histogram));
  const relative = group.flatMap((cell, at) => {
    const base = locked[at]?.faultsPerSecond ?? 0;
    return base > 0 ? [cell.faultsPerSecond / base - 1] : [];
  });
  return {
    generation: group[0].generation,
    threads: group[0].threads,
    scanner: group[0].scanner,
    repeats: group.length,
    faultsPerSecond: spreadOf(group.map((cell) => cell.faultsPerSecond)),
    ...(relative.length > 0 ? { relative: spreadOf(relative) } : {}),
    latencyNs: latencyOf(histogram, max(group.map((cell) => cell.latencyNs.max))),
    histogram,
    faults: total((cell) => cell.faults),
    seconds: total((cell) => cell.seconds),
    jobs: total((cell) => cell.jobs),
    timeouts: total((cell) => cell.timeouts),
    refaults: total((cell) => cell.refaults),
    overflows: total((cell) => cell.overflows),
    automatic: total((cell) => cell.automatic),
    reported: total((cell) => cell.reported),
    answered: total((cell) => cell.answered),
    resumed: total((cell) => cell.resumed),
    leaked: {
      slab: total((cell) => cell.leaked.slab),
      references: total((cell) => cell.leaked.references),
      pending: total((cell) => cell.leaked.pending),
      deferred: total((cell) => cell.leaked.deferred),
    },
    ...sumParts(group),
    // Sums could hide a loss in one repeat behind a surplus in another.
    balanced: group.every((cell) => checkBooks(cell).length === 0),
  };
}

function sumParts(
  group: readonly Cell[],
): Pick<MergedCell, 'groups' | 'admission' | 'atc' | 'faultFile' | 'hostile' | 'stages'> {
  const groups = sumFigures(group.flatMap((cell) => cell.groups ?? []));
  const admissions = group.flatMap((cell) => cell.admission ?? []);
  const admission = sumFigures(admissions);
  const atc = sumFigures(group.flatMap((cell) => cell.atc ?? []));
  const faultFile = sumFigures(group.flatMap((cell) => cell.faultFile ?? []));
  const hostile = sumFigures(group.flatMap((cell) => cell.hostile ?? []));
  const stages = mergeStages(group.flatMap((cell) => cell.stages ?? []));
  const total = (pick: (cell: Cell) => number): number => group.reduce((sum, cell) => sum + pick(cell), 0);
  return {
    ...(groups === undefined
      ? {}
      : {
          groups: {
            ...groups,
            perSecond: groups.sent / total((cell) => cell.seconds),
            pagesPerGroup: groups.sent === 0 ? 0 : total((cell) => cell.faults) / groups.sent,
          },
        }),
    ...(admission === undefined
      ? {}
      : {
          admission: {
            ...admission,
            places: admissions[0].places,
            worstWaitNs: max(admissions.map((each) => each.worstWaitNs)),
          },
        }),
    ...(atc === undefined ? {} : { atc }),
    ...(faultFile === undefined ? {} : { faultFile }),
    ...(hostile === undefined ? {} : { hostile }),
    ...(stages === undefined ? {} : { stages }),
  };
}

/** Adds figures up, field by field. @returns undefined when there are none */
function sumFigures<T extends { [K in keyof T]: number }>(all: readonly T[]): T | undefined {
  if (all.length === 0) return undefined;
  const sum = { ...all[0] };
  for (const figures of all.slice(1))
    for (const field of Object.keys(figures) as (keyof T)[]) sum[field] = (sum[field] + figures[field]) as T[keyof T];
  return sum;
}

function spreadOf(values: number[]): Spread {
  return { median: median(values), min: min(values), max: max(values) };
}

/** Adds histograms up: bins with the same lower bound become one. */
export function mergeBins(histograms: readonly (readonly Bin[])[]): Bin[] {
  const counts = new Map<number, number>();
  for (const bins of histograms) {
    for (const [lowerNs, count] of bins) counts.set(lowerNs, (counts.get(lowerNs) ?? 0) + count);
  }
  return [...counts].sort((a, b) => a[0] - b[0]);
}

/** Percentiles from bins, each counted at its lower bound, so a percentile is low by up to one bin's width.
 * @param maxNs the longest latency, which bins do not keep. All zero when there are none. */
export function latencyOf(bins: readonly Bin[], maxNs: number): LatencyNs {
  const histogram = build({ numberOfSignificantValueDigits: 3, bitBucketSize: 64 });
  for (const [lowerNs, count] of bins) {
    if (count > 0) histogram.recordValueWithCount(Math.floor(lowerNs), count);
  }
  // HDR rounds up to the end of its own bucket, which may lie past the longest.
  const at = (percent: number): number => Math.min(histogram.getValueAtPercentile(percent), maxNs);
  return { p50: at(50), p99: at(99), p999: at(99.9), max: maxNs };
}
