import { max, median, min } from 'simple-statistics';
import type { Curve, Plot } from '../report/plots.ts';
import { GENERATIONS, type Generation } from '../scenario/parameters.ts';
import type { Comparison } from './compare.ts';
import type { MeasuredCell } from './measured.ts';

/** Throughput against threads in both files, a plot for each scanner pace; areas span the repeats. */
export function throughputPlots({ before, after }: Comparison): Plot[] {
  return [true, false].flatMap((isOn): Plot[] => {
    const [a, b] = [before, after].map(({ cells }) =>
      cells.filter(({ stress }) => stress !== undefined && stress.scanner > 0 === isOn),
    );
    const xs = [...new Set([...a, ...b].flatMap(({ stress }) => stress?.threads ?? []))].sort((x, y) => x - y);
    if (a.length === 0 || b.length === 0 || xs.length < 2) return [];
    const names = GENERATIONS.filter((name) =>
      [a, b].every((cells) => cells.some((each) => each.stress?.generation === name)),
    );
    return [
      {
        id: `throughput-${isOn ? 'scanner' : 'off'}`,
        title: `Throughput against threads, scanner ${isOn ? 'on' : 'off'}`,
        summary: 'Dashed: A. Solid: B. Areas span the repeats.',
        xLabel: 'device threads',
        xUnit: 'count',
        xLog: 2,
        xMarks: xs,
        yUnit: 'rate',
        yLabel: 'faults a second',
        yLog: false,
        steps: false,
        views: names.map((generation) => ({
          name: generation,
          xs,
          curves: [
            { ...curveOf(a, generation, xs), label: 'A', colour: 'soft', dashed: true },
            { ...curveOf(b, generation, xs), label: 'B', colour: generation },
          ],
        })),
      },
    ];
  });
}

function curveOf(
  cells: readonly MeasuredCell[],
  generation: Generation,
  xs: readonly number[],
): Pick<Curve, 'values' | 'low' | 'high' | 'band'> {
  const repeats = xs.map((threads) => {
    const cell = cells.find(({ stress }) => stress?.threads === threads && stress.generation === generation);
    return cell?.figures.find(({ name }) => name === 'throughput')?.repeats;
  });
  const column = (pick: (values: number[]) => number): (number | null)[] =>
    repeats.map((values) => (values === undefined ? null : pick([...values])));
  return { values: column(median), low: column(min), high: column(max), band: true };
}
