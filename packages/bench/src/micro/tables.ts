import Table from 'cli-table3';
import { formatBytes, formatCount, formatNs, formatRate } from '../report/format.ts';
import type { AllocationRow } from './allocation.ts';
import type { CheckerRow } from './checker/measure.ts';
import type { CostRow } from './costs/measure.ts';
import type { PairRow } from './pair/measure.ts';

/** No lines between the rows. */
export const CHARS: Record<string, string> = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };
export const STYLE: { head: string[]; border: string[] } = { head: [], border: [] };

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

/** What two threads did together, of one kind. A peer's row ends with how many times as fast ours is. One way is half of there
 * and back. */
export function renderPairs(rows: readonly PairRow[], kind: PairRow['kind']): string {
  const trips = kind === 'round trip';
  const format = trips ? formatNs : formatRate;
  const table = new Table({
    head: [`two threads, ${kind}`, 'median', 'min … max', ...(trips ? ['one way'] : []), 'ours beside it'],
    colAligns: ['left', 'right', 'right', ...(trips ? (['right'] as const) : []), 'left'],
    chars: CHARS,
    style: STYLE,
  });
  for (const row of rows.filter((each) => each.kind === kind)) {
    const { name, median, min, max } = row;
    const oneWay = trips ? [format(median / 2)] : [];
    table.push([name, format(median), `${format(min)} … ${format(max)}`, ...oneWay, advantage(row, rows)]);
  }
  return table.toString();
}

/** What was measured in turns with `name`, as times its throughput. A turn's noise is in both, so the spread says more here. */
export function renderTurns(rows: readonly PairRow[], name: string, heading: string): string {
  const table = new Table({
    head: ['two threads, in turns', 'median', heading, 'min … max'],
    colAligns: ['left', 'right', 'right', 'right'],
    chars: CHARS,
    style: STYLE,
  });
  for (const row of rows) {
    if (row.name === name) table.push([name, formatRate(row.median), '1 ×', '']);
    else if (row.peerOf === name && row.inTurn !== undefined) {
      const { median, min, max } = row.inTurn;
      table.push([row.name, formatRate(row.median), times(median), `${times(min)} … ${times(max)}`]);
    }
  }
  return table.toString();
}

/** What went through the JavaScript heap, a side a row. */
export function renderAllocations(rows: readonly AllocationRow[]): string {
  const table = new Table({
    head: ['heap allocated', 'side', 'items', 'in all', 'an item', 'collections'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right'],
    chars: CHARS,
    style: STYLE,
  });
  rows.forEach(({ name, side, items, allocatedBytes, bytesPerItem, collections }, at) => {
    const first = rows[at - 1]?.name !== name;
    const each = `${Number(bytesPerItem.toPrecision(2))} B`;
    table.push([first ? name : '', side, formatCount(items), formatKiB(allocatedBytes), each, collections]);
  });
  return table.toString();
}

/** Schedules a second, and each case as times the last: the one whose threads sleep between turns. */
export function renderChecker(rows: readonly CheckerRow[]): string {
  const table = new Table({
    head: ['checker, schedules a second', 'median', 'min … max', 'beside sleeping'],
    colAligns: ['left', 'right', 'right', 'right'],
    chars: CHARS,
    style: STYLE,
  });
  const asleep = rows.at(-1)?.median ?? Number.NaN;
  for (const { name, median, min, max } of rows)
    table.push([name, formatRate(median), `${formatRate(min)} … ${formatRate(max)}`, times(median / asleep)]);
  return table.toString();
}

function formatKiB(bytes: number): string {
  return bytes < 2 ** 20 ? `${Number((bytes / 1024).toPrecision(3))} KiB` : formatBytes(bytes);
}

function advantage({ peerOf, kind, median }: PairRow, rows: readonly PairRow[]): string {
  const ours = rows.find(({ name }) => name === peerOf);
  if (ours === undefined) return '';
  const ratio = kind === 'throughput' ? ours.median / median : median / ours.median;
  return `${times(ratio)} as fast (${ours.name})`;
}

export function times(ratio: number): string {
  return `${Number(ratio.toPrecision(3))} ×`;
}
