// A comparison's figures for people, on the terminal and on the page.
import { formatNs, formatPercent, formatRate, signed } from '../report/format.ts';
import type { ComparedCell, Comparison } from './compare.ts';
import type { JudgedFigure } from './judge.ts';
import type { Unit } from './measured.ts';

export function showValue(unit: Unit, value: number): string {
  switch (unit) {
    case 'rate':
      return formatRate(value);
    case 'ns':
      return formatNs(value);
    case 'ms':
      return formatNs(value * 1e6);
    case 'share':
      return `${Number((value * 100).toPrecision(3))} %`;
  }
}

/** @returns e.g. `+3.1 % (−0.4…+6)`; of a share in points. */
export function showChange({ unit, change, interval }: JudgedFigure): string {
  if (change === undefined) return 'from 0';
  const middle = unit === 'share' ? `${signed(change)} pt` : formatPercent(change);
  return interval === undefined ? middle : `${middle} (${signed(interval.low)}…${signed(interval.high)})`;
}

/** @returns e.g. `3`, or `3, 5` where the two differ. */
export function showRepeats({ before, after }: JudgedFigure): string {
  return before.repeats === after.repeats ? String(after.repeats) : `${before.repeats}, ${after.repeats}`;
}

/** A figure that is zero in both files, as time-outs mostly are, says nothing. */
export function toldFigures({ figures }: ComparedCell): JudgedFigure[] {
  return figures.filter(({ before, after, change }) => !(before.median === 0 && after.median === 0 && change === 0));
}

export function countVerdicts({ cells }: Comparison): string {
  const counts = Map.groupBy(cells, ({ verdict }) => verdict);
  const order = ['better', 'worse', 'noise', 'only in A', 'only in B'] as const;
  return order
    .flatMap((verdict) => (counts.has(verdict) ? `${counts.get(verdict)?.length} ${verdict}` : []))
    .join(', ');
}
