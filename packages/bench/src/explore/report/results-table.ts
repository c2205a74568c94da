// Many results as a table: on a terminal, and in the documents, which are written from runs.
import Table from 'cli-table3';
import type { ExploreResult } from '../result.ts';
import { endOf, verdictOf } from './summary.ts';
import { countOf, wrapText } from './text.ts';

/** Where the documents' links lead; undefined for no link. */
export interface Links {
  readonly seed?: (seed: string) => string | undefined;
  /** @param source as the scenario has it. Left out: {@link sourceLink}. */
  readonly source?: (source: string) => string | undefined;
}

/** A row a scenario and design. */
export function resultsTable(results: readonly ExploreResult[]): string {
  const table = new Table({
    head: ['scenario', 'seed', 'design', 'expected', 'found', 'length', 'schedules', 'ended by', 'seconds'],
    colAligns: ['left', 'left', 'left', 'left', 'left', 'right', 'right', 'left', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const result of results) {
    const { scenario, seed, design, expected } = result;
    table.push([
      wrapText(scenario, 30).join('\n'),
      seed,
      wrapText(design, 26).join('\n'),
      expected,
      wrapText(`${MARKS[verdictOf(result)]}${foundOf(result)}`, 18).join('\n'),
      lengthOf(result, '\n'),
      result.schedules.toLocaleString('en'),
      wrapText(endOf(result), 16).join('\n'),
      result.seconds.toFixed(2),
    ]);
  }
  return table.toString();
}

/** The same for `docs/`, with links. Ends without a line feed. */
export function markdownTable(results: readonly ExploreResult[], links: Links = {}): string {
  const toSource = links.source ?? sourceLink;
  const heads = [
    'scenario',
    'seed',
    'source',
    'design',
    'expected',
    'found',
    'length',
    'schedules',
    'ended by',
    'seconds',
  ];
  const rows = results.map((result) => {
    const { scenario, seed, source, design, expected } = result;
    return [
      code(scenario),
      linked(escapeMarkdown(seed), seed === '' ? undefined : links.seed?.(seed)),
      linked(code(source), toSource(source)),
      escapeMarkdown(design),
      expected,
      verdictOf(result) === 'unexpected' ? `**${foundOf(result)}**` : foundOf(result),
      lengthOf(result, ', '),
      result.schedules.toLocaleString('en'),
      endOf(result),
      result.seconds.toFixed(2),
    ];
  });
  const rule = heads.map((head) => (['length', 'schedules', 'seconds'].includes(head) ? '--:' : '---'));
  return [heads, rule, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** Where a source of ours lies as seen from `docs/`: `core/src/sync/mutex.ts:25`. @returns undefined for any other text. */
export function sourceLink(source: string): string | undefined {
  const parts = /^((?:core|hw|iommufd|bench)\/[\w./-]+\.ts)(?::(\d+))?$/.exec(source);
  return parts ? `../packages/${parts[1]}${parts[2] ? `#L${parts[2]}` : ''}` : undefined;
}

const MARKS = { 'as expected': '', unexpected: '✗ ', undecided: '? ' } as const;

function foundOf({ finding }: ExploreResult): string {
  return finding?.kind ?? 'nothing';
}

/** Of the schedule that was found, minimised. */
function lengthOf({ finding }: ExploreResult, separator: string): string {
  if (!finding) return '';
  return [countOf(finding.steps.length, 'step'), countOf(finding.switches, 'switch', 'switches')].join(separator);
}

function code(text: string): string {
  return text === '' ? '' : `\`${text.replaceAll('`', "'").replaceAll('|', '\\|').replaceAll('\n', ' ')}\``;
}

function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_[\]<>|]/g, '\\$&').replaceAll('\n', ' ');
}

function linked(text: string, target: string | undefined): string {
  return target === undefined ? text : `[${text}](${target})`;
}
