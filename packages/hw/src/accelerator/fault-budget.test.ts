import fc from 'fast-check';
import { expect, test } from 'vitest';
import { claimFaults } from './fault-budget.ts';

test('all claims together are the budget, or what was wanted of it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 500 }), fc.array(fc.integer({ min: 1, max: 64 })), (budget, wants) => {
      const words = new Int32Array(new SharedArrayBuffer(8));
      words[1] = budget;
      const granted = wants.map((wanted) => claimFaults(words, 1, wanted));
      expect(granted.every((got, index) => got <= wants[index])).toBe(true);
      const sum = (list: number[]): number => list.reduce((total, one) => total + one, 0);
      expect(sum(granted)).toBe(Math.min(budget, sum(wants)));
      expect(words[1]).toBeGreaterThan(-64);
    }),
  );
});
