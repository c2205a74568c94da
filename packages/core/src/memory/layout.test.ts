import { expect, test } from 'vitest';
import { defineLayout, describeLayout, layoutOffset } from './index.ts';

const prod = { name: 'PROD', offset: 0, width: 1, unit: 'slots', writer: 'producer' };
const cons = { name: 'CONS', offset: 32, width: 1, unit: 'slots', writer: 'consumer' };

test('a table gives its fields and prints itself', () => {
  const layout = defineLayout('ring', [prod, cons]);
  expect(layoutOffset(layout, 'CONS')).toBe(32);
  expect(layout.words).toBe(33);
  expect(describeLayout(layout)).toBe(
    [
      'ring: 33 words',
      'field  offset  width  unit   writer',
      'PROD   0       1      slots  producer',
      'CONS   32      1      slots  consumer',
    ].join('\n'),
  );
});

test.each([
  ['two writers on a line', [prod, { ...cons, offset: 31 }], /CONS\.offset = 31: shares a line with PROD/],
  ['an overlap', [{ ...prod, width: 40 }, cons], /CONS\.offset = 32: overlaps/],
  ['a field of no width', [{ ...prod, width: 0 }], /PROD\.width = 0/],
])('%s is refused', (_, fields, message) => {
  expect(() => defineLayout('ring', fields)).toThrow(message);
});

test('an unknown field is refused', () => {
  expect(() => layoutOffset(defineLayout('ring', [prod]), 'X')).toThrow(/field = "X".*ENOENT/);
});
