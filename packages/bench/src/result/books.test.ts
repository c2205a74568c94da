import { expect, test } from 'vitest';
import { makeCell } from '../../test/cells.ts';
import { checkBooks, nameCell } from './books.ts';

const none = { slab: 0, references: 0, pending: 0, deferred: 0 };

test('balanced books have nothing to say', () => {
  expect(checkBooks(makeCell())).toEqual([]);
});

test.each([
  ['answered', { reported: 10, answered: 9, resumed: 9 }, 'answered = 9, but reported = 10'],
  ['resumed', { reported: 10, answered: 10, resumed: 11 }, 'resumed = 11, but answered = 10'],
  [
    'resumed',
    { reported: 10, answered: 10, automatic: 2, resumed: 10 },
    'resumed = 10, but answered = 10, and by the hardware itself = 2',
  ],
  ['slab', { leaked: { ...none, slab: 1 } }, 'leaked.slab = 1: slab objects not free'],
  ['references', { leaked: { ...none, references: 2 } }, 'leaked.references = 2: references not put'],
  ['pending', { leaked: { ...none, pending: -1 } }, 'leaked.pending = -1: groups still pending'],
  ['deferred', { leaked: { ...none, deferred: 3 } }, 'leaked.deferred = 3: RCU callbacks not run'],
])('%s that does not balance is named with its value', (_, over, sentence) => {
  expect(checkBooks(makeCell(over))).toEqual([sentence]);
});

test('what the hardware answered by itself is resumed, and not reported', () => {
  expect(checkBooks(makeCell({ reported: 10, answered: 10, automatic: 2, resumed: 12 }))).toEqual([]);
});

test('every figure that is wrong is named', () => {
  const wrong = makeCell({ reported: 3, answered: 2, resumed: 1, leaked: { ...none, slab: 1, deferred: 1 } });
  expect(checkBooks(wrong)).toHaveLength(4);
});

test('a cell is named as people count', () => {
  expect(nameCell(makeCell({ generation: 'v7', threads: 64, repeat: 1, scanner: 50 }))).toBe(
    'v7, 64 threads, scanner 50 ms, repeat 2',
  );
});
