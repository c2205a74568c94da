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
  return end === result.bound && end !== '' ? `${schedules}, cut by ${end}` : `${schedules}, ${end}`;
}

/** What ended it, as a cell: `exhausted`, `interrupted`, or the bound; '' after a finding. */
export function endOf({ finding, exhausted, endedBy, bound }: ExploreResult): string {
  if (finding) return '';
  if (exhausted) return 'exhausted';
  if (endedBy === 'interrupted') return 'interrupted';
  return bound || `cut by ${endedBy}`;
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

/** A line an outcome: how often, which, and its grade. One that no schedule ended in is said to be never seen. */
export function describeOutcomes({ outcomes }: ExploreResult): string[] {
  const shown = outcomes.map(({ name, grade, count }) => {
    return { name, grade, count: count === 0 ? 'never' : count.toLocaleString('en') };
  });
  const width = Math.max(0, ...shown.map(({ count }) => count.length));
  return shown.map(({ name, grade, count }) => `${MARKS[grade]} ${count.padStart(width)}  ${name} (${grade})`);
}
