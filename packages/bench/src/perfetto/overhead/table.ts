import Table from 'cli-table3';
import { formatNs } from '../../report/format.ts';
import type { OverheadRow } from './measure.ts';

const CHARS: Record<string, string> = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };

export function renderOverhead(rows: readonly OverheadRow[]): string {
  const table = new Table({
    head: ['tracing', 'a fault, on one thread', 'more', 'beside no code', '5 % … 95 %'],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    chars: CHARS,
    style: { head: [], border: [] },
  });
  for (const { name, ns, moreNs, ratio } of rows)
    table.push([
      name,
      formatNs(ns),
      `${Math.round(moreNs)} ns`,
      `${ratio.median.toFixed(3)} ×`,
      `${ratio.low.toFixed(3)} … ${ratio.high.toFixed(3)}`,
    ]);
  return table.toString();
}
