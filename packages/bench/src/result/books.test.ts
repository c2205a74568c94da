import { expect, test } from 'vitest';
import { makeCell } from '../../test/cells.ts';
import { checkBooks, nameCell } from './books.ts';
import type { HostileFigures } from './schema.ts';

function makeHostile(): HostileFigures {
  return {
    ...{ requests: 9, groups: 3, reported: 9, answered: 3, rejected: 0, rejectedByDriver: 0 },
    ...{ succeeded: 3, invalid: 0, failures: 0, unexpected: 0, lost: 0, dropped: 0, strays: 0 },
  };
}

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

test.each([
  [
    'pages',
    { groups: { sent: 10_000, perSecond: 1, pagesPerGroup: 1, pagesResumed: 9 } },
    'groups.pagesResumed = 9, but faults = 10000',
  ],
  [
    'groups',
    { groups: { sent: 3, perSecond: 1, pagesPerGroup: 1, pagesResumed: 10_000 } },
    'resumed = 10000, but groups.sent = 3',
  ],
  [
    'translations',
    { atc: { hits: 1, translations: 1, invalidations: 1, discarded: 0, breaches: 2 } },
    "atc.breaches = 2: translations used after their invalidation's sync",
  ],
  [
    'places',
    { admission: { places: 4, admitted: 9, waited: 5, waitNs: 9, worstWaitNs: 3, out: 1 } },
    'admission.out = 1: places of jobs that have not come back',
  ],
  [
    'strays',
    { hostile: { ...makeHostile(), strays: 4 } },
    'hostile.strays = 4: answers that good devices had not asked for',
  ],
])('%s that are wrong are named', (_, over, sentence) => {
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
