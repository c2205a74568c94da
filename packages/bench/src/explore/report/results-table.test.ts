import { expect, test } from 'vitest';
import { makeCut, makeFailing, makeResult } from './result.test-data.ts';
import { resultsTable } from './results-table.ts';

const cellsOf = (line: string): string[] =>
  line
    .slice(1, -1)
    .split(/[│|]/)
    .map((cell) => cell.trim());
const rowsOf = (page: string): string[][] =>
  page
    .split('\n')
    .filter((line) => /^[│|]/.test(line))
    .map(cellsOf);

test('has a row for each scenario and design: expected, found, length, how far, how long', () => {
  const [head, failing, more, holding, cut] = rowsOf(resultsTable([makeFailing(), makeResult(), makeCut()]));
  expect(head.slice(3)).toEqual(['expected', 'found', 'length', 'schedules', 'ended by', 'seconds']);
  expect(failing).toEqual(
    ['structures/mutex', '000', 'unlock notifies nobody', 'fails', 'lost wake-up', '8 steps', '17', '', '0.04'], // biome-ignore format: a row
  );
  expect(more[5]).toBe('2 switches');
  expect(holding).toEqual(
    ['structures/mutex', '', 'as shipped', 'holds', 'nothing', '', '1,204', 'exhausted', '0.31'], // biome-ignore format: a row
  );
  expect(cut.slice(6)).toEqual(['200,000', '200000 schedules', '41.20']);
});

test('marks what was not expected, and what is not decided', () => {
  const unexpected = makeResult({ expected: 'fails' });
  const [, first, second] = rowsOf(resultsTable([unexpected, makeCut({ endedBy: 'interrupted' })]));
  expect(first[4]).toBe('✗ nothing');
  expect(second[4]).toBe('? nothing');
});

test('keeps to 150 columns, however long the names', () => {
  const long = {
    scenario: '000/last-page-races-with-pri-off-of-the-same-device',
    design: 'the order '.repeat(12).trim(),
  };
  const page = resultsTable([makeFailing(long), makeCut(long)]);
  expect(Math.max(...page.split('\n').map((line) => line.length))).toBeLessThanOrEqual(150);
});
