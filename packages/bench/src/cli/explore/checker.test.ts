import { expect, test } from 'vitest';
import { makeFinding } from '../../explore/report/finding.test-data.ts';
import { describeFinding, summaryLine, toJson, verdictOf } from '../../explore/report/index.ts';
import { refusedResult, replayResult } from './checker.ts';
import { makeScenario } from './fake-explorer.test-data.ts';

const { scenario } = makeScenario('000/domain-free', { 'no count': 'fails', counted: 'holds' });

test('a replay that breaks is a finding; one that does not is one schedule of many', () => {
  const finding = makeFinding();
  const broken = replayResult(scenario, 'no count', { finding, divergedAt: -1, same: true }, 0.1);
  expect([summaryLine(broken), broken.strategy, verdictOf(broken)]).toEqual([
    'lost wake-up after 1 schedule',
    'replay',
    'as expected',
  ]);
  const mended = replayResult(scenario, 'counted', { finding: undefined, divergedAt: -1, same: true }, 0.1);
  expect([summaryLine(mended), mended.exhausted, verdictOf(mended)]).toEqual([
    '1 schedule, cut by replay',
    false,
    'as expected',
  ]);
});

test('a replay says whether the code is still the one that the token was made of', () => {
  const strategyOf = (divergedAt: number, same: boolean): string =>
    replayResult(scenario, 'counted', { finding: undefined, divergedAt, same }, 0.1).strategy;
  expect(strategyOf(-1, false)).toContain('its operations are others');
  expect(strategyOf(5, false)).toContain('follows the schedule up to step 5 only');
});

test('what is refused has not failed as its design should, and can be printed and written', () => {
  const refused = refusedResult(scenario, 'no count', 'setTimeout: hand in a clock', 0.1);
  expect(verdictOf(refused)).toBe('unexpected');
  expect(toJson([refused])).toMatchObject([{ found: 'refused', token: null, schedules: 0 }]);
  expect(refused.finding && describeFinding(refused.finding, { width: 80, colour: false })).toContain(
    'refused: setTimeout',
  );
});
