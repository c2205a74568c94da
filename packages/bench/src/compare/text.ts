import Table from 'cli-table3';
import { type Comparison, regressionsOf } from './compare.ts';
import { countVerdicts, showChange, showRepeats, showValue, toldFigures } from './show.ts';

/** The comparison on a terminal: a row a figure, cells in A's order. */
export function renderComparison(comparison: Comparison): string {
  const { before, after, options } = comparison;
  const percent = Number((options.confidence * 100).toPrecision(4));
  const table = new Table({
    head: ['cell', 'figure', 'A', 'B', `change (${percent} % interval)`, 'repeats', 'verdict'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'left'],
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: [], border: [] },
  });
  for (const cell of comparison.cells) {
    const told = toldFigures(cell);
    if (told.length === 0) table.push([cell.name, '', '', '', '', '', cell.verdict]);
    told.forEach((figure, at) => {
      const { name, unit, verdict, why, regression } = figure;
      const words = `${verdict}${why === undefined ? '' : `: ${why}`}${regression ? '  ← REGRESSION' : ''}`;
      const values = [showValue(unit, figure.before.median), showValue(unit, figure.after.median)];
      table.push([at === 0 ? cell.name : '', name, ...values, showChange(figure), showRepeats(figure), words]);
    });
  }
  const lines = [
    `A: ${before.file} (${before.kind})`,
    `B: ${after.file} (${after.kind})`,
    `Medians over repeats; intervals by bootstrap, ${options.resamples} resamples, seed ${options.seed}`,
    table.toString(),
    `Cells: ${countVerdicts(comparison)}`,
  ];
  return `${[...lines, ...describeRegressions(comparison)].join('\n')}\n`;
}

export function describeRegressions(comparison: Comparison): string[] {
  const { failOver } = comparison.options;
  if (failOver === undefined) return [];
  const limit = `${Number((failOver * 100).toPrecision(4))} %`;
  const found = regressionsOf(comparison);
  if (found.length === 0) return [`No figure is worse by more than ${limit}`];
  return [
    `Worse by more than ${limit}:`,
    ...found.map(({ cell, figure }) => `  ${cell.name}: ${figure.name} ${showChange(figure)}`),
  ];
}
