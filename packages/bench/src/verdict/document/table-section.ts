import { MODEL_GENERATIONS } from '../../model/index.ts';
import { formatNs, formatPercent } from '../../report/format.ts';
import { SEED_RELATIVE } from '../../report/seed.ts';
import { linePlot } from '../plot/line-plot.ts';
import type { VerdictResult } from '../result.ts';
import type { TableRow } from '../table.ts';
import { type Block, heading, plot, table, text } from './blocks.ts';
import { showLength, showRelative, showShare } from './words.ts';

export function tableSection(result: VerdictResult): Block[] {
  const { plan, table: rows } = result;
  const threads = [...new Set(rows.map((row) => row.threads))];
  const of = (count: number): TableRow[] => rows.filter((row) => row.threads === count);
  return [
    heading(2, 'The table'),
    text(
      `Jobs a second of each generation against \`locked\` at the same thread count: means over ${plan.seeds} seeds of ` +
        `${showLength(plan.cell)}, with 95 % intervals (bootstrap). The seed column is what the mailing list has: v7 against 6.7-rc1, ` +
        'so it stands beside `v7`. `adaptive` is its lease of pages alone, without the admission of jobs that it has in core as well. Time-outs are jobs that failed, of all seeds; the figure behind the stroke is how many seeds had some. ' +
        'A cell holds what came before the trouble as well as what came after: with more threads it comes later, and a mean looks better for it.',
    ),
    table(
      'Throughput against `locked`',
      ['threads', 'seed', '`locked`, jobs/s', ...MODEL_GENERATIONS.slice(1).map((name) => `\`${name}\``)],
      threads.map((count) => {
        const [locked, ...others] = of(count);
        return [
          String(count),
          seedOf(count),
          locked.jobsPerSecond.mean.toFixed(0),
          ...others.map(({ relative }) => (relative === undefined ? '–' : showRelative(relative))),
        ];
      }),
    ),
    table(
      'A fault, from stalled to resumed; re-faults; time-outs',
      ['threads', 'generation', 'p50', 'p99', 'max', 're-faults per fault', 'time-outs', 'interrupt thread busy'],
      rows.map(({ threads: count, generation, latency, refaultsPerFault, timeouts, ...row }) => [
        String(count),
        `\`${generation}\``,
        formatNs(latency.p50),
        formatNs(latency.p99),
        formatNs(latency.max),
        `${showShare(refaultsPerFault.mean)} (${showShare(refaultsPerFault.low)} … ${showShare(refaultsPerFault.high)})`,
        timeouts === 0 ? '0' : `${timeouts} / ${row.seedsWithTimeouts}`,
        `${(100 * row.interruptThread).toFixed(0)} %`,
      ]),
      2,
    ),
    ...curves(result, threads),
  ];
}

function seedOf(threads: number): string {
  const seed = SEED_RELATIVE.get(threads);
  if (seed === undefined) return '';
  return seed === 'time-out' ? 'time-out' : formatPercent(seed);
}

function curves({ table: rows }: VerdictResult, threads: readonly number[]): Block[] {
  const series = (pick: (row: TableRow) => { mean: number; low: number; high: number }) =>
    MODEL_GENERATIONS.map((name, color) => ({
      name,
      color,
      points: rows
        .filter(({ generation }) => generation === name)
        .map((row) => {
          const { mean, low, high } = pick(row);
          return { x: row.threads, y: mean, low, high };
        }),
    }));
  const axis = { xLabel: 'device threads', xMarks: threads };
  return [
    plot(
      'throughput',
      'Jobs a second against device threads, a curve for each generation',
      linePlot({ ...axis, title: 'Jobs done', yLabel: 'jobs a second', series: series((row) => row.jobsPerSecond) }),
    ),
    plot(
      'refaults',
      'Re-faults per fault against device threads, a curve for each generation',
      linePlot({
        ...axis,
        title: 'Pages lost before their job was done',
        yLabel: 're-faults per fault',
        series: series((row) => row.refaultsPerFault),
      }),
    ),
  ];
}
