import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LINE } from '../sync/index.ts';
import { initSlab, Slab, SlabCache, slabWords } from './index.ts';

type Step = { cache: 0 | 1; call: 'alloc' | 'free' | 'retire' | 'double' | 'flush'; pick: number };

const step: fc.Arbitrary<Step> = fc.record({
  cache: fc.constantFrom(0, 1),
  call: fc.constantFrom('alloc', 'alloc', 'alloc', 'free', 'free', 'retire', 'double', 'flush'),
  pick: fc.nat(),
});

test('a slab with two caches is a set of free numbers', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
      fc.boolean(),
      fc.array(step, { maxLength: 200 }),
      (capacity, batches, checked, steps) => {
        const words = new Int32Array(new SharedArrayBuffer((LINE + slabWords(capacity, 16)) * 4));
        initSlab(words, LINE, capacity, 16);
        const slab = new Slab(words, LINE);
        const caches = batches.map((batch, i) => new SlabCache(slab, { id: i + 1, spins: 0 }, { batch, checked }));
        const held = new Set<number>();
        const freed = new Map<number, number>();
        for (const { cache: which, call, pick } of steps) {
          const cache = caches[which];
          const chosen = [...held][pick % Math.max(held.size, 1)];
          if (call === 'alloc') {
            const index = cache.alloc();
            // Nothing to take means that all the rest is with the other cache.
            if (index === 0) expect(capacity - held.size).toBe(caches[1 - which].cached());
            else {
              expect(held.has(index)).toBe(false);
              held.add(index);
              expect(slab.generation(index)).toBe(freed.get(index) ?? 0);
            }
          } else if (call === 'free' && chosen !== undefined) {
            cache.free(chosen);
            held.delete(chosen);
            freed.set(chosen, (freed.get(chosen) ?? 0) + 1);
          } else if (call === 'retire' && chosen !== undefined && slab.isLive(chosen)) {
            cache.retire(chosen);
          } else if (call === 'double') {
            const index = 1 + (pick % capacity);
            if (!held.has(index)) expect(() => cache.free(index)).toThrow('double free');
          } else if (call === 'flush') {
            cache.flush();
            expect(cache.cached()).toBe(0);
          }
          expect(slab.live()).toBe(held.size);
        }
        for (const index of held) caches[0].free(index);
        for (const cache of caches) cache.flush();
        const last = new SlabCache(slab, { id: 3, spins: 0 }, { batch: 4, checked });
        const all = new Set<number>();
        for (let index = last.alloc(); index !== 0; index = last.alloc()) all.add(index);
        expect(all.size).toBe(capacity);
      },
    ),
  );
});
