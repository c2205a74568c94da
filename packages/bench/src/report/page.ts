// A page as one file: uPlot, style, data and script inside, nothing fetched. It opens offline.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { clientScript } from './client.ts';
import { PAGE_STYLE } from './page-style.ts';
import type { Plot } from './plots.ts';

/** Nothing may be fetched, whatever the file holds. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

export interface Page {
  readonly title: string;
  /** Markup below the title. It holds a {@link plotFigure} for each plot. */
  readonly body: string;
  /** Drawn in the reader's browser. */
  readonly plots: readonly Plot[];
}

export function renderPage({ title, body, plots }: Page): string {
  const library = createRequire(import.meta.url);
  const asset = (name: string): string => readFileSync(library.resolve(`uplot/dist/${name}`), 'utf8');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${escapeHtml(title)}</title>
<style>${asset('uPlot.min.css')}${PAGE_STYLE}</style>
</head>
<body data-plots="${plots.length}">
<h1>${escapeHtml(title)}</h1>
${body}
<script type="application/json" id="plots-data">${JSON.stringify(plots).replaceAll('<', '\\u003c')}</script>
<script>${inline(asset('uPlot.iife.min.js'))}</script>
<script>${inline(clientScript())}</script>
</body>
</html>
`;
}

/** The place that a plot is drawn in, with its title and its summary; with several views, a choice of them, the last one first. */
export function plotFigure(plot: Plot): string {
  const { id, title, summary, views } = plot;
  const options = views.map(
    ({ name }, at) => `<option${at === views.length - 1 ? ' selected' : ''}>${escapeHtml(name)}</option>`,
  );
  const choice =
    views.length > 1 ? `<select aria-label="${escapeHtml(title)}: which">${options.join('')}</select>` : '';
  return `<figure id="${id}">
<header><h3>${escapeHtml(title)}</h3>${choice}</header>
<div class="plot" role="img" aria-label="${escapeHtml(`${title}. ${summary}`)}"></div>
<figcaption>${escapeHtml(summary)}</figcaption>
</figure>`;
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** A script element ends at the first closing tag, wherever it stands. */
function inline(script: string): string {
  return script.replaceAll('</script', '<\\/script');
}
