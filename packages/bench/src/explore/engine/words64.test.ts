// Values as two numbers: whatever differs in any bit is told apart, by its fold or by its upper half.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { K_CAS, P_ARG, P_ARG_HIGH, P_KIND, P_LOC, PENDING, VALUE_READ, VALUE_WRITE } from './control.layout.ts';
import { pendingClasses } from './pending.ts';
import type { Scheduler } from './scheduler.ts';
import { fold, hex, highOfFolded, toInt64, Words64 } from './words64.ts';

const START = 96; // locations before it are 32-bit words
const SAME_FOLD = 0x1_85eb_ca6bn;

function make(...values: bigint[]): Words64 {
  const view = new BigInt64Array(new SharedArrayBuffer(values.length * 8));
  view.set(values);
  return new Words64(view, START);
}

const value = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, SAME_FOLD, 1n, 2n ** 32n, -1n, -(2n ** 63n)),
);

test('two values are the same by fold and upper half where they are the same', () => {
  fc.assert(
    fc.property(value, value, (one, other) => {
      const words = make(0n, one);
      const folded = fold(other);
      expect(words.is(START + 1, folded, highOfFolded())).toBe(one === other);
      expect(words.foldAt(START + 1)).toBe(fold(one));
      expect(words.highAt(START + 1)).toBe(highOfFolded());
    }),
  );
  expect(fold(SAME_FOLD)).toBe(fold(0n));
});

test.each([
  [0n, SAME_FOLD, VALUE_READ],
  [SAME_FOLD, 0n, VALUE_READ],
  [SAME_FOLD, SAME_FOLD, VALUE_READ | VALUE_WRITE],
])('of a compare-exchange where %s is and %s is expected', (is, expected, classes) => {
  const control = new Int32Array(PENDING + 64);
  control[PENDING + P_KIND] = K_CAS;
  control[PENDING + P_LOC] = START;
  control[PENDING + P_ARG] = fold(expected);
  control[PENDING + P_ARG_HIGH] = highOfFolded();
  const scheduler = { control, memory: new Int32Array(START), wide: make(is) } as unknown as Scheduler;
  expect(pendingClasses(scheduler, 0)).toBe(classes);
});

test('its locations come after those of the 32-bit words', () => {
  const words = make(5n, 6n);
  expect([START - 1, START, START + 1, START + 2].map((loc) => words.has(loc))).toEqual([false, true, true, false]);
  words.write(START, -7n);
  expect([words.read(START), words.read(START + 1), words.end]).toEqual([-7n, 6n, START + 2]);
  expect(make().has(START)).toBe(false);
});

test('a change of any bit changes the hash', () => {
  fc.assert(
    fc.property(value, fc.nat(63), (before, bit) => {
      expect(make(1n, before).mixInto(7)).not.toBe(
        make(1n, BigInt.asIntN(64, before ^ (1n << BigInt(bit)))).mixInto(7),
      );
    }),
  );
  expect(make().mixInto(7)).toBe(7);
});

test.each([
  [0n, '0x0'],
  [-1n, '0xffffffffffffffff'],
  [0x1003n, '0x1003'],
  [-(2n ** 63n), '0x8000000000000000'],
])('%s is shown as %s', (given, shown) => {
  expect(hex(given)).toBe(shown);
});

test('storing makes of a value what a BigInt64Array makes of it', () => {
  expect(toInt64(2n ** 64n + 3n)).toBe(3n);
  expect(toInt64('5')).toBe(5n);
  expect(() => toInt64(5)).toThrow(TypeError);
  expect(() => toInt64('five')).toThrow(SyntaxError);
});
