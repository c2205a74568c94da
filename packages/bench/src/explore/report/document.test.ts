import { expect, test } from 'vitest';
import { sourceOf } from '../../../scenarios/museum/fix.ts';
import { resultsDocument } from './document.ts';
import { makeFinding } from './finding.test-data.ts';
import { makeCut, makeFailing, makeResult } from './result.test-data.ts';

const MADE = {
  command: "faultline explore 'structures/*'",
  environment: {
    ...{ node: '26.10.0', v8: '14.6', platform: 'linux', arch: 'x64', release: '6.18_x' },
    ...{ cpus: 2, cpuModel: 'AMD EPYC', memoryBytes: 8 * 2 ** 30 },
  },
};
const COLUMNS = 8;

const exhibit = (over: Parameters<typeof makeResult>[0] = {}): ReturnType<typeof makeResult> => {
  const fix = { commit: 'fca5b78511e9', title: 'iommu: Restore | lost "return"', cve: 'CVE-2024-44994' };
  const source = sourceOf({ ...fix, shipped: '6.9 to 6.10', fixed: '6.11 and 6.10.7' });
  return makeResult({ scenario: 'museum/lost-return', seed: '', source, ...over });
};
const faulty = makeFailing({ ...exhibit(), ...{ design: 'as in 6.10', expected: 'fails' }, endedBy: 'finding' });
const broke = makeFinding({ message: 'Error: bob sleeps for ever on mutex.word\nand so on' });
const failing = { ...faulty, finding: broke, exhausted: false };

test('says which command made it, where, and whether all was as expected', () => {
  const page = resultsDocument([makeFailing(), makeResult()], MADE);
  expect(page).toMatch(
    /^# .*\n\nMade by `faultline explore 'structures\/\*'`, not by hand; AMD EPYC, 2 processors, 8 GiB; linux 6.18\\_x; Node 26.10.0, V8 14.6\.\n/,
  );
  expect(page).toContain('1 scenario, 2 designs in 1 s of search: all as expected.');
  expect(page).toMatch(/[^\n]\n$/);
});

test('what was not expected is counted, and in bold', () => {
  const page = resultsDocument([makeResult({ expected: 'fails' }), makeResult()], MADE);
  expect(page).toContain('**1 not as expected**');
  expect(page).toContain('| **nothing** |');
  expect(page.match(/\| nothing \|/g)).toHaveLength(1);
});

test('a scenario has its question and source once, then a row a design', () => {
  const source = 'seed 000, step <2>; core/src/iopf/pri-off.ts:25, fence_responses';
  const designs = [
    makeFailing({ source, seed: '000' }),
    makeResult({ source, seed: '000' }),
    makeCut({ source, seed: '000' }),
  ];
  const page = resultsDocument(designs, MADE);
  expect(page.split('\n').filter((line) => line.startsWith('#'))).toEqual([
    expect.stringMatching(/^# /),
    '## structures',
    '### `structures/mutex`',
  ]);
  expect(page.match(/does anyone sleep for ever/g)).toHaveLength(1);
  expect(page).toContain(
    'From seed 000, step \\<2\\>; [`core/src/iopf/pri-off.ts:25`](../packages/core/src/iopf/pri-off.ts#L25), fence\\_responses\n',
  );
  expect(page).toContain(
    '| unlock notifies nobody | fails | lost wake-up | 8 steps, 2 switches | 17 |  | 0.04 | `v1:structures/mutex@unlock+notifies+nobody:ab3a4:9f3c21:0000` |\n',
  );
  expect(page).toContain('| as shipped | holds | nothing |  | 1,204 | exhausted | 0.31 |  |\n');
  expect(page).toContain('| as shipped | holds | nothing |  | 200,000 | 200000 schedules | 41.20 |  |\n');
  const rows = page.split('\n').filter((line) => line.startsWith('|'));
  expect(rows).toHaveLength(5);
  for (const row of rows) expect(row.split(/(?<!\\)\|/)).toHaveLength(COLUMNS + 2);
});

test('a seed that its source does not name is named; scenarios are by folder, and what Markdown takes for its own is escaped', () => {
  const page = resultsDocument(
    [
      makeResult({ scenario: '001/a', seed: '001', design: 'a|b <i> *c*\n[d]' }),
      makeResult({ scenario: '001/b' }),
      makeResult(),
    ],
    MADE,
  );
  expect(page).toContain('From seed 001; [`core/src/sync/mutex.ts`](../packages/core/src/sync/mutex.ts)\n');
  expect(page).toContain('| a\\|b \\<i\\> \\*c\\* \\[d\\] |');
  expect(page.match(/^##+ .*/gm)).toEqual([
    '## 001',
    '### `001/a`',
    '### `001/b`',
    '## structures',
    '### `structures/mutex`',
  ]);
});

test('bugs that Linux fixed are a table: what breaks, since when, repaired by what, found how, and ours beside it', () => {
  const page = resultsDocument(
    [
      failing,
      exhibit({ design: 'as fixed in 6.11', schedules: 9 }),
      exhibit({ design: 'faultline lockless', schedules: 87 }),
    ],
    MADE,
  );
  const rows = page.split('\n').filter((line) => line.startsWith('|'));
  expect(rows).toHaveLength(3);
  const [bug, asked, shipped, fixedBy, found, repaired, ours] = rows[2].slice(2, -2).split(' | ');
  expect([bug, shipped]).toEqual(['`lost-return`', '6.9 to 6.10']);
  expect(asked).toMatch(/sleep for ever\?<br>bob sleeps for ever on mutex.word/);
  expect(fixedBy).toBe('`fca5b78511e9` iommu: Restore \\| lost "return"<br>CVE-2024-44994<br>in 6.11 and 6.10.7');
  expect(found).toBe('lost wake-up, 8 steps, 2 switches');
  expect([repaired, ours]).toEqual(['9 schedules, exhausted', '87 schedules, exhausted']);
});

test('an exhibit that does not break, or ours that does, is in bold; one without ours says so', () => {
  const silent = exhibit({ design: 'as in 6.10', expected: 'fails' });
  expect(resultsDocument([silent], MADE)).toMatch(/\| \*\*nothing\*\* \|.*\| no such job here \|\n$/);
  const broken = { ...failing, design: 'faultline lockless', expected: 'holds' } as const;
  expect(resultsDocument([broken], MADE)).toContain('| **lost wake-up**, 8 steps, 2 switches |');
});

test('the museum has a document of its own', () => {
  const page = resultsDocument([failing, makeResult()], MADE);
  expect(page).not.toContain('lost-return');
  expect(page).toContain('1 scenario, 1 design in');
});
