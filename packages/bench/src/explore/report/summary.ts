// What an exploration came to, in a line: for a test's summary, for the command's verdict.

import type { ExploreResult } from '../result.ts';
import type { Grade } from '../scenario.ts';
import { countOf } from './text.ts';

/** Whether what was expected of the design is what happened. `undecided`: it was interrupted before anything was found. */
export type Verdict = 'as expected' | 'unexpected' | 'undecided';

/** A scenario that cannot be replayed has not failed as its design should: it has not been asked. */
const NEVER_EXPECTED: ReadonlySet<string> = new Set(['refused', 'nondeterminism']);

export function verdictOf({ finding, expected, endedBy }: ExploreResult): Verdict {
  if (finding && NEVER_EXPECTED.has(finding.kind)) return 'unexpected';
  if (!finding && endedBy === 'interrupted') return 'undecided';
  return (expected === 'fails') === (finding !== undefined) ? 'as expected' : 'unexpected';
}

/** How far it came: `1,204 schedules, exhausted`, `200,000 schedules, cut by 200000 schedules`, `lost wake-up after 17
 * schedules`, `5,000 schedules, interrupted`. */
export function summaryLine(result: ExploreResult): string {
  const schedules = countOf(result.schedules, 'schedule');
  if (result.finding) return `${result.finding.kind} after ${schedules}`;
  const end = endOf(result);
  return end === 'exhausted' || end === 'interrupted' ? `${schedules}, ${end}` : `${schedules}, cut by ${end}`;
}

/** What ended it, as a cell: `exhausted`, `interrupted`, or the bound; '' after a finding. */
export function endOf({ finding, exhausted, endedBy, bound }: ExploreResult): string {
  if (finding) return '';
  if (exhausted) return 'exhausted';
  if (endedBy === 'interrupted') return 'interrupted';
  return bound || endedBy;
}

/** What did not happen as expected, for the line that says why a run failed. */
export function describeVerdict(result: ExploreResult): string {
  const { scenario, design, expected, finding } = result;
  const found = finding
    ? `${finding.kind}: ${finding.message.split('\n')[0]}`
    : `nothing found (${summaryLine(result)})`;
  return `${scenario}, design "${design}": expected that it ${expected}, but ${found}`;
}

const MARKS: Readonly<Record<Grade, string>> = { acceptable: ' ', interesting: '*', forbidden: '✗' };

/** A line an outcome: how often, which, and its grade. One that no schedule ended in is said to be never seen, unless a finding
 * put an end to the search. */
export function describeOutcomes({ outcomes, finding }: ExploreResult): string[] {
  const shown = finding ? outcomes.filter(({ count }) => count > 0) : outcomes;
  const figures = shown.map(({ count }) => (count === 0 ? 'never' : count.toLocaleString('en')));
  const width = Math.max(0, ...figures.map((figure) => figure.length));
  return shown.map(({ name, grade, count }, at) => {
    return `${count > 0 ? MARKS[grade] : ' '} ${figures[at].padStart(width)}  ${name} (${grade})`;
  });
}
