// The report of a run: it says the same as the table.
import { type MergedCell, mergeCells } from '../result/merge.ts';
import type { Result } from '../result/schema.ts';
import type { Generation } from '../scenario/parameters.ts';
import { formatCount, formatNs, formatSeconds } from './format.ts';
import { describeKnee, findKnees } from './knee.ts';
import { escapeHtml, plotFigure, renderPage } from './page.ts';
import { makeParts, type Part } from './parts.ts';
import { makePlots, type Plot } from './plots.ts';
import { SEED_MEANING } from './seed.ts';
import { STAGE_MEANING, stageFigure } from './stage-bars.ts';
import {
  describeAdmission,
  describeEnvironment,
  describeGroups,
  describeSeed,
  describeThroughput,
  titleOf,
  unbalanced,
} from './table.ts';

export function renderHtml(result: Result): string {
  const merged = mergeCells(result.cells);
  const order = result.parameters.generations;
  const scanners = [...new Set(merged.map((cell) => cell.scanner))];
  const plots: Plot[] = [];
  const sections = scanners.map((scanner, at) => {
    const cells = merged.filter((cell) => cell.scanner === scanner);
    const own = makePlots(cells, order, `s${at}-`);
    plots.push(...own);
    return section(scanner, cells, order, own);
  });
  return renderPage({
    title: `faultline ${result.command}`,
    plots,
    body: `<p class="soft">${escapeHtml(describeEnvironment(result))}</p>
${verdict(result)}
<main>
${merged.length > 0 ? knees(merged) : '<p>Nothing was measured.</p>'}
${sections.join('\n')}
${stageSection(merged)}
${merged.length > 0 ? books(merged) : ''}
${makeParts(result, merged).map(part).join('\n')}
${facts(result)}
</main>`,
  });
}

function verdict(result: Result): string {
  const wrong = unbalanced(result);
  const lines = wrong.map((line) => `<p class="bad">Books do not balance: ${escapeHtml(line)}</p>`);
  if (result.partial) lines.unshift('<p class="bad">Partial: the run was interrupted.</p>');
  if (wrong.length === 0 && result.cells.length > 0) {
    lines.push('<p>Books balance: every group reported was answered once and resumed once; nothing was left over.</p>');
  }
  return lines.join('\n');
}

function section(
  scanner: number,
  cells: readonly MergedCell[],
  order: readonly Generation[],
  plots: readonly Plot[],
): string {
  const pace = scanner > 0 ? `Page scanner once round in ${scanner} ms` : 'Page scanner off';
  return `<section>
<h2>${pace}</h2>
${figures(scanner, cells, order)}
<div class="plots">
${plots.map(plotFigure).join('\n')}
</div>
</section>`;
}

function figures(scanner: number, cells: readonly MergedCell[], order: readonly Generation[]): string {
  const generations = order.filter((generation) => cells.some((cell) => cell.generation === generation));
  const threads = [...new Set(cells.map((cell) => cell.threads))].sort((a, b) => a - b);
  const rows = threads.map((count) => {
    const row = generations.map((generation) => {
      const cell = cells.find((each) => each.threads === count && each.generation === generation);
      return `<td>${cell ? figureOf(cell) : '–'}</td>`;
    });
    return `<tr><th scope="row">${count}</th><td>${describeSeed(count)}</td>${row.join('')}</tr>`;
  });
  const heads = generations.map(
    (name) => `<th scope="col"><span class="key" style="background:var(--${name})"></span>${name}</th>`,
  );
  return `<div class="scroll"><table class="figures">
<caption>${titleOf(scanner)}; ${SEED_MEANING}</caption>
<thead><tr><th scope="col">threads</th><th scope="col">seed</th>${heads.join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table></div>`;
}

function figureOf(cell: MergedCell): string {
  const lines = [escapeHtml(describeThroughput(cell)), `<small>p99 ${formatNs(cell.latencyNs.p99)}</small>`];
  if (cell.groups !== undefined) lines.push(`<small>${describeGroups(cell.groups)}</small>`);
  if (cell.timeouts > 0) lines.push(`<small class="bad">time-outs ${formatCount(cell.timeouts)}</small>`);
  if (cell.admission !== undefined) lines.push(`<small>${describeAdmission(cell.admission)}</small>`);
  if (cell.refaults > 0) lines.push(`<small>re-faults ${formatCount(cell.refaults)}</small>`);
  return lines.join('');
}

/** Where the time of faults went, of runs that measured it: a figure a thread count, all faults and the slowest of them. */
function stageSection(merged: readonly MergedCell[]): string {
  const measured = merged.filter((cell) => cell.stages !== undefined);
  if (measured.length === 0) return '';
  const figures = [...Map.groupBy(measured, ({ scanner, threads }) => `${scanner}/${threads}`).values()].map(
    (cells) => {
      const [{ scanner, threads }] = cells;
      return stageFigure(
        `${threads} threads, scanner ${scanner > 0 ? `${scanner} ms` : 'off'}`,
        cells.flatMap(({ generation, stages }) => (stages === undefined ? [] : [{ name: generation, stages }])),
      );
    },
  );
  return `<section><h2>Where a fault's time goes</h2>
${STAGE_MEANING}
<div class="plots">
${figures.join('\n')}
</div></section>`;
}

function knees(merged: readonly MergedCell[]): string {
  const items = findKnees(merged).map((knee) => `<li>${escapeHtml(describeKnee(knee))}</li>`);
  return `<section><h2>Where the knee lies</h2><ul>\n${items.join('\n')}\n</ul></section>`;
}

function books(merged: readonly MergedCell[]): string {
  const byHardware = merged.some((cell) => cell.automatic > 0);
  const heads = [
    'threads',
    'generation',
    'scanner',
    'seconds',
    'jobs',
    'reported',
    'answered',
    ...(byHardware ? ['by the hardware'] : []),
    'resumed',
    'queue full',
  ];
  const leaks = ['slab', 'references', 'pending', 'deferred', 'books'];
  const rows = merged.map((cell) => {
    const { leaked } = cell;
    const automatic = byHardware ? [cell.automatic] : [];
    const counts = [cell.jobs, cell.reported, cell.answered, ...automatic, cell.resumed, cell.overflows];
    const left = [leaked.slab, leaked.references, leaked.pending, leaked.deferred];
    const verdictCell = cell.balanced ? '<td class="word">balanced</td>' : '<td class="word bad">wrong</td>';
    return `<tr><th scope="row">${cell.threads}</th><td class="word">${cell.generation}</td><td>${cell.scanner}</td><td>${formatSeconds(cell.seconds)}</td>${[...counts, ...left].map((value) => `<td>${value}</td>`).join('')}${verdictCell}</tr>`;
  });
  return `<section><h2>Books</h2><div class="scroll"><table class="figures narrow">
<caption>Sums over the repeats. Reported, answered and resumed must be equal, what is left over zero.</caption>
<thead><tr>${[...heads, ...leaks].map((head) => `<th scope="col"${head === 'generation' || head === 'books' ? ' class="word"' : ''}>${head}</th>`).join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table></div></section>`;
}

function part({ title, heads, rows }: Part): string {
  const word = (at: number): string => (at === 1 ? ' class="word"' : '');
  const head = heads.map((name, at) => `<th scope="col"${word(at)}>${name}</th>`).join('');
  const body = rows.map((row) => {
    const cells = row.slice(1).map((value, at) => `<td${word(at + 1)}>${value}</td>`);
    return `<tr><th scope="row">${row[0]}</th>${cells.join('')}</tr>`;
  });
  const [name, caption = ''] = title.split(': ');
  return `<section><h2>${escapeHtml(name)}</h2><div class="scroll"><table class="figures narrow">
<caption>${escapeHtml(caption)}</caption>
<thead><tr>${head}</tr></thead>
<tbody>
${body.join('\n')}
</tbody></table></div></section>`;
}

function facts(result: Result): string {
  const list = (title: string, values: object): string => {
    const rows = Object.entries(values).map(([name, value]) => {
      const shown = Array.isArray(value) ? value.join(', ') : String(value);
      return `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(shown)}</dd>`;
    });
    return `<section><h2>${title}</h2><dl>${rows.join('')}</dl></section>`;
  };
  const calibration = result.calibration ? list('Calibration', result.calibration) : '';
  return `<div class="facts">${list('Parameters', result.parameters)}<div>${calibration}${list('Environment', result.environment)}</div></div>`;
}
