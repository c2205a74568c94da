import { initSlab, Slab, SlabCache, slabWords } from '@faultline/core';
import { type Cost, SELF, type Subject, wordsFor } from './subject.ts';

const HELD = 64; // objects taken before they are freed: several chains of 16
const ROUNDS = 32;
const held = new Int32Array(HELD);

function allocAndFree(cache: SlabCache): void {
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < HELD; i++) held[i] = cache.alloc();
    for (let i = 0; i < HELD; i++) cache.free(held[i]);
  }
}

function cost(name: string, batch: number): Cost {
  const capacity = 1024;
  const { words, base } = wordsFor(slabWords(capacity, 16));
  initSlab(words, base, capacity, 16);
  const cache = new SlabCache(new Slab(words, base), SELF, { batch, checked: false });
  return { name, operations: HELD * ROUNDS, run: () => allocAndFree(cache) };
}

/** Taking and freeing an object: through the thread's cache, or each time from the list that all threads share. */
export const slab: Subject = {
  name: 'slab',
  costs: () => [cost('alloc and free, chains of 16', 16), cost('alloc and free, shared list', 1)],
};
