// The instrumented array against the real one: results, exceptions, mutation, and that whatever matters is told of.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { WideWords, Words } from '../scenario.ts';
import { instrument, type PlainAccess } from './instrument.ts';

/** Of either kind: the uses below go through the same methods. */
type View = Words;

interface Kind {
  readonly name: string;
  readonly Array: Int32ArrayConstructor;
  /** A value of the kind. */
  of(value: number): number;
}

const KINDS: readonly Kind[] = [
  { name: '32 bits', Array: Int32Array, of: (value) => value },
  {
    name: '64 bits',
    Array: BigInt64Array as unknown as Int32ArrayConstructor,
    of: (value) => BigInt(value) as unknown as number,
  },
];

class Told implements PlainAccess {
  reads = new Set<number>();
  writes = new Set<number>();
  plainRead(loc: number): void {
    this.reads.add(loc);
  }
  plainWrite(loc: number): void {
    this.writes.add(loc);
  }
  wrap<Given extends Words | WideWords>(view: Given): Given {
    return instrument(view, this, view.byteOffset / view.BYTES_PER_ELEMENT);
  }
}

const LENGTH = 5;
const OFFSET = 3;

function make(kind: Kind, values: readonly number[]): View {
  const bytes = kind.Array.BYTES_PER_ELEMENT;
  const view = new kind.Array(new SharedArrayBuffer((OFFSET + LENGTH + 2) * bytes), OFFSET * bytes, LENGTH);
  view.set(values.map((value) => kind.of(value)));
  return view;
}

interface Use {
  readonly name: string;
  readonly args: readonly unknown[];
  run(array: View): unknown;
}

/** What came of it, in a form that compares. */
function outcome(array: View, use: Use): string {
  const show = (value: unknown): unknown => {
    if (value === array) return 'itself';
    if (typeof value === 'object' && value !== null && Symbol.iterator in value)
      return [Object.prototype.toString.call(value), ...(value as Iterable<unknown>)].map((each) => show(each));
    if (typeof value === 'object' && value !== null)
      return Object.entries(value).map(([key, each]) => [key, show(each)]);
    return Object.is(value, -0) ? '-0' : typeof value === 'function' ? 'function' : String(value);
  };
  try {
    return JSON.stringify(show(use.run(array)));
  } catch (error) {
    return `throws ${(error as Error).constructor.name}`;
  }
}

const odd = fc.oneof(
  fc.integer({ min: -7, max: 7 }),
  fc.constantFrom<unknown>(
    undefined,
    null,
    1.5,
    -1.5,
    -0,
    NaN,
    Infinity,
    -Infinity,
    '2',
    'x',
    2 ** 31,
    2 ** 32 + 1,
    true,
    3n,
    -(2n ** 63n) - 1n,
  ),
);
const key = fc.constantFrom(
  '0',
  '4',
  '5',
  '-1',
  '-0',
  '1.5',
  '01',
  '1e0',
  'NaN',
  'Infinity',
  'length',
  'x',
  '4294967296',
);
const callback = fc.constantFrom<unknown>(
  (value: number) => value > 1,
  (value: number, index: number) => value - index,
  (value: number, index: number) => (index % 2 === 0 ? value : -value),
  (value: number, index: number, array: View) => value === array[index],
  function (this: unknown, value: number) {
    return this === undefined ? value : 0;
  },
  undefined,
  3,
);
const source = fc.constantFrom<unknown>(
  [9, 8],
  [],
  new Int32Array([1, 2, 3]),
  { length: 2, 0: 5, 1: '6' },
  'ab',
  7,
  [1.7, -0],
  [9n, 2n ** 64n + 8n],
  { length: 2, 0: 5n, 1: '6' },
  new BigInt64Array([1n, -2n, 3n]),
  new BigUint64Array([2n ** 64n - 1n]),
  new BigInt64Array(0),
  new Int8Array(0),
);

const method = (name: string, ...args: fc.Arbitrary<unknown>[]): fc.Arbitrary<Use> =>
  fc.tuple(fc.tuple(...args), fc.nat(args.length)).map(([all, count]) => {
    const given = all.slice(0, count);
    return {
      name,
      args: given,
      run: (array) => Reflect.apply(Reflect.get(array, name) as (...rest: unknown[]) => unknown, array, given),
    };
  });
const plain = (
  name: string,
  run: (array: View, given: unknown) => unknown,
  args: fc.Arbitrary<unknown> = odd,
): fc.Arbitrary<Use> => args.map((given) => ({ name, args: [given], run: (array) => run(array, given) }));

const larger = (a: number, b: number): number => (a < b ? 1 : -1);

const usesOf = (kind: Kind): fc.Arbitrary<Use> =>
  fc.oneof(
    method('at', odd),
    method('copyWithin', odd, odd, odd),
    method('entries'),
    method('every', callback),
    method('fill', odd, odd, odd),
    method('filter', callback, odd),
    method('find', callback),
    method('findIndex', callback),
    method('findLast', callback),
    method('findLastIndex', callback),
    method('forEach', callback),
    method('includes', odd, odd),
    method('indexOf', odd, odd),
    method('join', odd),
    method('keys'),
    method('lastIndexOf', odd, odd),
    method('map', callback, odd),
    method('reduce', callback, odd),
    method('reduceRight', callback, odd),
    method('reverse'),
    method('set', source, odd),
    method('slice', odd, odd),
    method('some', callback),
    method(
      'sort',
      fc.constantFrom<unknown>(undefined, (a: number, b: number) => b - a, larger, 3, null),
    ),
    method('subarray', odd, odd),
    method('toLocaleString'),
    method('toReversed'),
    method(
      'toSorted',
      fc.constantFrom<unknown>(undefined, (a: number, b: number) => b - a, larger, 3),
    ),
    method('toString'),
    method('values'),
    method('with', odd, odd),
    plain('get', (array, name) => Reflect.get(array, name as string), key),
    plain('set', (array, name) => Reflect.set(array, name as string, kind.of(77)), key),
    plain('assign', (array, value) => {
      array[2] = value as number;
    }),
    plain('big', (array) => {
      (array as unknown as bigint[])[1] = 1n;
    }),
    plain('has', (array, name) => Reflect.has(array, name as string), key),
    plain('delete', (array, name) => Reflect.deleteProperty(array, name as string), key),
    plain('own', (array, name) => Object.getOwnPropertyDescriptor(array, name as string), key),
    plain(
      'define',
      (array, name) => Reflect.defineProperty(array, name as string, { value: kind.of(4) }),
      fc.constantFrom('1', '7', '-1'),
    ),
    plain('keys', (array) => Object.keys(array)),
    plain('entries of', (array) => Object.entries(array)),
    plain('spread', (array) => [...array]),
    plain('copied', (array) => new kind.Array(array)),
    plain('from', (array) => kind.Array.from(array, (value) => value + kind.of(1))),
    plain('JSON', (array) => JSON.stringify(array)),
    plain('twice', (array) => array.subarray(1).subarray(1, 3)[1]),
    plain('write through', (array, value) => array.subarray(1, 4).fill(value as number, -1)),
    plain('overlap', (array) => array.set(array.subarray(1, 4), 2)),
    plain('increment', (array) => array[3]++),
    plain('shape', (array) => [array.length, array.byteLength, array.byteOffset, array.BYTES_PER_ELEMENT]),
    plain('is', (array) => [
      array instanceof kind.Array,
      Object.prototype.toString.call(array),
      array.constructor === kind.Array,
    ]),
    plain('inherited', (array) => {
      const heir = Object.create(array) as Record<string, number>;
      heir[1] = kind.of(5);
      return heir[1];
    }),
  );
const contents = fc.array(fc.integer({ min: -3, max: 12 }), { minLength: LENGTH, maxLength: LENGTH });

describe.each(KINDS)('$name', (kind) => {
  test('it does what the real one does, and tells of whatever matters', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(contents, usesOf(kind), (values, use) => {
        const real = make(kind, values);
        const expected = outcome(real, use);
        const under = make(kind, values);
        const told = new Told();
        expect(outcome(told.wrap(under), use)).toBe(expected);
        expect([...under]).toEqual([...real]);
        seen.add(use.name);
        for (let i = 0; i < LENGTH; i++) {
          if (real[i] !== kind.of(values[i])) expect(told.writes, `element ${i} changed`).toContain(OFFSET + i);
          const other = make(kind, values.with(i, values[i] + 1000));
          const differs = outcome(other, use) !== expected || other.some((value, j) => j !== i && value !== real[j]);
          if (differs) expect(told.reads, `element ${i} was looked at`).toContain(OFFSET + i);
        }
        for (const loc of [...told.reads, ...told.writes]) expect(loc - OFFSET).toSatisfy((i) => i >= 0 && i < LENGTH);
      }),
      { numRuns: 6_000 },
    );
    expect(seen.size).toBeGreaterThan(45);
  });

  test.each<[string, (array: View) => unknown, number[], number[]]>([
    ['at', (array) => array.at(-1), [4], []],
    ['an early find', (array) => array.find((value) => value === kind.of(2)), [0, 1], []],
    ['a late one', (array) => array.findLast((value) => value === kind.of(5)), [4], []],
    ['indexOf', (array) => array.indexOf(kind.of(3), 2), [2], []],
    ['fill', (array) => array.fill(kind.of(0), 1, 3), [], [1, 2]],
    ['set', (array) => array.set([kind.of(1), kind.of(2)], 3), [], [3, 4]],
    ['slice', (array) => array.slice(3), [3, 4], []],
    ['copyWithin', (array) => array.copyWithin(0, 3), [3, 4], [0, 1]],
    ['the first of an iteration', (array) => array.values().next(), [0], []],
    ['length', (array) => array.length, [], []],
    ['keys', (array) => [...array.keys()], [], []],
    ['in', (array) => 1 in array, [], []],
  ])('%s tells of no more than it touches', (_, run, reads, writes) => {
    const told = new Told();
    run(told.wrap(make(kind, [1, 2, 3, 4, 5])));
    expect([...told.reads].map((loc) => loc - OFFSET).sort()).toEqual(reads);
    expect([...told.writes].map((loc) => loc - OFFSET).sort()).toEqual(writes);
  });

  test('each element is told of just before it is touched', () => {
    const under = make(kind, [1, 2, 3, 4, 5]);
    const at: [string, number[]][] = [];
    const told = (what: string, loc: number): void => void at.push([`${what} ${loc - OFFSET}`, [...under].map(Number)]);
    const array = instrument(
      under,
      {
        plainRead: (loc) => told('read', loc),
        plainWrite: (loc) => told('write', loc),
        wrap: (view) => view,
      },
      OFFSET,
    );
    array.fill(kind.of(0), 0, 2);
    expect(at).toEqual([
      ['write 0', [1, 2, 3, 4, 5]],
      ['write 1', [0, 2, 3, 4, 5]],
    ]);
  });
});
