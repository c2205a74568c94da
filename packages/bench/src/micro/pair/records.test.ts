import { expect, test } from 'vitest';
import { recordsSum, valuesSum } from './records.ts';

test.each([0, 1, 2, 1000, 70_000])('the sums of %d items are those of adding them up', (items) => {
  let records = 0;
  let values = 0;
  for (let i = 0; i < items; i++) {
    for (let k = 0; k < 8; k++) records = (records + i + k) | 0;
    values = (values + i + 1) | 0;
  }
  expect(recordsSum(items, 8)).toBe(records);
  expect(valuesSum(items)).toBe(values);
});
