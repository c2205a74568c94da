import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { makeCell, makeResult, makeTable } from '../../test/cells.ts';
import { renderHtml } from './html.ts';
import type { Plot } from './plots.ts';

const dataOf = (html: string): Plot[] =>
  JSON.parse(/<script type="application\/json"[^>]*>(.*?)<\/script>/s.exec(html)?.[1] ?? '');

test('holds all it needs: nothing is fetched', () => {
  const html = renderHtml(makeResult({ cells: makeTable() }));
  expect(html).not.toMatch(/<(link|img|iframe)|\ssrc=|@import|url\(/i);
  expect(html).toContain("default-src 'none'");
  expect(html).toContain('var uPlot');
});

test('has four plots for each scanner pace, each with a figure and words', () => {
  const html = renderHtml(makeResult({ cells: makeTable([0, 100]) }));
  const plots = dataOf(html);
  expect(plots.map((plot) => plot.id.split('-')[1])).toEqual([
    'throughput',
    'latency',
    'timeouts',
    'distribution',
    'throughput',
    'latency',
    'timeouts',
    'distribution',
  ]);
  for (const { id, title, summary } of plots) {
    expect(html).toContain(`<figure id="${id}">`);
    expect(summary.length).toBeGreaterThan(10);
    expect(html).toContain(`role="img" aria-label="${title}. `);
  }
});

test('the distribution adds up to all faults, at each thread count', () => {
  const plots = dataOf(renderHtml(makeResult({ cells: makeTable() })));
  const distribution = plots[3];
  expect(distribution.views.map((view) => view.name)).toContain('512 threads');
  for (const view of distribution.views) {
    for (const curve of view.curves) {
      expect(curve.values.reduce<number>((sum, share) => sum + (share ?? 0), 0)).toBeCloseTo(100, 6);
    }
  }
});

test('text from the machine is text, not markup', () => {
  const html = renderHtml(makeResult());
  expect(html).toContain('Test &lt;CPU&gt; &amp; &quot;Co&quot;');
  expect(html).not.toContain('<CPU>');
});

test('the browser’s script is a script by itself', () => {
  const scripts = [...renderHtml(makeResult()).matchAll(/<script>(.*?)<\/script>/gs)].map((match) => match[1]);
  const client = scripts[scripts.length - 1].replace(/drawReport\(uPlot\);\s*$/, '');
  expect(runInNewContext(`${client}; [showNs(4.2e9), showCount(8.31e6), decades(0.5, 200)]`)).toEqual([
    '4.2 s',
    '8.31 M',
    [1, 10, 100],
  ]);
});

test('a partial run, and books that do not balance, are said at the top', () => {
  const html = renderHtml(makeResult({ partial: true, cells: [makeCell({ resumed: 3 })] }));
  expect(html).toContain('Partial: the run was interrupted.');
  expect(html).toContain('Books do not balance: locked, 8 threads, repeat 1: resumed = 3');
});
