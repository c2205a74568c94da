// What the report's plots show, as plain columns: made here, drawn by client.ts in the reader's browser.
import type { MergedCell } from '../result/merge.ts';
import type { Bin } from '../result/schema.ts';
import type { Generation } from '../scenario/parameters.ts';
import { formatNs, formatRate } from './format.ts';

export interface Curve {
  label: string;
  /** A colour of the page's style (page-style.ts), by name: each generation has one. */
  colour: string;
  values: (number | null)[];
  /** Ends of the spread, where there is one. */
  low?: (number | null)[];
  high?: (number | null)[];
  /** The spread is an area along the curve; without, a bar at each point. */
  band?: boolean;
  dashed?: boolean;
}

export interface Plot {
  id: string;
  title: string;
  /** What it shows, in a sentence or two: read aloud, and shown below. */
  summary: string;
  xLabel: string;
  xUnit: 'count' | 'ns';
  /** Base of the x axis' logarithm; 0: it is linear. */
  xLog: 0 | 2 | 10;
  /** Values that the x axis marks; without them it marks its own. */
  xMarks?: number[];
  yUnit: 'rate' | 'ns' | 'count' | 'percent';
  yLabel: string;
  yLog: boolean;
  steps: boolean;
  /** One view is shown at a time; with several, the reader chooses. */
  views: { name: string; xs: number[]; curves: Curve[] }[];
}

/** Buckets that a factor of ten of latency is shown in. */
const BUCKETS_PER_DECADE = 10;

/** What is the same in every plot of latency histograms ({@link overlay}). */
export const DISTRIBUTION: Pick<Plot, 'xLabel' | 'xUnit' | 'xLog' | 'yUnit' | 'yLabel' | 'yLog' | 'steps'> = {
  xLabel: 'first touch to resumption',
  xUnit: 'ns',
  xLog: 10,
  yUnit: 'percent',
  yLabel: 'share of faults',
  yLog: true,
  steps: true,
};
export const DISTRIBUTION_SUMMARY: string = `Share of faults in each of ${BUCKETS_PER_DECADE} buckets to a factor of ten. The vertical scale is logarithmic: the tail shows.`;

/** @param cells one scanner pace alone. */
export function makePlots(cells: readonly MergedCell[], order: readonly Generation[], prefix: string): Plot[] {
  const generations = order.filter((generation) => cells.some((cell) => cell.generation === generation));
  const xs = [...new Set(cells.map((cell) => cell.threads))].sort((a, b) => a - b);
  const column = (generation: Generation, pick: (cell: MergedCell) => number): (number | null)[] =>
    xs.map((threads) => {
      const cell = cells.find((each) => each.threads === threads && each.generation === generation);
      return cell ? pick(cell) : null;
    });
  const against = { xLabel: 'device threads', xUnit: 'count', xLog: 2, xMarks: xs, steps: false } as const;
  const oneView = (curves: Curve[]): Plot['views'] => [{ name: '', xs, curves }];

  return [
    {
      ...against,
      id: `${prefix}throughput`,
      title: 'Throughput against threads',
      summary: `${bestOf(cells, generations)} Bars span the repeats.`,
      yUnit: 'rate',
      yLabel: 'faults a second',
      yLog: false,
      views: oneView(
        generations.map((generation) => ({
          label: generation,
          colour: generation,
          values: column(generation, (cell) => cell.faultsPerSecond.median),
          low: column(generation, (cell) => cell.faultsPerSecond.min),
          high: column(generation, (cell) => cell.faultsPerSecond.max),
        })),
      ),
    },
    {
      ...against,
      id: `${prefix}latency`,
      title: 'Latency of a fault against threads',
      summary: `${worstOf(cells, generations)} Solid: 99th percentile. Dashed: median.`,
      yUnit: 'ns',
      yLabel: 'first touch to resumption',
      yLog: true,
      views: oneView([
        ...generations.map((generation) => ({
          label: `${generation} p99`,
          colour: generation,
          values: positive(column(generation, (cell) => cell.latencyNs.p99)),
        })),
        ...generations.map((generation) => ({
          label: `${generation} p50`,
          colour: generation,
          values: positive(column(generation, (cell) => cell.latencyNs.p50)),
          dashed: true,
        })),
      ]),
    },
    {
      ...against,
      id: `${prefix}timeouts`,
      title: 'Time-outs against threads',
      summary: timeoutsOf(cells, generations),
      yUnit: 'count',
      yLabel: 'jobs that timed out',
      yLog: false,
      views: oneView(
        generations.map((generation) => ({
          label: generation,
          colour: generation,
          values: column(generation, (cell) => cell.timeouts),
        })),
      ),
    },
    {
      ...DISTRIBUTION,
      id: `${prefix}distribution`,
      title: 'Distribution of latency',
      summary: DISTRIBUTION_SUMMARY,
      views: xs.map((threads) => ({ name: `${threads} threads`, ...distribution(cells, generations, threads) })),
    },
  ];
}

function distribution(
  cells: readonly MergedCell[],
  generations: readonly Generation[],
  threads: number,
): { xs: number[]; curves: Curve[] } {
  return overlay(
    generations.map((generation) => ({
      label: generation,
      colour: generation,
      bins: cells.find((cell) => cell.threads === threads && cell.generation === generation)?.histogram ?? [],
    })),
  );
}

/** Histograms over one another: the share of each in buckets of equal width on a logarithmic axis. For plots in steps. */
export function overlay(
  histograms: readonly { label: string; colour: string; dashed?: boolean; bins: readonly Bin[] }[],
): { xs: number[]; curves: Curve[] } {
  const shares = histograms.map(({ bins }) => rebin(bins));
  const buckets = shares.flatMap((share) => [...share.keys()]);
  if (buckets.length === 0) return { xs: [], curves: [] };
  const first = buckets.reduce((a, b) => Math.min(a, b));
  const last = buckets.reduce((a, b) => Math.max(a, b));
  const all = Array.from({ length: last - first + 2 }, (_, i) => first + i); // one past the end closes the last step
  return {
    xs: all.map((bucket) => 10 ** (bucket / BUCKETS_PER_DECADE)),
    curves: histograms.map(({ label, colour, dashed = false }, i) => ({
      ...{ label, colour },
      values: all.map((bucket) => shares[i].get(bucket) ?? null),
      ...(dashed ? { dashed } : {}),
    })),
  };
}

/** Percent of all counts by logarithmic bucket; latencies under 1 ns count as 1 ns. */
function rebin(bins: readonly Bin[]): Map<number, number> {
  const total = bins.reduce((sum, [, count]) => sum + count, 0);
  const shares = new Map<number, number>();
  for (const [lowerNs, count] of bins) {
    if (count === 0) continue;
    const bucket = Math.floor(Math.log10(Math.max(1, lowerNs)) * BUCKETS_PER_DECADE + 1e-9);
    shares.set(bucket, (shares.get(bucket) ?? 0) + (100 * count) / total);
  }
  return shares;
}

/** A logarithmic axis has no zero. */
function positive(values: (number | null)[]): (number | null)[] {
  return values.map((value) => (value !== null && value > 0 ? value : null));
}

function bestOf(cells: readonly MergedCell[], generations: readonly Generation[]): string {
  const best = generations.map((generation) => {
    const own = cells.filter((cell) => cell.generation === generation);
    const top = own.reduce((a, b) => (b.faultsPerSecond.median > a.faultsPerSecond.median ? b : a));
    return `${generation} ${formatRate(top.faultsPerSecond.median)} at ${top.threads}`;
  });
  return `Best: ${best.join(', ')}.`;
}

function worstOf(cells: readonly MergedCell[], generations: readonly Generation[]): string {
  const most = Math.max(...cells.map((cell) => cell.threads));
  const worst = generations.flatMap((generation) => {
    const cell = cells.find((each) => each.threads === most && each.generation === generation);
    return cell ? [`${generation} ${formatNs(cell.latencyNs.p99)}`] : [];
  });
  return `At ${most} threads the 99th percentile is ${worst.join(', ')}.`;
}

function timeoutsOf(cells: readonly MergedCell[], generations: readonly Generation[]): string {
  const totals = generations.map((generation): [string, number] => [
    generation,
    cells.filter((cell) => cell.generation === generation).reduce((sum, cell) => sum + cell.timeouts, 0),
  ]);
  if (totals.every(([, total]) => total === 0)) return 'No job timed out.';
  return `In all: ${totals.map(([generation, total]) => `${generation} ${total}`).join(', ')}.`;
}
