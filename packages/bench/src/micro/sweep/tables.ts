import Table from 'cli-table3';
import { formatBytes, formatCount, formatNs } from '../../report/format.ts';
import { CHARS, STYLE, times } from '../tables.ts';
import { CALL_PAGES, DIRTY_EVERY, DUE_EVERY_US, SWEEP_FORMAT, type SweepRange } from './case.ts';
import type { LatencyFigures, SweepRow } from './measure.ts';

/** How long map and unmap take while a range is swept: a call and mode a row, the worst beside that of the lock-free sweep. */
export function renderSweep(rows: readonly SweepRow[]): string {
  const table = new Table({
    head: ['call', 'beside', 'calls', 'median', 'p99', 'worst', 'worst, min … max', 'worst beside lock-free'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'right'],
    chars: CHARS,
    style: STYLE,
  });
  for (const call of ['map', 'unmap'] as const) {
    const lockFree = rows.find(({ mode }) => mode === 'lock-free')?.[call].worst.median ?? Number.NaN;
    for (const row of rows) table.push([call, modeName(row), ...latencyCells(row[call], lockFree)]);
  }
  return `${parametersLine(rows[0])}\n${table}`;
}

function latencyCells({ calls, median, p99, worst }: LatencyFigures, lockFree: number): string[] {
  return [
    formatCount(calls),
    formatNs(median.median),
    formatNs(p99.median),
    formatNs(worst.median),
    `${formatNs(worst.min)} … ${formatNs(worst.max)}`,
    times(worst.median / lockFree),
  ];
}

function modeName({ mode, sweeps, sweepMs, leaves }: SweepRow): string {
  if (mode === 'no sweep') return mode;
  const each = `${formatNs(sweepMs.median * 1e6)} each, ${formatNs((sweepMs.median * 1e6) / leaves)} a leaf`;
  return `${mode === 'lock-free' ? 'sweep without a lock' : 'sweep under a rwlock'} (${sweeps}; ${each})`;
}

function parametersLine(row: SweepRow): string {
  return (
    `dirty sweeps of ${describeRange(row)} (${SWEEP_FORMAT.name}), 1 leaf in ${DIRTY_EVERY} dirty; beside them a map or an unmap of ` +
    `${CALL_PAGES} pages of 4 KiB is due every ${DUE_EVERY_US} µs, and its latency counts from when it was due; ` +
    `medians of ${row.map.worst.repeats} repeats`
  );
}

/** @returns e.g. `1 TiB in 2 MiB leaves (524 k leaves)`. */
export function describeRange({ leafLg2, rangeLg2 }: SweepRange): string {
  return `${sizeOf(rangeLg2)} in ${sizeOf(leafLg2)} leaves (${formatCount(2 ** (rangeLg2 - leafLg2))} leaves)`;
}

function sizeOf(lg2: number): string {
  if (lg2 >= 40) return `${2 ** (lg2 - 40)} TiB`;
  return lg2 >= 20 ? formatBytes(2 ** lg2) : `${2 ** (lg2 - 10)} KiB`;
}
