// The comparison as a page: the table with its intervals drawn, then both files' curves over one another.
import { escapeHtml, plotFigure, renderPage } from '../report/page.ts';
import { DISTRIBUTION, DISTRIBUTION_SUMMARY, overlay, type Plot } from '../report/plots.ts';
import { STAGE_MEANING, stageFigure } from '../report/stage-bars.ts';
import type { ComparedCell, Comparison } from './compare.ts';
import { drawForest, reachOf } from './forest.ts';
import type { JudgedFigure } from './judge.ts';
import type { Measured } from './measured.ts';
import { countVerdicts, showChange, showRepeats, showValue, toldFigures } from './show.ts';
import { describeRegressions } from './text.ts';
import { throughputPlots } from './throughput-plots.ts';

const COLOURS: Partial<Record<ComparedCell['verdict'], string>> = { better: 'good', worse: 'bad' };

export function renderComparisonHtml(comparison: Comparison): string {
  const { before, after, warnings } = comparison;
  const plots = [...throughputPlots(comparison), ...histogramPlots(comparison)];
  return renderPage({
    title: 'faultline compare',
    plots,
    body: `<dl><dt>A</dt><dd>${describeFile(before)}</dd><dt>B</dt><dd>${describeFile(after)}</dd></dl>
<p>Cells: ${countVerdicts(comparison)}.</p>
${describeRegressions(comparison)
  .map((line) => `<p${line.startsWith('No') ? '' : ' class="bad"'}>${escapeHtml(line)}</p>`)
  .join('\n')}
${warnings.length === 0 ? '' : `<ul>${warnings.map((each) => `<li>${escapeHtml(each)}</li>`).join('\n')}</ul>`}
<main>
${tableOf(comparison)}
${plots.length === 0 ? '' : `<section><h2>A and B over one another</h2><div class="plots">\n${plots.map(plotFigure).join('\n')}\n</div></section>`}
${stagesOf(comparison)}
</main>`,
  });
}

function describeFile({ file, kind, environment }: Measured): string {
  const { cpuModel, cpus, node, platform, release } = environment;
  return escapeHtml(`${file}: ${kind}; ${cpuModel}, ${cpus} processors; ${platform} ${release}; Node ${node}`);
}

function tableOf(comparison: Comparison): string {
  const { cells, options } = comparison;
  const reach = reachOf(cells);
  const limit = Number((reach * 100).toPrecision(3));
  const rows = cells.flatMap((cell) => {
    const told = toldFigures(cell);
    const head = `<th scope="row" class="word">${escapeHtml(cell.name)}</th>`;
    if (told.length === 0) return [`<tr>${head}<td colspan="6"></td><td class="word">${cell.verdict}</td></tr>`];
    return told.map((figure, at) => rowOf(at === 0 ? head : '<th></th>', figure, reach));
  });
  return `<section><h2>Cells</h2><div class="scroll"><table class="figures">
<caption>Medians over repeats; ${options.confidence * 100} % intervals by bootstrap, ${options.resamples} resamples. The drawing reaches from −${limit} % to +${limit} %; right of the middle is more.</caption>
<thead><tr><th scope="col" class="word">cell</th><th scope="col" class="word">figure</th><th scope="col">A</th><th scope="col">B</th><th scope="col">change</th><th></th><th scope="col">repeats</th><th scope="col" class="word">verdict</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table></div></section>`;
}

function rowOf(head: string, figure: JudgedFigure, reach: number): string {
  const { name, unit, before, after, verdict, why, regression } = figure;
  const colour = COLOURS[verdict] ?? 'soft';
  const words = `${verdict}${regression ? ', a regression' : ''}`;
  const reason = why === undefined ? '' : `<small>${escapeHtml(why)}</small>`;
  return `<tr>${head}<td class="word">${name}</td><td>${showValue(unit, before.median)}</td><td>${showValue(unit, after.median)}</td><td>${showChange(figure)}</td><td class="${colour}">${drawForest(figure, reach)}</td><td>${showRepeats(figure)}</td><td class="word"><span class="${colour}">${words}</span>${reason}</td></tr>`;
}

/** One plot, of which the reader chooses the cell. */
function histogramPlots({ cells }: Comparison): Plot[] {
  const views = cells.flatMap(({ name, before, after }) => {
    if (before?.stress === undefined || after?.stress === undefined) return [];
    const { generation, histogram } = after.stress;
    const both = [
      { label: 'A', colour: 'soft', dashed: true, bins: before.stress.histogram },
      { label: 'B', colour: generation, bins: histogram },
    ];
    return [{ name, ...overlay(both) }];
  });
  if (views.length === 0) return [];
  return [
    {
      ...DISTRIBUTION,
      id: 'histograms',
      title: 'Distribution of latency',
      summary: `Dashed: A. Solid: B. ${DISTRIBUTION_SUMMARY}`,
      views,
    },
  ];
}

/** A figure for each thread count, with and without the scanner; A's bar above B's. */
function stagesOf({ cells }: Comparison): string {
  const pairs = cells.flatMap(({ before, after }) => {
    const [a, b] = [before?.stress, after?.stress];
    if (a?.stages === undefined || b?.stages === undefined) return [];
    const title = `${b.threads} threads, scanner ${b.scanner > 0 ? 'on' : 'off'}`;
    const bars = [
      { name: `${b.generation} A`, stages: a.stages },
      { name: `${b.generation} B`, stages: b.stages },
    ];
    return [{ title, bars }];
  });
  if (pairs.length === 0) return '';
  const figures = [...Map.groupBy(pairs, ({ title }) => title)].map(([title, all]) =>
    stageFigure(
      title,
      all.flatMap(({ bars }) => bars),
    ),
  );
  return `<section><h2>Where a fault's time goes</h2>${STAGE_MEANING}<div class="plots">\n${figures.join('\n')}\n</div></section>`;
}
