// A typed array that tells of each plain access to its elements, just before it is made. A Proxy (140 ns an access here): its methods
// do what the real ones do, element by element. What can tell it from the real one: structuredClone, which refuses it, and methods
// taken from Int32Array.prototype and called on it.

type View = Int32Array<SharedArrayBuffer>;

export interface PlainAccess {
  plainRead(loc: number): void;
  plainWrite(loc: number, value: number): void;
  wrap(view: View): View;
}

const RealInt32Array = Int32Array;
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

export function instrument(view: View, access: PlainAccess): View {
  const offset = view.byteOffset / 4;
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
    const made = new RealInt32Array(Math.max(0, to - from));
    for (let i = 0; i < made.length; i++) made[i] = read(from + i);
    return made;
  };
  // Methods of the real one, each called for what it does with its arguments: what it throws, and how it rounds.
  const methods: Record<string | symbol, unknown> = {
    subarray: (begin?: number, end?: number) => access.wrap(view.subarray(begin, end)),
    fill: (value: number, start?: number, end?: number) => {
      const given = toInt32(value);
      const [from, to] = range(length, start, end);
      for (let i = from; i < to; i++) write(i, given);
      return proxy;
    },
    set: (source: ArrayLike<number>, at: number = 0) => {
      const into = Math.trunc(Number(at)) || 0;
      if (into < 0) throw new RangeError('offset is out of bounds');
      if (source === undefined || source === null) throw new TypeError(`${String(source)} is no array`);
      const values = Object(source) as ArrayLike<number>;
      const count = lengthOf(values);
      if (into + count > length) throw new RangeError('offset is out of bounds');
      const overlaps = ArrayBuffer.isView(source) || source instanceof RealInt32Array;
      const given = overlaps ? Array.from(values) : values; // a view may overlap this one
      for (let i = 0; i < count; i++) write(into + i, toInt32(given[i]));
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
      new RealInt32Array(0).toSorted(compare);
      return copy().toSorted(compare);
    },
    toReversed: () => copy().toReversed(),
    with: (index: number, value: number) => copy().with(index, value),
    map: (each: (value: number, index: number, array: View) => number, self?: unknown) => {
      new RealInt32Array(0).map(each as never);
      const made = new RealInt32Array(length);
      for (let i = 0; i < length; i++) made[i] = Reflect.apply(each, self, [read(i), i, proxy]) as number;
      return made;
    },
    filter: (each: (value: number, index: number, array: View) => boolean, self?: unknown) => {
      new RealInt32Array(0).filter(each as never);
      const kept: number[] = [];
      for (let i = 0; i < length; i++) {
        const value = read(i);
        if (Reflect.apply(each, self, [value, i, proxy])) kept.push(value);
      }
      return RealInt32Array.from(kept);
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
      return key === 'constructor' ? globalThis.Int32Array : Reflect.get(target, key, target);
    },
    set(target, key, value, receiver) {
      const element = elementOf(key);
      if (element < 0) return Reflect.set(target, key, value, receiver === proxy ? target : receiver);
      if (receiver !== proxy) return Reflect.set(target, key, value, receiver);
      const given = toInt32(value);
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
        access.plainWrite(offset + element, toInt32(descriptor.value));
      return Reflect.defineProperty(target, key, descriptor);
    },
  });
  return proxy;
}

const word = new RealInt32Array(1);

/** What storing a value makes of it. @throws TypeError for a BigInt or a symbol. */
function toInt32(value: unknown): number {
  word[0] = value as number;
  return word[0];
}

function lengthOf(values: ArrayLike<number>): number {
  return Math.min(Math.max(Math.trunc(Number(values.length)) || 0, 0), Number.MAX_SAFE_INTEGER);
}

/** Start and end as the methods of typed arrays take them. */
function range(length: number, start: number | undefined, end: number | undefined): [number, number] {
  const place = (given: number): number => {
    const at = Math.trunc(Number(given)) || 0;
    return at < 0 ? Math.max(0, length + at) : Math.min(at, length);
  };
  const from = start === undefined ? 0 : place(start);
  return [from, Math.max(from, end === undefined ? length : place(end))];
}
