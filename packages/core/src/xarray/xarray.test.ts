import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { layoutOffset } from '../memory/index.ts';
import { LINE, type Words } from '../sync/index.ts';
import { initXarray, Xarray, xarrayLayout, xarrayWords } from './index.ts';
import { CLAIMED, LINKS, NODE_WORDS, NODES, nodesOffset, ROOT, SPARE } from './xarray.layout.ts';

function makeXarray(maxNodes: number): Xarray {
  const words: Words = new Int32Array(new SharedArrayBuffer((LINE + xarrayWords(maxNodes)) * 4));
  initXarray(words, LINE, maxNodes);
  return new Xarray(words, LINE);
}

test('the constants are the table', () => {
  const layout = xarrayLayout(3);
  const constants = { NODES, SPARE, CLAIMED, ROOT, LINKS, SLOTS: nodesOffset(3) };
  for (const [name, offset] of Object.entries(constants)) expect(layoutOffset(layout, name), name).toBe(offset);
  expect(layout.words).toBe(nodesOffset(3) + 3 * NODE_WORDS);
  expect(layout.words).toBeLessThanOrEqual(xarrayWords(3));
});

test('ids come lowest first, and come back', () => {
  const xarray = makeXarray(2);
  for (let id = 0; id < 1500; id++) expect(xarray.alloc(id + 1, 0, 2047)).toBe(id);
  for (const id of [1400, 3, 1023, 1024]) expect(xarray.erase(id)).toBe(id + 1);
  for (const id of [3, 1023, 1024, 1400, 1500]) expect(xarray.alloc(9, 0, 2047)).toBe(id);
});

test('a range is kept to, at both ends, and -1 says that it is full', () => {
  const xarray = makeXarray(2);
  expect([1, 2, 3, 4].map((value) => xarray.alloc(value, 1023, 1025))).toEqual([1023, 1024, 1025, -1]);
  expect(xarray.alloc(5, 7, 7)).toBe(7);
  expect(xarray.alloc(5, 7, 7)).toBe(-1);
});

test('nodes that are used up refuse a store, and leave alloc what there is', () => {
  const xarray = makeXarray(1);
  xarray.store(5, 1);
  expect(() => xarray.store(5000, 1)).toThrow(/Xarray\.store: index = 5000: all 1 nodes are in use \(ENOMEM\)/);
  expect(() => xarray.compareExchange(5000, 0, 1)).toThrow(/ENOMEM/);
  expect(xarray.store(5000, 0)).toBe(0);
  expect(xarray.compareExchange(5000, 1, 2)).toBe(0);
  expect(xarray.alloc(1, 5000, 6000)).toBe(-1);
  expect(xarray.alloc(1, 1020, 6000)).toBe(1020);
});

test('who loses the race to install a node gives it back', () => {
  const xarray = makeXarray(2);
  let installs = 0;
  const original = Atomics.compareExchange;
  vi.spyOn(Atomics, 'compareExchange').mockImplementation(((
    words: Words,
    at: number,
    expected: number,
    value: number,
  ) => {
    if (at === LINE + ROOT && installs++ === 0) xarray.store(1, 11); // somebody installs the same block first
    return original(words, at, expected, value);
  }) as typeof Atomics.compareExchange);
  xarray.store(2, 22);
  vi.restoreAllMocks();
  expect([xarray.load(1), xarray.load(2)]).toEqual([11, 22]);
  xarray.store(1024, 33); // the loser's node
  expect(xarray.load(1024)).toBe(33);
  expect(xarray.count()).toBe(3);
});

type Step = {
  call: 'store' | 'compareExchange' | 'erase' | 'load' | 'alloc';
  index: number;
  value: number;
  span: number;
};

test('an xarray is a map', () => {
  const step: fc.Arbitrary<Step> = fc.record({
    call: fc.constantFrom('store', 'compareExchange', 'erase', 'load', 'alloc', 'alloc'),
    // Few indices, at the edges of bit words and nodes.
    index: fc.constantFrom(0, 1, 30, 31, 32, 1022, 1023, 1024, 2047, 1048575),
    value: fc.integer({ min: 0, max: 3 }),
    span: fc.nat(40),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const xarray = makeXarray(4);
      const model = new Map<number, number>();
      const set = (index: number, value: number): void => {
        if (value === 0) model.delete(index);
        else model.set(index, value);
      };
      for (const { call, index, value, span } of steps) {
        const had = model.get(index) ?? 0;
        if (call === 'store') {
          expect(xarray.store(index, value)).toBe(had);
          set(index, value);
        } else if (call === 'compareExchange') {
          const expected = span % 4;
          expect(xarray.compareExchange(index, expected, value)).toBe(had);
          if (had === expected) set(index, value);
        } else if (call === 'erase') {
          expect(xarray.erase(index)).toBe(had);
          model.delete(index);
        } else if (call === 'alloc') {
          const max = Math.min(index + span, 1048575);
          let free = index;
          while (free <= max && model.has(free)) free++;
          expect(xarray.alloc(value + 1, index, max)).toBe(free > max ? -1 : free);
          if (free <= max) model.set(free, value + 1);
        }
        expect(xarray.load(index)).toBe(model.get(index) ?? 0);
      }
      expect(xarray.count()).toBe(model.size);
    }),
  );
});

describe('bad input', () => {
  const numbers = [-1, 2 ** 20, 2 ** 32, 1.5, Number.NaN];

  test.each(numbers)('%d is no index: absent where it may come from outside, refused elsewhere', (index) => {
    const xarray = makeXarray(1);
    xarray.store(0, 1);
    expect(xarray.load(index)).toBe(0);
    expect(xarray.erase(index)).toBe(0);
    expect(() => xarray.store(index, 1)).toThrow(/index = .*EINVAL/);
    expect(() => xarray.compareExchange(index, 0, 1)).toThrow(/index = .*EINVAL/);
    expect(() => xarray.alloc(1, 0, index)).toThrow(/max = .*EINVAL/);
    expect(() => xarray.alloc(1, index, 5)).toThrow(/min = .*EINVAL/);
  });

  test('values', () => {
    const xarray = makeXarray(1);
    for (const value of [-1, 2 ** 31, 0.5, Number.NaN]) {
      expect(() => xarray.store(0, value)).toThrow(/value = .*EINVAL/);
      expect(() => xarray.alloc(value, 0, 5)).toThrow(/value = .*EINVAL/);
      expect(() => xarray.compareExchange(0, value, 1)).toThrow(/expected = .*EINVAL/);
    }
    expect(() => xarray.alloc(0, 0, 5)).toThrow(/value = 0/);
  });

  test('places', () => {
    const words = new Int32Array(new SharedArrayBuffer(1024));
    expect(() => xarrayWords(0)).toThrow(/maxNodes = 0/);
    expect(() => initXarray(words, LINE, 1)).toThrow(/base = 32/);
    expect(() => new Xarray(words, LINE)).toThrow(/no xarray was laid out here/);
  });
});
