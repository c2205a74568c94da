// Explorations as tests.
import { expect, test } from 'vitest';
import { type ExploreOptions, exploreScenario, replay } from './explore.ts';
import { describeFinding } from './report/finding-text.ts';
import { describeVerdict, summaryLine, verdictOf } from './report/summary.ts';
import { designsOf, type Scenario } from './scenario.ts';

const WIDTH = 120;
/** Loading, minimising and ending, on a slow machine. */
const SLACK_SECONDS = 60;
const DEFAULT_SECONDS = 60;

/** Defines a test a design: it passes when what the design is expected to do is what happened. A design that is expected to hold
 * must have been explored to the end of the search, not to the end of its time. Its summary says how many schedules, whether the
 * space was exhausted, and which bound cut it. */
export function explore(name: string, scenario: Scenario, options: Omit<ExploreOptions, 'design'> = {}): void {
  const seconds = options.bounds?.seconds ?? scenario.spec.bounds?.seconds ?? DEFAULT_SECONDS;
  for (const design of Object.keys(designsOf(scenario.spec)))
    test(`${name}: ${design}`, { timeout: (seconds + SLACK_SECONDS) * 1000 }, async ({ annotate }) => {
      const result = await exploreScenario(scenario, { ...options, design });
      await annotate(summaryLine(result));
      const found =
        result.finding === undefined ? '' : `\n${describeFinding(result.finding, { width: WIDTH, colour: false })}`;
      expect(verdictOf(result), `${describeVerdict(result)}${found}`).toBe('as expected');
    });
}

/** Defines a test that replays a schedule which once broke: it passes when nothing breaks any more. */
export function replayed(name: string, scenario: Scenario, token: string): void {
  test(name, { timeout: SLACK_SECONDS * 1000 }, async ({ annotate }) => {
    const { finding, divergedAt } = await replay(scenario, token);
    if (divergedAt >= 0) await annotate(`the code has changed: followed up to step ${divergedAt + 1}`);
    expect(finding === undefined ? '' : describeFinding(finding, { width: WIDTH, colour: false })).toBe('');
  });
}
