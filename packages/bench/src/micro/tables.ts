import Table from 'cli-table3';
import { formatNs, formatRate } from '../report/format.ts';
import type { CostRow } from './costs/measure.ts';
import type { PairRow } from './pair/measure.ts';

// No lines between the rows.
const CHARS = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };
const STYLE = { head: [], border: [] };

/** Single-thread costs, a subject after the other. */
export function renderCosts(rows: readonly CostRow[]): string {
  const table = new Table({
    head: ['one thread', 'operation', 'median', '5 % … 95 %'],
    colAligns: ['left', 'left', 'right', 'right'],
    chars: CHARS,
    style: STYLE,
  });
  rows.forEach(({ subject, name, median, min, max }, at) => {
    const first = rows[at - 1]?.subject !== subject;
    table.push([first ? subject : '', name, formatNs(median), `${formatNs(min)} … ${formatNs(max)}`]);
  });
  return table.toString();
}

/** What two threads did together, of one kind. A peer's row ends with how many times as fast ours is. */
export function renderPairs(rows: readonly PairRow[], kind: PairRow['kind']): string {
  const format = kind === 'throughput' ? formatRate : formatNs;
  const table = new Table({
    head: [`two threads, ${kind}`, 'median', 'min … max', 'ours beside it'],
    colAligns: ['left', 'right', 'right', 'left'],
    chars: CHARS,
    style: STYLE,
  });
  for (const row of rows.filter((each) => each.kind === kind))
    table.push([row.name, format(row.median), `${format(row.min)} … ${format(row.max)}`, advantage(row, rows)]);
  return table.toString();
}

function advantage({ peerOf, kind, median }: PairRow, rows: readonly PairRow[]): string {
  const ours = rows.find(({ name }) => name === peerOf);
  if (ours === undefined) return '';
  const times = kind === 'throughput' ? ours.median / median : median / ours.median;
  return `${Number(times.toPrecision(3))} × as fast (${ours.name})`;
}
