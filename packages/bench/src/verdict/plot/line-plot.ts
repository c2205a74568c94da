import { COLORS, escapeXml, frame, HEIGHT, label, line, MARGIN, round, showTick, ticks, WIDTH } from './svg.ts';

export interface LinePoint {
  readonly x: number;
  readonly y: number;
  /** Ends of its interval. */
  readonly low?: number;
  readonly high?: number;
}

export interface LineSeries {
  readonly name: string;
  readonly points: readonly LinePoint[];
  /** Index of its colour; series that belong together share one. */
  readonly color: number;
  readonly isDashed?: boolean;
}

export interface LinePlot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly LineSeries[];
  /** Values that the x axis marks; it is logarithmic. */
  readonly xMarks: readonly number[];
}

/** Curves over a logarithmic x axis, with the ends of their intervals. */
export function linePlot({ title, xLabel, yLabel, series, xMarks }: LinePlot): string {
  const all = series.flatMap(({ points }) => points);
  if (all.length === 0 || xMarks.length === 0)
    return frame(title, HEIGHT, [label(MARGIN.left, 60, 'nothing was simulated')]);
  const yTicks = ticks(Math.max(...all.map(({ y, high }) => high ?? y)));
  const yMost = yTicks[yTicks.length - 1];
  const logs = xMarks.map(Math.log2);
  const [first, last] = [Math.min(...logs), Math.max(...logs)];
  const right = WIDTH - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const xOf = (x: number): number =>
    MARGIN.left + ((Math.log2(x) - first) / Math.max(1e-9, last - first)) * (right - MARGIN.left);
  const yOf = (y: number): number => bottom - (y / yMost) * (bottom - MARGIN.top);
  return frame(title, HEIGHT, [
    ...yTicks.flatMap((y) => [
      line(MARGIN.left, yOf(y), right, yOf(y), '#e4e4e4'),
      label(MARGIN.left - 6, yOf(y) + 4, showTick(y), 'end'),
    ]),
    ...xMarks.flatMap((x) => [
      line(xOf(x), bottom, xOf(x), bottom + 4, '#888'),
      label(xOf(x), bottom + 17, String(x), 'middle', 11),
    ]),
    label((MARGIN.left + right) / 2, bottom + 33, xLabel, 'middle'),
    label(8, MARGIN.top - 8, yLabel),
    ...series.flatMap((each) => curve(each, xOf, yOf)),
    ...series.flatMap(({ name, color, isDashed }, index) => {
      const x = MARGIN.left + index * ((right - MARGIN.left) / series.length);
      const y = HEIGHT - 12;
      return [line(x, y - 4, x + 18, y - 4, COLORS[color], isDashed ? '4 3' : ''), label(x + 22, y, name, 'start', 11)];
    }),
  ]);
}

function curve(
  { name, points, color, isDashed }: LineSeries,
  xOf: (x: number) => number,
  yOf: (y: number) => number,
): string[] {
  const stroke = COLORS[color];
  const path = points.map(({ x, y }) => `${round(xOf(x))},${round(yOf(y))}`).join(' ');
  const dash = isDashed ? ' stroke-dasharray="5 4"' : '';
  return [
    `<polyline points="${path}" fill="none" stroke="${stroke}" stroke-width="2"${dash}><title>${escapeXml(name)}</title></polyline>`,
    ...points.flatMap(({ x, y, low, high }) => [
      ...(low === undefined || high === undefined ? [] : [line(xOf(x), yOf(low), xOf(x), yOf(high), stroke)]),
      `<circle cx="${round(xOf(x))}" cy="${round(yOf(y))}" r="3" fill="${stroke}"/>`,
    ]),
  ];
}
