// A finding as one file to send around: what broke, the sequence diagram, the stacks, the command. Nothing fetched, no script.
import { PAGE_STYLE } from '../../report/page-style.ts';
import type { Finding } from '../result.ts';
import { DIAGRAM_STYLE, drawFinding } from './diagram.ts';
import { escapeHtml } from './escape.ts';
import { countOf, replayCommand } from './text.ts';

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE = `${PAGE_STYLE}
body.finding { max-width: 100%; width: fit-content; min-width: min(100%, 760px); }
.finding .panel { background: var(--panel); border-radius: 8px; padding: 14px; overflow-x: auto; margin: 16px 0; }
.finding pre { background: var(--panel); border-radius: 8px; padding: 12px 14px; white-space: pre-wrap; overflow-wrap: anywhere; max-width: 1190px;
  font: 13px/1.5 ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; }
${DIAGRAM_STYLE}`;

/** @returns a whole HTML document. */
export function findingHtml(finding: Finding): string {
  const { scenario, design, kind, message, switches, foundSwitches, token } = finding;
  const found = `Found with ${countOf(foundSwitches, 'switch', 'switches')}, minimised to ${switches.toLocaleString('en')}.`;
  const diagram =
    finding.steps.length > 0
      ? `<div class="panel">${drawFinding(finding)}</div>
<p class="soft">Time runs downwards, a row a step. A solid arrow writes, a dashed one reads, two heads do both in one operation. Hover over a row for its stack.</p>`
      : '<p>It broke before the first step.</p>';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${escapeHtml(`${kind}: ${scenario}`)}</title>
<style>${STYLE}</style>
</head>
<body class="finding">
<h1>${escapeHtml(kind)}</h1>
<p class="bad">${escapeHtml(message)}</p>
<p class="soft">${escapeHtml(scenario)}, design “${escapeHtml(design)}”. ${found}</p>
${diagram}
${races(finding)}
${stuck(finding)}
${token === '' ? '' : `<h2>See it again</h2>\n<pre>${escapeHtml(replayCommand(scenario, design, token))}</pre>`}
</body>
</html>
`;
}

function races({ race }: Finding): string {
  if (!race) return '';
  const items = race.map(({ thread, what, stack }) => located(`${thread}: ${what}`, stack));
  return `<h2>The two accesses</h2>\n<ul>${items.join('')}</ul>`;
}

function stuck(finding: Finding): string {
  if (finding.stuck.length === 0) return '';
  const items = finding.stuck.map(({ thread, where, stack }) => located(`${thread}: ${where}`, stack));
  return `<h2>Stuck</h2>\n<ul>${items.join('')}</ul>`;
}

function located(what: string, stack: readonly string[]): string {
  const frames = stack.map((frame) => `<br><span class="soft">at ${escapeHtml(frame)}</span>`);
  return `<li>${escapeHtml(what)}${frames.join('')}</li>`;
}
