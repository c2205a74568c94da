import { expect, test } from 'vitest';
import { makeCut, makeFailing, makeResult } from './result.test-data.ts';
import { markdownTable, resultsTable, sourceLink } from './results-table.ts';

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
  expect(markdownTable([unexpected])).toContain('| **nothing** |');
  expect(markdownTable([makeResult()])).not.toContain('**');
});

test('keeps to 150 columns, however long the names', () => {
  const long = {
    scenario: '000/last-page-races-with-pri-off-of-the-same-device',
    design: 'the order '.repeat(12).trim(),
  };
  const page = resultsTable([makeFailing(long), makeCut(long)]);
  expect(Math.max(...page.split('\n').map((line) => line.length))).toBeLessThanOrEqual(150);
});

test('in Markdown it is one table, with links', () => {
  const page = markdownTable([makeFailing(), makeCut({ source: 'commit 5b2c8dda ("x|y")', seed: '003' })], {
    seed: (seed) => (seed === '000' ? 'https://lore.kernel.org/x' : undefined),
  });
  const [, rule, first, second] = page.split('\n');
  expect(rule).toBe('| --- | --- | --- | --- | --- | --- | --: | --: | --- | --: |');
  expect(first).toBe(
    '| `structures/mutex` | [000](https://lore.kernel.org/x) | [`core/src/sync/mutex.ts`](../packages/core/src/sync/mutex.ts) ' +
      '| unlock notifies nobody | fails | lost wake-up | 8 steps, 2 switches | 17 |  | 0.04 |',
  );
  expect(second).toContain('| 003 | `commit 5b2c8dda ("x\\|y")` | as shipped |');
  for (const line of page.split('\n')) expect(line.split(/(?<!\\)\|/)).toHaveLength(12);
});

test('what Markdown takes for its own is escaped', () => {
  expect(markdownTable([makeResult({ design: 'a|b <i> *c*\n[d]' })])).toContain('| a\\|b \\<i\\> \\*c\\* \\[d\\] |');
});

test('our own sources are linked from docs, with the line', () => {
  expect(sourceLink('core/src/sync/mutex.ts:25')).toBe('../packages/core/src/sync/mutex.ts#L25');
  expect(sourceLink('drivers/iommu/io-pgfault.c:120')).toBeUndefined();
});
