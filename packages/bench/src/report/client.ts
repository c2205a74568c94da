/// <reference lib="dom" />
// Runs in the reader's browser. Every function here is written into the report as its own text: it may use the other
// functions of CLIENT, the browser and uPlot, and nothing else of this project's. Types go, as everywhere.
import type uPlot from 'uplot';
import type { Plot } from './plots.ts';

type Library = typeof uPlot;

function showCount(value: number): string {
  for (const [step, unit] of [
    [1e9, ' G'],
    [1e6, ' M'],
    [1e3, ' k'],
  ] as const) {
    if (Math.abs(value) >= step) return Number((value / step).toPrecision(3)) + unit;
  }
  return String(Number(value.toPrecision(3)));
}

function showNs(value: number): string {
  for (const [step, unit] of [
    [1e9, ' s'],
    [1e6, ' ms'],
    [1e3, ' µs'],
  ] as const) {
    if (value >= step * 0.9999) return Number((value / step).toPrecision(3)) + unit;
  }
  return `${Number(value.toPrecision(3))} ns`;
}

function showValue(unit: Plot['yUnit'], value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (unit === 'ns') return showNs(value);
  if (unit === 'percent') return `${Number(value.toPrecision(2))} %`;
  return unit === 'rate' ? `${showCount(value)}/s` : showCount(value);
}

/** A logarithmic axis marks powers of ten alone: with all of them marked, the grid hides the curves. */
function decades(min: number, max: number): number[] {
  const marks: number[] = [];
  for (let power = Math.ceil(Math.log10(min) - 1e-6); power <= Math.log10(max) + 1e-6; power += 1)
    marks.push(10 ** power);
  return marks;
}

function colourOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Draws the ends of each spread as a bar behind its point. */
function drawSpreads(chart: uPlot, curves: Plot['views'][number]['curves']): void {
  const { ctx } = chart;
  const cap = 3 * devicePixelRatio;
  curves.forEach((curve, index) => {
    if (!curve.low || !curve.high || curve.band || chart.series[index + 1].show === false) return;
    ctx.save();
    ctx.strokeStyle = colourOf(curve.colour);
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    chart.data[0].forEach((x, at) => {
      const low = curve.low?.[at];
      const high = curve.high?.[at];
      if (low === null || low === undefined || high === null || high === undefined) return;
      const px = chart.valToPos(x, 'x', true);
      const from = chart.valToPos(low, 'y', true);
      const to = chart.valToPos(high, 'y', true);
      ctx.moveTo(px, from);
      ctx.lineTo(px, to);
      for (const end of [from, to]) {
        ctx.moveTo(px - cap, end);
        ctx.lineTo(px + cap, end);
      }
    });
    ctx.stroke();
    ctx.restore();
  });
}

/** Fills the area between the ends of the spread, behind the curves. A gap in either ends it. */
function drawBands(chart: uPlot, curves: Plot['views'][number]['curves']): void {
  const { ctx } = chart;
  curves.forEach((curve, index) => {
    if (!curve.band || chart.series[index + 1].show === false) return;
    const ends = [...chart.data[0]].flatMap((x, at) => {
      const low = curve.low?.[at];
      const high = curve.high?.[at];
      if (low === null || low === undefined || high === null || high === undefined) return [];
      return [
        {
          px: chart.valToPos(x, 'x', true),
          low: chart.valToPos(low, 'y', true),
          high: chart.valToPos(high, 'y', true),
        },
      ];
    });
    ctx.save();
    ctx.globalAlpha = 0.18;
    ctx.fillStyle = colourOf(curve.colour);
    ctx.beginPath();
    for (const { px, high } of ends) ctx.lineTo(px, high);
    for (const { px, low } of ends.reverse()) ctx.lineTo(px, low);
    ctx.closePath();
    ctx.fill();
    ctx.restore();
  });
}

function optionsOf(library: Library, plot: Plot, view: Plot['views'][number], width: number): uPlot.Options {
  const line = { stroke: colourOf('grid'), width: 1 };
  const logarithmic: uPlot.Axis = {
    splits: (_chart, _axis, min, max) => decades(min, max),
    filter: (_chart, splits) => splits,
  };
  const { xMarks } = plot;
  // The library knows of the curves alone: their spreads are to be seen as well.
  const ends = view.curves
    .flatMap((curve) => [...(curve.low ?? []), ...(curve.high ?? [])])
    .filter((end) => end !== null);
  const lowest = (min: number): number =>
    ends.reduce((least, end) => (plot.yLog && end <= 0 ? least : Math.min(least, end)), min);
  const highest = (max: number): number => ends.reduce((most, end) => Math.max(most, end), max);
  const axis: uPlot.Axis = {
    stroke: colourOf('ink'),
    grid: line,
    ticks: line,
    labelSize: 22,
    labelFont: '12px system-ui',
  };
  return {
    width,
    height: 300,
    cursor: { drag: { x: false, y: false } },
    legend: {
      markers: {
        width: 2,
        fill: (_chart, index) =>
          view.curves[index - 1]?.dashed ? 'transparent' : colourOf(view.curves[index - 1]?.colour ?? 'paper'),
      },
    },
    scales: {
      x: {
        time: false,
        ...(plot.xLog === 0 ? {} : { distr: 3, log: plot.xLog }),
        range: (_chart, min, max) =>
          plot.xLog === 0
            ? [min, max > min ? max : min + 1]
            : xMarks
              ? [min / 1.15, max * 1.15]
              : [10 ** Math.floor(Math.log10(min) + 1e-6), 10 ** Math.ceil(Math.log10(max) - 1e-6)],
      },
      y: plot.yLog
        ? {
            distr: 3,
            log: 10,
            range: (_chart, min, max) => library.rangeLog(lowest(min), plot.steps ? max : highest(max) * 1.2, 10, true),
          }
        : { range: (_chart, _min, max) => [0, highest(max) > 0 ? highest(max) * 1.08 : 1] },
    },
    axes: [
      {
        ...axis,
        ...(plot.xLog === 0 ? {} : logarithmic),
        label: plot.xLabel,
        size: 34,
        ...(xMarks ? { splits: () => xMarks } : {}),
        values: (_chart, splits) => splits.map((x) => (plot.xUnit === 'ns' ? showNs(x) : String(x))),
      },
      {
        ...axis,
        ...(plot.yLog ? logarithmic : {}),
        ...(plot.yUnit === 'count'
          ? { incrs: [1, 2, 5, 10, 20, 50].flatMap((n) => [n, n * 100, n * 1e4, n * 1e6]).sort((a, b) => a - b) }
          : {}),
        label: plot.yLabel,
        size: 66,
        values: (_chart, splits) => splits.map((y) => showValue(plot.yUnit, y)),
      },
    ],
    series: [
      { label: plot.xLabel, value: (_chart, x) => (x === null ? '–' : plot.xUnit === 'ns' ? showNs(x) : String(x)) },
      ...view.curves.map((curve, index) => ({
        label: curve.label,
        stroke: colourOf(curve.colour),
        width: 2,
        ...(curve.dashed ? { dash: [6, 4] } : {}),
        ...(plot.steps && library.paths.stepped ? { paths: library.paths.stepped({ align: 1 }) } : {}),
        points: { show: !plot.steps, size: 5 + (index % 4), fill: colourOf('panel') },
        value: (_chart: uPlot, _y: number, _series: number, at: number | null) =>
          showValue(plot.yUnit, at === null ? null : curve.values[at]),
      })),
    ],
    hooks: { drawAxes: [(chart) => drawBands(chart, view.curves)], draw: [(chart) => drawSpreads(chart, view.curves)] },
  };
}

/** Stepped curves stand on a floor a decade under the smallest share: a bucket alone in the tail would have no line otherwise. */
function columnsOf(plot: Plot, view: Plot['views'][number]): uPlot.AlignedData {
  if (!plot.steps) return [view.xs, ...view.curves.map((curve) => curve.values)];
  const shares = view.curves.flatMap((curve) => curve.values.filter((value) => value !== null));
  const floor = 10 ** (Math.ceil(Math.log10(Math.min(...shares)) - 1e-6) - 1);
  return [view.xs, ...view.curves.map((curve) => curve.values.map((value) => value ?? floor))];
}

/** Draws one plot into its figure, and again when the width, the theme or the chosen view changes. */
function mount(library: Library, plot: Plot): void {
  const figure = document.getElementById(plot.id);
  const box = figure?.querySelector<HTMLElement>('.plot');
  if (!figure || !box) throw new Error(`no figure for the plot ${plot.id}`);
  const choice = figure.querySelector<HTMLSelectElement>('select');
  let chart: uPlot | undefined;
  const draw = (): void => {
    const view = plot.views[choice ? choice.selectedIndex : 0];
    chart?.destroy();
    chart = undefined;
    // A scale without a single value has no range to draw.
    const drawable = view?.curves.some((curve) => curve.values.some((value) => value !== null)) ?? false;
    box.classList.toggle('empty', !drawable);
    if (!drawable) return;
    chart = new library(optionsOf(library, plot, view, box.clientWidth), columnsOf(plot, view), box);
  };
  choice?.addEventListener('change', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  addEventListener('resize', () => chart?.setSize({ width: box.clientWidth, height: 300 }));
  draw();
}

function drawReport(library: Library): void {
  const text = document.getElementById('plots-data')?.textContent;
  if (!text) throw new Error('the report holds no plots');
  for (const plot of JSON.parse(text) as Plot[]) mount(library, plot);
}

const CLIENT: readonly ((...args: never[]) => unknown)[] = [
  showCount,
  showNs,
  showValue,
  decades,
  colourOf,
  drawSpreads,
  drawBands,
  optionsOf,
  columnsOf,
  mount,
  drawReport,
];

/** @returns the browser's script: every function's text, then the call that draws. Needs uPlot before it. */
export function clientScript(): string {
  return `${CLIENT.map(String).join('\n')}\ndrawReport(uPlot);`;
}
