import { type JudgedFigure, type JudgeOptions, judgeFigure, type Verdict } from './judge.ts';
import type { Measured, MeasuredCell } from './measured.ts';
import { describeDifferences } from './warnings.ts';

export const COMPARISON_VERSION = 1;

export interface ComparedCell {
  name: string;
  /** Worse where any figure is; otherwise better where any is. */
  verdict: Verdict | 'only in A' | 'only in B';
  /** Empty where the cell is in one file alone. */
  figures: JudgedFigure[];
  before?: MeasuredCell;
  after?: MeasuredCell;
}

export interface Comparison {
  readonly before: Measured;
  readonly after: Measured;
  readonly options: JudgeOptions;
  readonly warnings: readonly string[];
  readonly cells: readonly ComparedCell[];
}

/** Compares two files, cell by cell. Pure: the same files and options give the same comparison. */
export function compare(before: Measured, after: Measured, options: JudgeOptions): Comparison {
  const others = new Map(after.cells.map((cell) => [cell.key, cell]));
  const cells = before.cells.map((cell): ComparedCell => {
    const other = others.get(cell.key);
    others.delete(cell.key);
    if (other === undefined) return { name: cell.name, verdict: 'only in A', figures: [], before: cell };
    const figures = cell.figures.flatMap((figure) => {
      const same = other.figures.find((each) => each.name === figure.name);
      return same === undefined ? [] : [judgeFigure(cell.key, figure, same, options)];
    });
    return { name: nameOf(cell, other), verdict: verdictOf(figures), figures, before: cell, after: other };
  });
  for (const cell of others.values()) cells.push({ name: cell.name, verdict: 'only in B', figures: [], after: cell });
  return { before, after, options, warnings: describeDifferences(before, after, cells), cells };
}

function nameOf(before: MeasuredCell, after: MeasuredCell): string {
  return before.name === after.name ? before.name : `${before.name} → ${after.name}`;
}

function verdictOf(figures: readonly JudgedFigure[]): Verdict {
  if (figures.some(({ verdict }) => verdict === 'worse')) return 'worse';
  return figures.some(({ verdict }) => verdict === 'better') ? 'better' : 'noise';
}

/** Figures that are worse beyond what is allowed, with their cells. */
export function regressionsOf({ cells }: Comparison): { cell: ComparedCell; figure: JudgedFigure }[] {
  return cells.flatMap((cell) => cell.figures.flatMap((figure) => (figure.regression ? [{ cell, figure }] : [])));
}
