import { expect, test } from 'vitest';
import { formatGoal } from './goals.ts';

const format = (value: number): string => `${value} ns`;

test('a goal is printed, and whether it was missed', () => {
  expect(formatGoal({ most: 20 }, 20, format)).toBe('≤ 20 ns');
  expect(formatGoal({ most: 20 }, 20.1, format)).toBe('≤ 20 ns, missed');
  expect(formatGoal({ least: 1.7 }, 1.8, format)).toBe('≥ 1.7 ns');
  expect(formatGoal({ least: 1.7 }, 1.6, format)).toBe('≥ 1.7 ns, missed');
});
