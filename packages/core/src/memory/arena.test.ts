import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LINE } from '../sync/index.ts';
import { Arena, planArena } from './index.ts';

test('regions stand on lines of their own, and offset 0 is nothing', () => {
  const plan = planArena([
    { name: 'a', words: 1 },
    { name: 'b', words: LINE + 1 },
    { name: 'c', words: LINE },
  ]);
  expect(plan.regions.map(({ base }) => base)).toEqual([LINE, 2 * LINE, 4 * LINE]);
  expect(plan.totalWords).toBe(5 * LINE);
});

test('an opened arena is the same memory', () => {
  const arena = Arena.create(planArena([{ name: 'a', words: 40 }]));
  const opened = Arena.open(structuredClone(arena.share()));
  arena.words[arena.base('a')] = 7;
  expect(opened.words[opened.base('a')]).toBe(7);
  expect(opened.sizeWords('a')).toBe(40);
});

test('no two regions overlap, whatever their sizes', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 }), (sizes) => {
      const { regions, totalWords } = planArena(sizes.map((words, i) => ({ name: `r${i}`, words })));
      let end = LINE;
      for (const { base, words } of regions) {
        expect(base % LINE).toBe(0);
        expect(base).toBeGreaterThanOrEqual(end);
        end = base + words;
      }
      expect(totalWords).toBeGreaterThanOrEqual(end);
    }),
  );
});

test.each([
  ['an unknown region', () => Arena.create(planArena([{ name: 'a', words: 1 }])).base('b'), /"b".*ENOENT/],
  ['a name used twice', () => planArena([0, 1].map(() => ({ name: 'a', words: 1 }))), /"a".*two regions.*EINVAL/],
  ['no name', () => planArena([{ name: '', words: 1 }]), /name.*EINVAL/],
  ['an empty region', () => planArena([{ name: 'a', words: 0 }]), /a\.words = 0.*EINVAL/],
  ['a size that is no number', () => planArena([{ name: 'a', words: Number.NaN }]), /a\.words = NaN.*EINVAL/],
  ['too many words', () => planArena([{ name: 'a', words: 2 ** 30 }]), /a\.words.*EINVAL/],
  [
    'a region outside the buffer',
    () => Arena.open({ buffer: new SharedArrayBuffer(128), regions: [{ name: 'a', base: 32, words: 8 }] }),
    /a = 32.*EINVAL/,
  ],
  [
    'memory that is not shared',
    () => Arena.open({ buffer: new ArrayBuffer(128) as unknown as SharedArrayBuffer, regions: [] }),
    /buffer.*EINVAL/,
  ],
])('%s is refused', (_, call, message) => {
  expect(call).toThrow(message);
});
