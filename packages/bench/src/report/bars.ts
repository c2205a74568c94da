// Bars made of markup alone: they need no script, and a reader of the screen hears their figures.
import { escapeHtml } from './page.ts';

export interface StackedBar {
  readonly name: string;
  readonly parts: readonly { readonly name: string; readonly colour: string; readonly value: number }[];
}

/** Rows of stacked bars, all to one scale: the longest is as wide as the page lets it be. A part below zero has no width.
 * @param format a value as text, for the total beside each bar and for its parts. */
export function stackedBars(bars: readonly StackedBar[], format: (value: number) => string): string {
  const totals = bars.map(({ parts }) => parts.reduce((sum, { value }) => sum + value, 0));
  const longest = Math.max(...totals);
  return bars
    .map(({ name, parts }, at) => {
      const words = parts.map((part) => `${part.name} ${format(part.value)}`);
      const width = longest > 0 ? (100 * totals[at]) / longest : 0;
      const pieces = parts.map(
        (part, i) =>
          `<i style="flex:${Math.max(0, part.value)} 0 0;background:var(--${part.colour})" title="${escapeHtml(words[i])}"></i>`,
      );
      const label = escapeHtml(`${name}: ${words.join(', ')}`);
      return `<span>${escapeHtml(name)}</span><div><div class="bar" role="img" aria-label="${label}" style="width:${width.toFixed(2)}%">${pieces.join('')}</div></div><span>${format(totals[at])}</span>`;
    })
    .join('\n');
}

/** What the colours of the bars' parts stand for. */
export function barKeys(parts: readonly { readonly name: string; readonly colour: string }[]): string {
  const keys = parts.map(
    ({ name, colour }) =>
      `<span><span class="key" style="background:var(--${colour})"></span>${escapeHtml(name)}</span>`,
  );
  return `<p class="keys">${keys.join(' ')}</p>`;
}
