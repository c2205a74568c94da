import { describe, expect, test } from 'vitest';
import { IommuError } from '../errors/index.ts';
import { LINE, type Words } from '../sync/index.ts';
import {
  initSlab,
  layoutOffset,
  OBJECT_FREE,
  OBJECT_GRACE,
  POISON,
  Slab,
  SlabCache,
  slabLayout,
  slabWords,
} from './index.ts';
import { CAPACITY, FRESH, HEAD, OBJECT_WORDS, objectsOffset, RECORDS } from './slab.layout.ts';

function makeSlab(capacity: number, objectWords: number = 16): Slab {
  const words: Words = new Int32Array(new SharedArrayBuffer((LINE + slabWords(capacity, objectWords)) * 4));
  initSlab(words, LINE, capacity, objectWords);
  return new Slab(words, LINE);
}
const thread = (id: number) => ({ id, spins: 0 });

test('the constants are the table', () => {
  const layout = slabLayout(100, 16);
  const constants = { CAPACITY, OBJECT_WORDS, HEAD, FRESH, RECORDS, OBJECTS: objectsOffset(100) };
  for (const [name, offset] of Object.entries(constants)) expect(layoutOffset(layout, name), name).toBe(offset);
  expect(layout.words).toBeLessThanOrEqual(slabWords(100, 16));
});

describe.each([1, 3, 16])('with chains of %i', (batch) => {
  test('every object can be had once, none is 0, and all come back', () => {
    const slab = makeSlab(50);
    const cache = new SlabCache(slab, thread(1), { batch, checked: true });
    for (let round = 0; round < 3; round++) {
      const taken = new Set<number>();
      for (let index = cache.alloc(); index !== 0; index = cache.alloc()) taken.add(index);
      expect(taken.size).toBe(50);
      expect([Math.min(...taken), Math.max(...taken)]).toEqual([1, 50]);
      expect(slab.live()).toBe(50);
      for (const index of taken) cache.free(index);
      expect(slab.live()).toBe(0);
    }
  });

  test('what one cache frees and flushes another can take, whatever its own chains', () => {
    const slab = makeSlab(20);
    const giver = new SlabCache(slab, thread(1), { batch: 8, checked: true });
    const taker = new SlabCache(slab, thread(2), { batch, checked: true });
    for (let i = 1; i <= 20; i++) expect(giver.alloc()).toBeGreaterThan(0);
    for (let i = 1; i <= 20; i++) giver.free(i);
    giver.flush();
    expect(giver.cached()).toBe(0);
    const taken = new Set(Array.from({ length: 20 }, () => taker.alloc()));
    expect(taken.size).toBe(20);
    expect(taker.alloc()).toBe(0);
  });
});

test('a cache of one keeps nothing', () => {
  const cache = new SlabCache(makeSlab(4), thread(1), { batch: 1, checked: false });
  cache.free(cache.alloc());
  expect(cache.cached()).toBe(0);
});

test('a handle dies with its object', () => {
  const slab = makeSlab(4);
  const cache = new SlabCache(slab, thread(3), { batch: 1, checked: false });
  const index = cache.alloc();
  const handle = slab.handle(index);
  expect(slab.resolve(handle)).toBe(index);
  cache.free(index);
  expect(slab.resolve(handle)).toBe(0);
  expect(cache.alloc()).toBe(index);
  expect(slab.resolve(handle)).toBe(0);
  expect(() => slab.assertHandle('respond', handle)).toThrow(
    /respond: handle.*stale: object is live, generation 1, freed last by thread 3 \(ENOENT\)/,
  );
  for (const bad of [0, -1, 65535, 0x7fffffff, Number.NaN, 1.5e10]) expect(slab.resolve(bad), `${bad}`).toBe(0);
});

test('a retired object stays in place until it is freed', () => {
  const slab = makeSlab(4);
  const cache = new SlabCache(slab, thread(1), { batch: 4, checked: true });
  const index = cache.alloc();
  slab.words[slab.at(index)] = 77;
  cache.retire(index);
  expect(slab.state(index)).toBe(OBJECT_GRACE);
  expect(slab.words[slab.at(index)]).toBe(77);
  expect(slab.live()).toBe(1);
  expect(() => cache.retire(index)).toThrow(/not live; object is in its grace period/);
  cache.free(index);
  expect(slab.state(index)).toBe(OBJECT_FREE);
  expect(slab.words[slab.at(index)]).toBe(POISON);
});

describe('misuse is found', () => {
  test('double free names index, state, generation and who freed it', () => {
    const slab = makeSlab(4);
    const first = new SlabCache(slab, thread(5), { batch: 4, checked: false });
    const index = first.alloc();
    first.free(index);
    const second = new SlabCache(slab, thread(6), { batch: 4, checked: false });
    expect(() => second.free(index)).toThrow(
      new RegExp(`index = ${index}: double free; object is free, generation 1, freed last by thread 5`),
    );
  });

  test('freeing what was never taken', () => {
    const cache = new SlabCache(makeSlab(4), thread(1), { batch: 4, checked: false });
    expect(() => cache.free(2)).toThrow(/double free; object is free, generation 0, never freed/);
  });

  test('a write after free, when the object is taken again', () => {
    const slab = makeSlab(1);
    const cache = new SlabCache(slab, thread(9), { batch: 1, checked: true });
    const index = cache.alloc();
    cache.free(index);
    slab.words[slab.at(index) + 15] = 42;
    expect(() => cache.alloc()).toThrow(
      /index = 1: use after free: word 15 was written \(42\).*freed last by thread 9/,
    );
  });

  test('an access after free', () => {
    const slab = makeSlab(1);
    const cache = new SlabCache(slab, thread(9), { batch: 1, checked: true });
    const index = cache.alloc();
    slab.assertHeld('read', index);
    cache.free(index);
    expect(() => slab.assertHeld('read', index)).toThrow(/read: index = 1: use after free.*thread 9/);
  });

  test('an object unchecked users wrote is not taken for a write after free', () => {
    const slab = makeSlab(1);
    const unchecked = new SlabCache(slab, thread(1), { batch: 1, checked: false });
    unchecked.free(unchecked.alloc());
    slab.words[slab.at(1)] = 5;
    expect(new SlabCache(slab, thread(2), { batch: 1, checked: true }).alloc()).toBe(1);
  });

  test.each([0, -1, 5, 1.5, Number.NaN])('index %d', (index) => {
    const slab = makeSlab(4);
    const cache = new SlabCache(slab, thread(1), { batch: 4, checked: false });
    for (const call of [() => cache.free(index), () => cache.retire(index), () => slab.at(index)])
      expect(call).toThrow(/index = .*must be an object from 1 to 4/);
  });

  test.each([
    [() => slabWords(0, 16), 'capacity'],
    [() => slabWords(65536, 16), 'capacity'],
    [() => slabWords(4, 24), 'objectWords'],
    [() => slabWords(4, 0), 'objectWords'],
    [() => initSlab(new Int32Array(new SharedArrayBuffer(256)), 32, 4, 16), 'base'],
    [() => initSlab(makeSlab(4).words, 33, 1, 16), 'base'],
    [() => new Slab(new Int32Array(new SharedArrayBuffer(512)), 32), 'base'],
    [() => new SlabCache(makeSlab(4), thread(1), { batch: 0, checked: false }), 'batch'],
    [() => new SlabCache(makeSlab(4), thread(1), { batch: 1025, checked: false }), 'batch'],
  ])('parameter %#', (call, field) => {
    expect(call).toThrow(IommuError);
    expect(call).toThrow(new RegExp(`${field} = .*EINVAL`));
  });
});
