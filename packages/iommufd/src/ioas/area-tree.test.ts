import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FailPoint, initRecordPool, RecordPool, recordPoolWords, U64_MAX } from '../memory/index.ts';
import { AreaTree } from './area-tree.ts';
import { AREA_WORDS, IOAS_WORDS } from './layout.ts';

const BODY = 32;
function rig(capacity: number) {
  const poolAt = BODY + IOAS_WORDS;
  const words = new Int32Array(new SharedArrayBuffer((poolAt + recordPoolWords(capacity, AREA_WORDS)) * 4));
  initRecordPool(words, poolAt, capacity, AREA_WORDS);
  const pool = new RecordPool('areas', words, poolAt, { id: 1, spins: 0 }, new FailPoint());
  return { pool, tree: new AreaTree(words, pool, BODY) };
}

test('areas are found by what they hold and by what comes after, to the ends of the address space', () => {
  const { pool, tree } = rig(8);
  const add = (start: bigint, last: bigint): number => {
    const area = pool.alloc('test');
    tree.insert(area, start, last);
    return area;
  };
  const low = add(0n, 0xfffn);
  const middle = add(1n << 32n, (1n << 32n) + 1n);
  const high = add(U64_MAX - 1n, U64_MAX);
  expect([tree.first(), tree.next(low), tree.next(middle), tree.next(high)]).toEqual([low, middle, high, 0]);
  expect(tree.holding(0xfffn)).toBe(low);
  expect(tree.holding(0x1000n)).toBe(0);
  expect(tree.atOrAfter(0x1000n)).toBe(middle);
  expect(tree.holding((1n << 32n) + 1n)).toBe(middle);
  expect(tree.meeting(0x1000n, (1n << 32n) - 1n)).toBe(0);
  expect(tree.meeting(0x1000n, 1n << 32n)).toBe(middle);
  expect(tree.holding(U64_MAX)).toBe(high);
  tree.remove(middle);
  expect(tree.atOrAfter(0x1000n)).toBe(high);
  expect(tree.size).toBe(2);
});

test('any order of adding and removing: as a sorted array', () => {
  const operation = fc.record({ slot: fc.nat(40), length: fc.integer({ min: 1, max: 3 }) });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
      const { pool, tree } = rig(64);
      const model = new Map<bigint, { area: number; last: bigint }>();
      const sorted = (): [bigint, { area: number; last: bigint }][] => [...model].sort(([a], [b]) => (a < b ? -1 : 1));
      for (const { slot, length } of operations) {
        const start = BigInt(slot) << 31n; // keys on both sides of the half
        const last = start + (BigInt(length) << 30n) - 1n;
        const met = sorted().find(([from, { last: to }]) => from <= last && to >= start);
        expect(tree.meeting(start, last)).toBe(met?.[1].area ?? 0);
        if (met === undefined) {
          const area = pool.alloc('test');
          tree.insert(area, start, last);
          model.set(start, { area, last });
        } else {
          tree.remove(met[1].area);
          pool.free(met[1].area);
          model.delete(met[0]);
        }
      }
      const walked: bigint[] = [];
      for (let area = tree.first(); area !== 0; area = tree.next(area)) walked.push(tree.start(area));
      expect(walked).toEqual(sorted().map(([start]) => start));
      expect(tree.size).toBe(model.size);
    }),
  );
});

test('a hundred thousand areas, and each is found', () => {
  const count = 100_000;
  const { pool, tree } = rig(count);
  for (let i = 0; i < count; i++) tree.insert(pool.alloc('test'), BigInt(i * 4096), BigInt(i * 4096 + 4095));
  for (const i of [0, 1, 77_777, count - 1])
    expect(tree.start(tree.holding(BigInt(i * 4096 + 5)))).toBe(BigInt(i * 4096));
  expect(tree.size).toBe(count);
});
