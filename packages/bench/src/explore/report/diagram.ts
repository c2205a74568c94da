// A finding as a sequence diagram: SVG text, made from the layout alone.
import type { Finding } from '../result.ts';
import { BOX, CHARACTER, type Layout, LINE, type Lifeline, layOut, type Note, type Row } from './diagram-layout.ts';
import { escapeHtml } from './escape.ts';
import { describeStep } from './turns.ts';

/** Wants the page's colours (`page-style.ts`). Threads beyond the fourth begin again with the first one's. */
export const DIAGRAM_STYLE = `
.diagram { display: block; font: 12px/1 ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; }
.diagram text { fill: var(--ink); } .diagram .quiet { fill: var(--soft); }
.t0 { --own: var(--v7); } .t1 { --own: var(--mainline); } .t2 { --own: var(--lockless); } .t3 { --own: var(--locked); }
.life { stroke: var(--own, var(--soft)); stroke-width: 1.5; opacity: .55; } .life.object { stroke-dasharray: 2 4; }
.head { fill: var(--own, var(--panel)); stroke: var(--own, var(--soft)); } .diagram text.on { fill: var(--paper); font-weight: 600; }
.box { fill: var(--paper); stroke: var(--own); stroke-width: 1.5; }
.touch { stroke: var(--own); stroke-width: 1.5; fill: none; } .touch.reads { stroke-dasharray: 5 4; } .tip-of { fill: var(--own); }
.switch { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 3 3; fill: none; } .switch-tip { fill: var(--soft); }
.diagram text.why { fill: var(--soft); font-style: italic; } .behind { fill: var(--panel); }
.breaks .box, .note { fill: var(--paper); stroke: var(--bad); stroke-width: 2.5; } .note { stroke-dasharray: 6 3; stroke-width: 2; }
.diagram .breaks text, .diagram text.bad { fill: var(--bad); font-weight: 600; }
.rounds { fill: none; stroke: var(--soft); stroke-dasharray: 8 4; }
.hit rect.row { fill: transparent; } .hit { outline: none; } .hit .more { display: none; pointer-events: none; }
.hit:hover rect.row, .hit:focus rect.row { fill: var(--soft); fill-opacity: .14; } .hit:hover .more, .hit:focus .more { display: block; }
.hit:hover rect.row { cursor: default; } .more rect { fill: var(--ink); } .diagram .more text { fill: var(--paper); }
`;

/** @returns one svg element. A step's value and stack appear on hovering over its row, or focusing it. */
export function drawFinding(finding: Finding): string {
  const layout = layOut(finding);
  const { width, height } = layout;
  const label = `Sequence diagram: ${finding.steps.length} steps of ${finding.threads.join(', ')}. ${finding.kind}: ${finding.message}`;
  return `<svg class="diagram" xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="group" aria-label="${escapeHtml(label)}">
${layout.threads.map((line, at) => lifeline(line, layout, threadClass(at))).join('\n')}
${layout.objects.map((line) => lifeline(line, layout)).join('\n')}
${drawRounds(layout)}
${drawSwitches(layout)}
${layout.rows.map(drawRow).join('\n')}
${layout.ends.map(drawNote).join('\n')}
${layout.verdict ? drawNote(layout.verdict) : ''}
${layout.rows.map((row) => drawHit(row, finding, layout)).join('\n')}
</svg>`;
}

function threadClass(thread: number): string {
  return `t${thread % 4}`;
}

/** @param thread its class; undefined for an object. */
function lifeline({ name, x, end }: Lifeline, { head, upright }: Layout, thread?: string): string {
  const line = `<line class="life${thread ? '' : ' object'}" x1="${x}" y1="${head}" x2="${x}" y2="${end}"/>`;
  const upwards = upright && !thread;
  const width = thread ? BOX : upwards ? 24 : textWidth(name) + 18;
  const height = upwards ? textWidth(name) + 18 : 28;
  const y = head - 2 - height;
  const box = `<rect class="head" x="${x - width / 2}" y="${y}" width="${width}" height="${height}" rx="${thread ? 4 : 12}"/>`;
  const middle = y + height / 2;
  const turn = upwards ? ` transform="rotate(-90 ${x} ${middle})"` : '';
  const title = `<text${thread ? ' class="on"' : ''} x="${x}" y="${middle + 4}" text-anchor="middle"${turn}>${escapeHtml(name)}</text>`;
  return `<g${thread ? ` class="${thread}"` : ''}>${line}${box}${title}</g>`;
}

function drawRow({ step, x, y, height, lines, source, breaks, target }: Row): string {
  const middle = y + height / 2;
  const parts = [
    `<text class="quiet" x="34" y="${middle + 4}" text-anchor="end">${breaks ? '✗ ' : ''}${step.index + 1}</text>`,
    `<text class="quiet" x="46" y="${middle + 4}">${escapeHtml(source)}</text>`,
  ];
  if (target) {
    const { direction } = target;
    const start = x + BOX / 2;
    parts.push(`<path class="touch ${direction}" d="M${start} ${middle}H${target.x}"/>`);
    if (direction !== 'writes') parts.push(arrowHead(start, middle, 1));
    if (direction !== 'reads') parts.push(arrowHead(target.x, middle, -1));
    else parts.push(`<circle class="tip-of" cx="${target.x}" cy="${middle}" r="3"/>`);
  }
  parts.push(
    `<rect class="box" x="${x - BOX / 2}" y="${y}" width="${BOX}" height="${height}" rx="3"/>`,
    textLines(lines, x - BOX / 2 + 10, y),
  );
  return `<g class="step ${threadClass(step.thread)}${breaks ? ' breaks' : ''}">${parts.join('')}</g>`;
}

/** @param way -1 points right, 1 points left. */
function arrowHead(x: number, y: number, way: 1 | -1): string {
  return `<path class="tip-of" d="M${x} ${y}l${way * 8} -4v8z"/>`;
}

function drawSwitches({ switches }: Layout): string {
  const parts = switches.map(({ from, to, why }) => {
    const label = (x: number, y: number): string =>
      `${behind(x - textWidth(why) / 2, y, why)}<text class="why" x="${x}" y="${y}" text-anchor="middle">${escapeHtml(why)}</text>`;
    const tip = `<path class="switch-tip" d="M${to.x} ${to.y}l-4 -7h8z"/>`;
    if (!from) return label(to.x, to.y - 10);
    const level = (from.y + to.y) / 2;
    const path = `<path class="switch" d="M${from.x} ${from.y}V${level}H${to.x}V${to.y - 6}"/>`;
    return path + tip + label((from.x + to.x) / 2, level + 4);
  });
  return parts.join('\n');
}

function drawRounds({ rounds, threads, rows }: Layout): string {
  if (!rounds) return '';
  const left = Math.min(...rows.map(({ x }) => x)) - BOX / 2 - 8;
  const right = threads[threads.length - 1].x + BOX / 2 + 8;
  const box = `<rect class="rounds" x="${left}" y="${rounds.y}" width="${right - left}" height="${rounds.height}" rx="6"/>`;
  const text = `↻ ${rounds.text}`;
  const [x, y] = [left + 4, rounds.y + rounds.height + LINE];
  return `${box}${behind(x, y, text)}<text class="quiet" x="${x}" y="${y}">${escapeHtml(text)}</text>`;
}

function textWidth(text: string): number {
  return Math.ceil(text.length * CHARACTER);
}

/** Keeps lines from crossing a text that starts at x. */
function behind(x: number, y: number, text: string): string {
  return `<rect class="behind" x="${x - 5}" y="${y - 12}" width="${textWidth(text) + 10}" height="${LINE}"/>`;
}

function drawNote({ x, y, width, height, lines }: Note): string {
  const box = `<rect class="note" x="${x}" y="${y}" width="${width}" height="${height}" rx="3"/>`;
  return box + textLines(lines, x + 10, y, 'bad');
}

function textLines(lines: readonly string[], x: number, y: number, name = ''): string {
  const spans = lines.map((line, at) => `<tspan x="${x}" y="${y + (at + 1) * LINE}">${escapeHtml(line)}</tspan>`);
  return `<text class="${name}">${spans.join('')}</text>`;
}

/** What hovering shows. These come last, so that no row is drawn over another's. */
function drawHit({ step, x, y, height }: Row, { threads }: Finding, { width, height: bottom }: Layout): string {
  const lines = [
    `${step.index + 1}  ${threads[step.thread]}: ${describeStep(step)}`,
    ...step.stack.map((frame) => `at ${frame}`),
  ];
  const across = Math.max(...lines.map(textWidth)) + 20;
  const tall = lines.length * LINE + 10;
  const left = Math.max(0, Math.min(x - BOX / 2 + 16, width - across));
  const top = y + height + 4 + tall > bottom ? y - tall - 4 : y + height + 4;
  const panel = `<rect x="${left}" y="${top}" width="${across}" height="${tall}" rx="4"/>${textLines(lines, left + 10, top)}`;
  const row = `<rect class="row" x="0" y="${y - 3}" width="${width}" height="${height + 6}"/>`;
  return `<g class="hit" tabindex="0" role="img" aria-label="${escapeHtml(lines.join(', '))}">${row}<g class="more">${panel}</g></g>`;
}
