import { expect, test, vi } from 'vitest';
import { LINE } from '../sync/index.ts';
import { initSlab, Slab, SlabCache, slabWords } from './index.ts';

test('a pop that slept while its chain left and came back starts over', () => {
  const words = new Int32Array(new SharedArrayBuffer((LINE + slabWords(3, 16)) * 4));
  initSlab(words, LINE, 3, 16);
  const slab = new Slab(words, LINE);
  const [slow, fast] = [1, 2].map((id) => new SlabCache(slab, { id, spins: 0 }, { batch: 1, checked: true }));
  for (const index of [slow.alloc(), slow.alloc(), slow.alloc()]) slow.free(index); // the stack is 3, 2, 1

  const original = Atomics.compareExchange;
  const compareExchange = vi.spyOn(Atomics, 'compareExchange').mockImplementationOnce(((
    array: Int32Array,
    at: number,
    expected: number,
    value: number,
  ) => {
    expect([fast.alloc(), fast.alloc()]).toEqual([3, 2]);
    fast.free(3); // the stack is 3, 1: the same top, another one below
    return original(array, at, expected, value);
  }) as typeof Atomics.compareExchange);
  expect(slow.alloc()).toBe(3);
  compareExchange.mockRestore();
  expect(slow.alloc()).toBe(1);
  expect(slow.alloc()).toBe(0);
});

test('one object freed by two threads at once is found', () => {
  const words = new Int32Array(new SharedArrayBuffer((LINE + slabWords(1, 16)) * 4));
  initSlab(words, LINE, 1, 16);
  const slab = new Slab(words, LINE);
  const [slow, fast] = [1, 2].map((id) => new SlabCache(slab, { id, spins: 0 }, { batch: 4, checked: true }));
  const index = slow.alloc();
  const original = Atomics.compareExchange;
  const compareExchange = vi.spyOn(Atomics, 'compareExchange').mockImplementationOnce(((
    array: Int32Array,
    at: number,
    expected: number,
    value: number,
  ) => {
    compareExchange.mockRestore();
    fast.free(index); // between the look at the state and the change of it
    return original(array, at, expected, value);
  }) as typeof Atomics.compareExchange);
  expect(() => slow.free(index)).toThrow(/freed by two threads at the same time; object is free, generation 1/);
});
