// A change and its interval as a small drawing: zero in the middle, the same scale in every row.
import type { ComparedCell } from './compare.ts';
import type { JudgedFigure } from './judge.ts';

const MIDDLE = 66;
const HALF = 60;
const MOST = 1;
const LEAST = 0.05;

/** @returns the change that lies at the drawing's edge: the largest there is, from 5 % to 100 %. */
export function reachOf(cells: readonly ComparedCell[]): number {
  const ends = cells.flatMap(({ figures }) =>
    figures.flatMap(({ change = 0, interval }) => [change, interval?.low ?? 0, interval?.high ?? 0]),
  );
  return ends.reduce((most, end) => Math.max(most, Math.min(MOST, Math.abs(end))), LEAST);
}

/** What lies beyond the edge is drawn at it. */
export function drawForest({ change, interval }: JudgedFigure, reach: number): string {
  if (change === undefined) return '';
  const at = (value: number): string => (MIDDLE + HALF * Math.max(-1, Math.min(1, value / reach))).toFixed(1);
  const span = interval === undefined ? '' : `<line x1="${at(interval.low)}" x2="${at(interval.high)}" y1="8" y2="8"/>`;
  return `<svg class="forest" viewBox="0 0 132 16" aria-hidden="true"><line class="zero" x1="${MIDDLE}" x2="${MIDDLE}" y1="0" y2="16"/>${span}<circle cx="${at(change)}" cy="8" r="3.5"/></svg>`;
}
