// Many results as a table, on a terminal.
import Table from 'cli-table3';
import type { ExploreResult } from '../result.ts';
import { endOf, verdictOf } from './summary.ts';
import { countOf, wrapText } from './text.ts';

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

const MARKS = { 'as expected': '', unexpected: '✗ ', undecided: '? ' } as const;

/** What kind of finding, in a cell. */
export function foundOf({ finding }: ExploreResult): string {
  return finding?.kind ?? 'nothing';
}

/** Of the schedule that was found, minimised. */
export function lengthOf({ finding }: ExploreResult, separator: string): string {
  if (!finding) return '';
  return [countOf(finding.steps.length, 'step'), countOf(finding.switches, 'switch', 'switches')].join(separator);
}
