import Table from 'cli-table3';
import { formatNs, formatPercent, formatRate } from '../../report/format.ts';
import type { Comparison } from './result.ts';

const CHARS = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };

/** Each cell's throughput and p99, real and modelled, and how far apart they are. */
export function renderComparison({ rows, notes, limit, held, within }: Comparison): string {
  const table = new Table({
    head: [
      'scanner',
      'threads',
      'generation',
      'real',
      'model',
      'error',
      'p99 real',
      'model',
      'error',
      'others',
      'verdict',
    ],
    colAligns: ['right', 'right', 'left', ...Array<'right'>(7).fill('right'), 'left'],
    chars: CHARS,
    style: { head: [], border: [] },
  });
  for (const row of rows)
    table.push([
      row.scanner === 0 ? 'off' : `${row.scanner} ms`,
      row.threads,
      row.generation,
      formatRate(row.real),
      formatRate(row.model),
      formatPercent(row.throughputError),
      formatNs(row.realP99Ns),
      formatNs(row.modelP99Ns),
      formatPercent(row.p99Error),
      formatPercent(row.othersShare),
      row.verdict === 'within' ? `within ${limit * 100} %` : row.verdict,
    ]);
  const all = rows.filter(({ throughputError }) => Math.abs(throughputError) <= limit).length;
  return [
    table.toString(),
    `below saturation and undisturbed: ${within} of ${held} cells within ${limit * 100} %; of all ${rows.length} cells: ${all}`,
    ...notes,
  ].join('\n');
}
