import { expect, test } from 'vitest';
import { boxTable } from './box.ts';

test('columns are as wide as their widest line, escape codes aside; the first stands to the right', () => {
  const page = boxTable(['#', 'alice'], [[['1'], ['\x1b[33mstore\x1b[39m 0', 'done']], [['10'], []]]); // biome-ignore format: a table
  expect(page.split('\n')).toEqual([
    '┌────┬─────────┐',
    '│  # │ alice   │',
    '├────┼─────────┤',
    '│  1 │ \x1b[33mstore\x1b[39m 0 │',
    '│    │ done    │',
    '├────┼─────────┤',
    '│ 10 │         │',
    '└────┴─────────┘',
  ]);
});
