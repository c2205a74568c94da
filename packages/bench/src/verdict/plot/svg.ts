// Plots as SVG text: no browser, no script, no font of its own. The same result gives the same bytes.

export const WIDTH = 760;
export const HEIGHT = 380;
export const MARGIN = { left: 72, right: 20, top: 44, bottom: 64 } as const;
/** Told apart by those who do not see all colours (Okabe and Ito). */
export const COLORS: readonly string[] = ['#d55e00', '#e69f00', '#0072b2', '#56b4e9', '#009e73', '#cc79a7', '#555555'];

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

export function round(value: number): string {
  return String(Number(value.toFixed(1)));
}

/** @param body what stands on the white ground. */
export function frame(title: string, height: number, body: readonly string[]): string {
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" font-family="system-ui, sans-serif" font-size="12" fill="#222">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    label(MARGIN.left, 20, title, 'start', 14),
    ...body,
    '</svg>',
  ].join('\n')}\n`;
}

export type Anchor = 'start' | 'middle' | 'end';

export function label(x: number, y: number, text: string, anchor: Anchor = 'start', size = 12): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" font-size="${size}">${escapeXml(text)}</text>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, color: string, dash = ''): string {
  const dashes = dash === '' ? '' : ` stroke-dasharray="${dash}"`;
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${color}"${dashes}/>`;
}

/** Steps of 1, 2 or 5 that end at or above `most`. */
export function ticks(most: number, wanted = 5): number[] {
  if (!(most > 0)) return [0, 1];
  const rough = most / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10);
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, index) => index * step);
}

export function showTick(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (value >= 10_000) return `${Number((value / 1e3).toPrecision(3))} k`;
  return String(Number(value.toPrecision(4)));
}
