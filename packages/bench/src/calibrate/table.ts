import Table from 'cli-table3';
import { COST_NAMES, COST_TEXTS, type CostTable } from '../model/index.ts';
import { formatNs } from '../report/format.ts';
import type { Figures } from './figures.ts';

const CHARS = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };

/** Each cost with its spread, and where it is from. */
export function renderCosts(costs: CostTable, figures: Figures): string {
  const table = new Table({
    head: ['cost', 'ns', '5 % … 95 %', 'kind', 'what'],
    colAligns: ['left', 'right', 'right', 'left', 'left'],
    chars: CHARS,
    style: { head: [], border: [] },
  });
  for (const name of COST_NAMES) {
    const { ns, kind } = costs[name];
    const figure = figures[name];
    const spread =
      figure === undefined || figure.high === 0 ? '' : `${formatNs(figure.low)} … ${formatNs(figure.high)}`;
    table.push([name, formatNs(ns), spread, kind, COST_TEXTS[name]]);
  }
  return table.toString();
}
