import { expect, test } from 'vitest';
import { type Layout, layoutOffset } from '../memory/layout.ts';
import { LINE } from '../sync/thread-self.ts';
import * as mpmc from './mpmc.layout.ts';
import * as mpsc from './mpsc.layout.ts';
import { sharedWords } from './rings.test-help.ts';
import * as spmc from './spmc.layout.ts';
import * as spsc from './spsc.layout.ts';

const rings: [string, Layout, Record<string, unknown>, number][] = [
  ['SPSC', spsc.spscLayout(8, 8), spsc, spsc.spscWords(8, 8)],
  ['SPMC', spmc.spmcLayout(8), spmc, spmc.spmcWords(8)],
  ['MPSC', mpsc.mpscLayout(8, 7), mpsc, mpsc.mpscWords(8, 7)],
  ['MPMC', mpmc.mpmcLayout(8), mpmc, mpmc.mpmcWords(8)],
];

test.each(rings)('%s: the constants are the table, and the ring is whole lines', (name, layout, constants, words) => {
  const offsets = Object.entries(constants).filter(([key]) => key.startsWith(`${name}_`));
  expect(offsets.length).toBe(layout.fields.length);
  for (const [key, offset] of offsets) expect(offset, key).toBe(layoutOffset(layout, key.slice(name.length + 1)));
  expect(words % LINE).toBe(0);
  expect(words).toBeGreaterThanOrEqual(layout.words);
});

test('a ring slot of up to 16 words crosses no 64-byte line', () => {
  for (let slotWords = 1; slotWords < 16; slotWords++) expect(16 % mpsc.mpscStride(slotWords)).toBe(0);
  expect(mpsc.mpscStride(7)).toBe(8);
  expect(mpsc.mpscStride(8)).toBe(16);
  expect(mpsc.mpscStride(16)).toBe(32);
});

const bad = [0, -1, 3, 1.5, Number.NaN, 2 ** 25, 2 ** 31];
test.each(bad)('capacity %d is refused by name and value', (capacity) => {
  const words = sharedWords(4096);
  const why = new RegExp(`capacity = ${capacity}: must be a power of two`);
  expect(() => spsc.initSpsc(words, LINE, capacity, 8)).toThrow(why);
  expect(() => spmc.initSpmc(words, LINE, capacity)).toThrow(why);
  expect(() => mpsc.initMpsc(words, LINE, capacity, 8)).toThrow(why);
  expect(() => mpmc.initMpmc(words, LINE, capacity)).toThrow(why);
});

test('MPMC needs two slots to tell a full one from a free one', () => {
  expect(() => mpmc.mpmcWords(1)).toThrow('mpmcWords: capacity = 1: must be a power of two from 2');
});

test.each([0, -8, 1.5, 1025])('%d words a slot are refused', (slotWords) => {
  expect(() => spsc.spscWords(8, slotWords)).toThrow(`slotWords = ${slotWords}`);
  expect(() => mpsc.mpscWords(8, slotWords)).toThrow(`slotWords = ${slotWords}`);
});

test.each([
  ['before the first line', 0],
  ['off the line', LINE + 1],
  ['too far back', 3 * LINE],
])('a base %s is refused', (_, base) => {
  const words = sharedWords(4 * LINE);
  expect(() => spsc.initSpsc(words, base, 1, 1)).toThrow(`initSpsc: base = ${base}`);
  expect(() => spmc.initSpmc(words, base, 1)).toThrow(`initSpmc: base = ${base}`);
  expect(() => mpsc.initMpsc(words, base, 1, 1)).toThrow(`initMpsc: base = ${base}`);
  expect(() => mpmc.initMpmc(words, base === 0 ? 0 : base + LINE, 2)).toThrow('initMpmc: base = ');
});
