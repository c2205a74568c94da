// The instrumented array against the real one: results, exceptions, mutation, and that whatever matters is told of.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { instrument, type PlainAccess } from './instrument.ts';

type View = Int32Array<SharedArrayBuffer>;

class Told implements PlainAccess {
  reads = new Set<number>();
  writes = new Set<number>();
  plainRead(loc: number): void {
    this.reads.add(loc);
  }
  plainWrite(loc: number): void {
    this.writes.add(loc);
  }
  wrap(view: View): View {
    return instrument(view, this);
  }
}

const LENGTH = 5;
const OFFSET = 3;

function make(values: readonly number[]): View {
  const view = new Int32Array(new SharedArrayBuffer((OFFSET + LENGTH + 2) * 4), OFFSET * 4, LENGTH);
  view.set(values);
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

const uses: fc.Arbitrary<Use> = fc.oneof(
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
    fc.constantFrom<unknown>(undefined, (a: number, b: number) => b - a, 3, null),
  ),
  method('subarray', odd, odd),
  method('toLocaleString'),
  method('toReversed'),
  method(
    'toSorted',
    fc.constantFrom<unknown>(undefined, (a: number, b: number) => b - a, 3),
  ),
  method('toString'),
  method('values'),
  method('with', odd, odd),
  plain('get', (array, name) => Reflect.get(array, name as string), key),
  plain('set', (array, name) => Reflect.set(array, name as string, 77), key),
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
    (array, name) => Reflect.defineProperty(array, name as string, { value: 4 }),
    fc.constantFrom('1', '7', '-1'),
  ),
  plain('keys', (array) => Object.keys(array)),
  plain('entries of', (array) => Object.entries(array)),
  plain('spread', (array) => [...array]),
  plain('copied', (array) => new Int32Array(array)),
  plain('from', (array) => Int32Array.from(array, (value) => value + 1)),
  plain('JSON', (array) => JSON.stringify(array)),
  plain('twice', (array) => array.subarray(1).subarray(1, 3)[1]),
  plain('write through', (array, value) => array.subarray(1, 4).fill(value as number, -1)),
  plain('overlap', (array) => array.set(array.subarray(1, 4), 2)),
  plain('increment', (array) => array[3]++),
  plain('shape', (array) => [array.length, array.byteLength, array.byteOffset, array.BYTES_PER_ELEMENT]),
  plain('is', (array) => [
    array instanceof Int32Array,
    Object.prototype.toString.call(array),
    array.constructor === Int32Array,
  ]),
  plain('inherited', (array) => {
    const heir = Object.create(array) as Record<string, number>;
    heir[1] = 5;
    return heir[1];
  }),
);
const contents = fc.array(fc.integer({ min: -3, max: 12 }), { minLength: LENGTH, maxLength: LENGTH });

test('it does what the real one does, and tells of whatever matters', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(contents, uses, (values, use) => {
      const real = make(values);
      const expected = outcome(real, use);
      const under = make(values);
      const told = new Told();
      expect(outcome(instrument(under, told), use)).toBe(expected);
      expect([...under]).toEqual([...real]);
      seen.add(use.name);
      for (let i = 0; i < LENGTH; i++) {
        if (real[i] !== values[i]) expect(told.writes, `element ${i} changed`).toContain(OFFSET + i);
        const other = make(values.with(i, values[i] + 1000));
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
  ['an early find', (array) => array.find((value) => value === 2), [0, 1], []],
  ['a late one', (array) => array.findLast((value) => value === 5), [4], []],
  ['indexOf', (array) => array.indexOf(3, 2), [2], []],
  ['fill', (array) => array.fill(0, 1, 3), [], [1, 2]],
  ['set', (array) => array.set([1, 2], 3), [], [3, 4]],
  ['slice', (array) => array.slice(3), [3, 4], []],
  ['copyWithin', (array) => array.copyWithin(0, 3), [3, 4], [0, 1]],
  ['the first of an iteration', (array) => array.values().next(), [0], []],
  ['length', (array) => array.length, [], []],
  ['keys', (array) => [...array.keys()], [], []],
  ['in', (array) => 1 in array, [], []],
])('%s tells of no more than it touches', (_, run, reads, writes) => {
  const told = new Told();
  run(instrument(make([1, 2, 3, 4, 5]), told));
  expect([...told.reads].map((loc) => loc - OFFSET).sort()).toEqual(reads);
  expect([...told.writes].map((loc) => loc - OFFSET).sort()).toEqual(writes);
});

test('each element is told of just before it is touched', () => {
  const under = make([1, 2, 3, 4, 5]);
  const at: [string, number[]][] = [];
  const array: View = instrument(under, {
    plainRead: (loc) => void at.push([`read ${loc - OFFSET}`, [...under]]),
    plainWrite: (loc) => void at.push([`write ${loc - OFFSET}`, [...under]]),
    wrap: (view) => view,
  });
  array.fill(0, 0, 2);
  expect(at).toEqual([
    ['write 0', [1, 2, 3, 4, 5]],
    ['write 1', [0, 2, 3, 4, 5]],
  ]);
});
