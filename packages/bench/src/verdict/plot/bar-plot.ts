import { COLORS, frame, label, line, MARGIN, round, showTick, ticks, WIDTH } from './svg.ts';

export interface Bar {
  readonly name: string;
  /** A span on the axis. */
  readonly parts: readonly {
    readonly from: number;
    readonly to: number;
    readonly color: number;
    readonly text: string;
  }[];
}

export interface BarPlot {
  readonly title: string;
  readonly xLabel: string;
  readonly bars: readonly Bar[];
  /** A line across all bars: where things stand unchanged. */
  readonly mark?: number;
  readonly legend: readonly { readonly name: string; readonly color: number }[];
}

const ROW = 30;
const NAMES = 250;

/** Bars that lie, a row each, one or two to a row. */
export function barPlot({ title, xLabel, bars, mark, legend }: BarPlot): string {
  const bottom = MARGIN.top + bars.length * ROW;
  const height = bottom + 62;
  const xTicks = ticks(
    Math.max(...bars.flatMap(({ parts }) => parts.map(({ from, to }) => Math.max(from, to))), mark ?? 0, 0),
  );
  const right = WIDTH - MARGIN.right - 60;
  const xOf = (x: number): number => NAMES + (x / xTicks[xTicks.length - 1]) * (right - NAMES);
  return frame(title, height, [
    ...xTicks.flatMap((x) => [
      line(xOf(x), MARGIN.top, xOf(x), bottom, '#e4e4e4'),
      label(xOf(x), bottom + 16, showTick(x), 'middle', 11),
    ]),
    label((NAMES + right) / 2, bottom + 33, xLabel, 'middle'),
    ...bars.flatMap(({ name, parts }, row) => {
      const top = MARGIN.top + row * ROW;
      const thick = (ROW - 8) / Math.max(1, parts.length);
      return [
        label(NAMES - 8, top + ROW / 2 + 4, name, 'end', 11),
        ...parts.flatMap(({ from, to, color, text }, index) => {
          const y = top + 4 + index * thick;
          const left = xOf(Math.min(from, to));
          const wide = Math.max(2, xOf(Math.max(from, to)) - left);
          return [
            `<rect x="${round(left)}" y="${round(y)}" width="${round(wide)}" height="${round(thick - 1)}" fill="${COLORS[color]}"/>`,
            label(left + wide + 4, y + thick / 2 + 3, text, 'start', 10),
          ];
        }),
      ];
    }),
    ...(mark === undefined ? [] : [line(xOf(mark), MARGIN.top - 4, xOf(mark), bottom, '#222', '4 3')]),
    ...legend.flatMap(({ name, color }, index) => [
      `<rect x="${MARGIN.left + index * 300}" y="${height - 20}" width="12" height="12" fill="${COLORS[color]}"/>`,
      label(MARGIN.left + index * 300 + 18, height - 10, name, 'start', 11),
    ]),
  ]);
}
