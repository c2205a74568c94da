import { expect, test } from 'vitest';
import { makeFinding } from './finding.test-data.ts';
import { makeCut, makeFailing, makeResult } from './result.test-data.ts';
import { describeOutcomes, describeVerdict, summaryLine, verdictOf } from './summary.ts';

const finding = (kind: 'refused' | 'nondeterminism' | 'deadlock') => makeFinding({ kind });

test.each([
  ['1,204 schedules, exhausted', makeResult()],
  ['200,000 schedules, cut by 200000 schedules', makeCut()],
  ['1,204 schedules, cut by 3 preemptions', makeResult({ exhausted: false, bound: '3 preemptions' })],
  ['5,000 schedules, interrupted', makeCut({ schedules: 5000, endedBy: 'interrupted', bound: 'interrupted' })],
  ['900 schedules, cut by seconds', makeCut({ schedules: 900, endedBy: 'seconds', bound: '' })],
  ['lost wake-up after 17 schedules', makeFailing()],
  ['lost wake-up after 1 schedule', makeFailing({ schedules: 1 })],
])('%s', (line, result) => {
  expect(summaryLine(result)).toBe(line);
});

test.each([
  ['a design that holds held', 'as expected', makeResult()],
  ['a design that holds held as far as the bound', 'as expected', makeCut()],
  ['a design that fails failed', 'as expected', makeFailing()],
  ['a design that holds failed', 'unexpected', makeFailing({ expected: 'holds' })],
  ['a design that fails held', 'unexpected', makeResult({ expected: 'fails' })],
  ['a design that fails was not found to', 'unexpected', makeCut({ expected: 'fails' })],
  [
    'a scenario was refused, which is no failure of its design',
    'unexpected',
    makeFailing({ finding: finding('refused') }),
  ],
  ['a scenario does not replay', 'unexpected', makeFailing({ finding: finding('nondeterminism') })],
  ['it was interrupted', 'undecided', makeCut({ endedBy: 'interrupted' })],
  ['it was interrupted', 'undecided', makeCut({ endedBy: 'interrupted', expected: 'fails' })],
  ['it was found, then interrupted', 'unexpected', makeFailing({ endedBy: 'interrupted', expected: 'holds' })],
])('%s: %s', (_, verdict, result) => {
  expect(verdictOf(result)).toBe(verdict);
});

test('what is unexpected is said with both sides', () => {
  expect(describeVerdict(makeFailing({ expected: 'holds', design: 'as shipped' }))).toBe(
    'structures/mutex, design "as shipped": expected that it holds, but lost wake-up: bob sleeps for ever on mutex.word, ' +
      'which alice has changed since',
  );
  expect(describeVerdict(makeCut({ expected: 'fails' }))).toBe(
    'structures/mutex, design "as shipped": expected that it fails, but nothing found ' +
      '(200,000 schedules, cut by 200000 schedules)',
  );
});

test('outcomes are counted and graded, also those never seen', () => {
  const outcomes = [
    { name: 'one waits', grade: 'acceptable', count: 1021 },
    { name: 'nobody waits', grade: 'interesting', count: 0 },
    { name: 'both hold it', grade: 'forbidden', count: 3 },
  ] as const;
  expect(describeOutcomes(makeResult({ outcomes }))).toEqual([
    '  1,021  one waits (acceptable)',
    '  never  nobody waits (interesting)',
    '✗     3  both hold it (forbidden)',
  ]);
  expect(describeOutcomes(makeFailing({ outcomes }))).toHaveLength(2); // the search stopped: never would say too much
});
