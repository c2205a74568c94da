// A typed array that tells of each plain access to its elements, just before it is made. A Proxy (140 ns an access here): its methods
// do what the real ones do, element by element. What can tell it from the real one: structuredClone, which refuses it, and methods
// taken from Int32Array.prototype and called on it.

import type { WideWords, Words } from '../scenario.ts';
import { toInt64 } from './words64.ts';

export interface PlainAccess {
  plainRead(loc: number): void;
  plainWrite(loc: number, value: number | bigint): void;
  wrap<Given extends Words | WideWords>(view: Given): Given;
}

// Elements are numbers or BigInts; the code is the same, and is written as if they were numbers.
type View = Words;

/** What differs between the two. */
interface ElementType {
  /** The real one. */
  readonly Array: Int32ArrayConstructor;
  readonly name: 'Int32Array' | 'BigInt64Array';
  /** What storing a value makes of it. @throws TypeError for what is not of the kind, or a symbol. */
  convert(value: unknown): number;
}

const word = new Int32Array(1);
const INT32: ElementType = {
  Array: Int32Array,
  name: 'Int32Array',
  convert(value) {
    word[0] = value as number;
    return word[0];
  },
};
const INT64: ElementType = {
  Array: BigInt64Array as unknown as Int32ArrayConstructor,
  name: 'BigInt64Array',
  convert: (value) => toInt64(value) as unknown as number,
};

const ZERO = 48;
const NINE = 57;

/** @returns the element that a property names, or -1. */
function elementOf(key: string | symbol): number {
  if (typeof key !== 'string') return -1;
  let element = 0;
  for (let i = 0; i < key.length; i++) {
    const digit = key.charCodeAt(i);
    if (digit < ZERO || digit > NINE) return -1;
    element = element * 10 + digit - ZERO;
  }
  return key.length === 0 || (key.length > 1 && key.charCodeAt(0) === ZERO) ? -1 : element;
}

/** Methods that only get and set elements, and so do the same as an ordinary array's. */
const GENERIC = [
  'at',
  'entries',
  'every',
  'find',
  'findIndex',
  'findLast',
  'findLastIndex',
  'forEach',
  'includes',
  'indexOf',
  'join',
  'keys',
  'lastIndexOf',
  'reduce',
  'reduceRight',
  'reverse',
  'some',
  'toLocaleString',
  'toString',
  'values',
] as const;

/** @param first the location of the view's first element. */
export function instrument<Given extends Words | WideWords>(given: Given, access: PlainAccess, first: number): Given {
  const type = given.BYTES_PER_ELEMENT === 8 ? INT64 : INT32;
  return instrumentAs(given as unknown as View, access, first, type) as unknown as Given;
}

function instrumentAs(view: View, access: PlainAccess, offset: number, type: ElementType): View {
  const { convert, Array: RealArray } = type;
  const { length } = view;
  const read = (element: number): number => {
    access.plainRead(offset + element);
    return view[element];
  };
  const write = (element: number, value: number): void => {
    access.plainWrite(offset + element, value);
    view[element] = value;
  };
  /** A private copy of the elements from `from` on. */
  const copy = (from: number = 0, to: number = length): Int32Array<ArrayBuffer> => {
    const made = new RealArray(Math.max(0, to - from));
    for (let i = 0; i < made.length; i++) made[i] = read(from + i);
    return made;
  };
  // Methods of the real one, each called for what it does with its arguments: what it throws, and how it rounds.
  const methods: Record<string | symbol, unknown> = {
    subarray: (begin?: number, end?: number) => access.wrap(view.subarray(begin, end)),
    fill: (value: number, start?: number, end?: number) => {
      const given = convert(value);
      const [from, to] = range(length, start, end);
      for (let i = from; i < to; i++) write(i, given);
      return proxy;
    },
    set: (source: ArrayLike<number>, at: number = 0) => {
      const into = Math.trunc(at) || 0;
      if (into < 0) throw new RangeError('offset is out of bounds');
      if (source === undefined || source === null) throw new TypeError(`${String(source)} is no array`);
      const values = Object(source) as ArrayLike<number>;
      const count = lengthOf(values);
      if (into + count > length) throw new RangeError('offset is out of bounds');
      if (isOther(source, type.name)) throw new TypeError('Cannot mix BigInt and other types');
      const overlaps = ArrayBuffer.isView(source) || source instanceof RealArray;
      const given = overlaps ? Array.from(values) : values; // a view may overlap this one
      for (let i = 0; i < count; i++) write(into + i, convert(given[i]));
    },
    copyWithin: (target: number, start: number, end?: number) => {
      const [into] = range(length, target, undefined);
      const [from, to] = range(length, start, end);
      const moved = copy(from, Math.min(to, from + length - into));
      for (let i = 0; i < moved.length; i++) write(into + i, moved[i]);
      return proxy;
    },
    sort: (compare?: (a: number, b: number) => number) => {
      if (compare !== undefined && typeof compare !== 'function')
        throw new TypeError('The comparison function must be either a function or undefined');
      const sorted = copy().sort(compare);
      for (let i = 0; i < length; i++) write(i, sorted[i]);
      return proxy;
    },
    slice: (start?: number, end?: number) => copy(...range(length, start, end)),
    toSorted: (compare?: (a: number, b: number) => number) => {
      new RealArray(0).toSorted(compare);
      return copy().toSorted(compare);
    },
    toReversed: () => copy().toReversed(),
    with: (index: number, value: number) => copy().with(index, value),
    map: (each: (value: number, index: number, array: View) => number, self?: unknown) => {
      new RealArray(0).map(each as never);
      const made = new RealArray(length);
      for (let i = 0; i < length; i++) made[i] = Reflect.apply(each, self, [read(i), i, proxy]) as number;
      return made;
    },
    filter: (each: (value: number, index: number, array: View) => boolean, self?: unknown) => {
      new RealArray(0).filter(each as never);
      const kept: number[] = [];
      for (let i = 0; i < length; i++) {
        const value = read(i);
        if (Reflect.apply(each, self, [value, i, proxy])) kept.push(value);
      }
      return RealArray.from(kept);
    },
  };
  for (const name of GENERIC) {
    const generic = Reflect.get(Array.prototype, name) as (...rest: unknown[]) => unknown;
    Reflect.set(methods, name, (...rest: unknown[]) => Reflect.apply(generic, proxy, rest));
  }
  methods[Symbol.iterator] = methods.values;

  const proxy: View = new Proxy(view, {
    get(target, key) {
      const element = elementOf(key);
      if (element >= 0) {
        if (element < length) access.plainRead(offset + element);
        return target[element];
      }
      if (Object.hasOwn(methods, key)) return methods[key];
      return key === 'constructor' ? globalThis[type.name] : Reflect.get(target, key, target);
    },
    set(target, key, value, receiver) {
      const element = elementOf(key);
      if (element < 0) return Reflect.set(target, key, value, receiver === proxy ? target : receiver);
      if (receiver !== proxy) return Reflect.set(target, key, value, receiver);
      const given = convert(value);
      if (element < length) {
        access.plainWrite(offset + element, given);
        target[element] = given;
      }
      return true;
    },
    getOwnPropertyDescriptor(target, key) {
      const element = elementOf(key);
      if (element >= 0 && element < length) access.plainRead(offset + element);
      return Reflect.getOwnPropertyDescriptor(target, key);
    },
    defineProperty(target, key, descriptor) {
      const element = elementOf(key);
      if (element >= 0 && element < length && 'value' in descriptor)
        access.plainWrite(offset + element, convert(descriptor.value));
      return Reflect.defineProperty(target, key, descriptor);
    },
  });
  return proxy;
}

/** Whether it is a typed array whose elements cannot be stored here, even if there are none. */
function isOther(source: unknown, name: string): boolean {
  if (!ArrayBuffer.isView(source)) return false;
  const other = String(Reflect.get(source, Symbol.toStringTag));
  return other.endsWith('Array') && other.startsWith('Big') !== name.startsWith('Big');
}

function lengthOf(values: ArrayLike<number>): number {
  return Math.min(Math.max(Math.trunc(values.length) || 0, 0), Number.MAX_SAFE_INTEGER);
}

/** Start and end as the methods of typed arrays take them. */
function range(length: number, start: number | undefined, end: number | undefined): [number, number] {
  const place = (given: number): number => {
    const at = Math.trunc(given) || 0;
    return at < 0 ? Math.max(0, length + at) : Math.min(at, length);
  };
  const from = start === undefined ? 0 : place(start);
  return [from, Math.max(from, end === undefined ? length : place(end))];
}
