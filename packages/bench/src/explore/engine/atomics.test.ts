// The Atomics of checked threads against the real ones, on one thread: same results, same exceptions, same memory.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WideWords, Words } from '../scenario.ts';
import { ScheduledAtomics } from './atomics.ts';
import { controlWords, MAX_STEPS, PAST_WORDS, SPIN_LIMIT, STEP, THREADS, WAITERS } from './control.layout.ts';
import { Memory } from './memory.ts';
import type { Contents } from './placement.ts';
import { shadowWords } from './races.ts';
import { Recorder } from './recorder.ts';
import { ABORTED, Scheduler } from './scheduler.ts';
import { Turn } from './turn.ts';

const WORDS = 4;
const STEPS = 64;
const shared = (words: number): Words => new Int32Array(new SharedArrayBuffer(words * 4));
const sharedWide = (words: number): WideWords => new BigInt64Array(new SharedArrayBuffer(words * 8));

interface Thread extends Contents {
  readonly atomics: typeof Atomics;
  readonly memory: Memory;
  begin(): void;
}

function makeThread(checked: boolean): Thread {
  const control = shared(controlWords(STEPS));
  control[THREADS] = 1;
  control[MAX_STEPS] = STEPS;
  control[SPIN_LIMIT] = 2 ** 30;
  const contents = { words: shared(WORDS), wide: sharedWide(WORDS) };
  const scheduler = new Scheduler(control, contents, 0, new Turn(control, 0, 1), new Recorder());
  const shadow = shared(shadowWords(scheduler.locations + PAST_WORDS, 1));
  const memory = new Memory(scheduler, checked, shadow, 1, new Uint8Array(2 * WORDS + 1), () => undefined);
  scheduler.beginSession();
  const begin = (): void => {
    control[STEP] = 0;
    control[WAITERS] = 0;
    scheduler.beginBody();
  };
  return { atomics: new ScheduledAtomics(scheduler, memory).replacement(), memory, ...contents, begin };
}

type Call = readonly [name: string, args: readonly unknown[]];

function run(atomics: typeof Atomics, view: unknown, [name, args]: Call): string {
  try {
    const result: unknown = Reflect.apply(Reflect.get(atomics, name) as () => unknown, atomics, [view, ...args]);
    const shown = typeof result === 'object' && result !== null ? JSON.stringify(result) : String(result);
    return Object.is(result, -0) ? '-0' : shown;
  } catch (error) {
    if (error === ABORTED) throw error;
    return `throws ${(error as Error).constructor.name}`;
  }
}

const value = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom<unknown>(
    undefined,
    null,
    1.7,
    -1.7,
    -0,
    NaN,
    Infinity,
    -Infinity,
    '2',
    'two',
    2 ** 31,
    -(2 ** 31) - 1,
    2 ** 32 + 3,
    2 ** 53,
    true,
    [],
    { valueOf: () => 3 },
    5n,
    -1n,
    2n ** 63n,
    -(2n ** 64n) - 3n,
    2n ** 32n,
    { valueOf: () => 3n },
    Symbol('word'),
  ),
);
const index = fc.oneof(
  { weight: 3, arbitrary: fc.nat(WORDS - 1) },
  fc.constantFrom<unknown>(-1, WORDS, 1.5, -0.5, -0, '1', 'one', undefined, null, NaN, Infinity, 2 ** 32, true, 1n),
);
/** Never long enough to sleep. */
const noTime = fc.constantFrom<unknown>(0, -1, -Infinity, '0', null, -0);
const call = (name: string, ...args: fc.Arbitrary<unknown>[]): fc.Arbitrary<Call> =>
  fc.tuple(...args).map((all) => [name, all]);
const values = ['store', 'add', 'sub', 'and', 'or', 'xor', 'exchange'];
const calls: fc.Arbitrary<Call> = fc.oneof(
  call('load', index),
  ...values.map((name) => call(name, index, value)),
  call('compareExchange', index, value, value),
  call('notify', index, value),
  call('notify', index),
  call('wait', index, value, noTime),
  call('waitAsync', index, value, noTime),
);
const contents = fc.array(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(2 ** 31 - 1, -(2 ** 31))), {
  minLength: WORDS,
  maxLength: WORDS,
});

test.each([true, false])('it does what the real one does; checked: %s', (checked) => {
  const { atomics, memory, words, begin } = makeThread(checked);
  const part = memory.wrap(words.subarray(1, 3) as Int32Array<SharedArrayBuffer>);
  fc.assert(
    fc.property(contents, fc.array(calls, { minLength: 1, maxLength: 8 }), fc.boolean(), (values, all, whole) => {
      const real = shared(WORDS);
      real.set(values);
      words.set(values);
      const view = whole ? real : real.subarray(1, 3);
      begin();
      for (const each of all) {
        expect(run(atomics, whole ? memory.view : part, each), String(each[0])).toBe(run(Atomics, view, each));
        expect([...words]).toEqual([...real]);
      }
    }),
    { numRuns: 4_000 },
  );
});

// Values that differ in one half alone, or that fold alike, are told apart.
const wideValue = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0n, 1n, -1n, 2n ** 32n, 2n ** 32n + 1n, 2n ** 63n, -(2n ** 63n), 2n ** 64n) },
  value,
);
const wideCalls: fc.Arbitrary<Call> = fc.oneof(
  call('load', index),
  ...values.map((name) => call(name, index, wideValue)),
  call('compareExchange', index, wideValue, wideValue),
);
const wideContents = fc.array(fc.constantFrom(0n, 1n, -1n, 2n ** 32n, 2n ** 32n + 1n, -(2n ** 63n)), {
  minLength: WORDS,
  maxLength: WORDS,
});

test.each([true, false])('on 64-bit words it does what the real one does; checked: %s', (checked) => {
  const { atomics, memory, words, wide, begin } = makeThread(checked);
  const part = memory.wrap(wide.subarray(1, 3));
  fc.assert(
    fc.property(
      wideContents,
      fc.array(wideCalls, { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      (all64, all, whole) => {
        const real = sharedWide(WORDS);
        real.set(all64);
        wide.set(all64);
        const view = whole ? real : real.subarray(1, 3);
        begin();
        for (const each of all) {
          expect(run(atomics, whole ? memory.wideView : part, each), String(each[0])).toBe(run(Atomics, view, each));
          expect([...wide]).toEqual([...real]);
        }
        expect(words.every((word) => word === 0)).toBe(true);
      },
    ),
    { numRuns: 4_000 },
  );
});

test.each<[string, () => unknown]>([
  ['memory of its own', () => new Int32Array(4)],
  ['bytes of its own', () => new Uint8Array(4)],
  ['words without a sign', () => new Uint32Array(4)],
  ['fractions', () => new Float64Array(4)],
  ['64-bit words of its own', () => new BigInt64Array(4)],
  ['no array', () => ({ length: 4 })],
  ['nothing', () => undefined],
])('on %s it is the real one', (_, make) => {
  const { atomics, begin } = makeThread(true);
  const ours = make();
  const theirs = make();
  fc.assert(
    fc.property(calls, (each) => {
      begin();
      expect(run(atomics, ours, each)).toBe(run(Atomics, theirs, each));
      expect(ours).toEqual(theirs);
    }),
    { numRuns: 300 },
  );
});

test('it has every operation that the real one has', () => {
  const { atomics } = makeThread(true);
  for (const name of Object.getOwnPropertyNames(Atomics)) expect(atomics).toHaveProperty(name);
});

test.each([Uint8Array, Uint32Array, Int16Array])('a view of other elements is refused: %o', (View) => {
  const { atomics, words, wide, begin } = makeThread(true);
  for (const { buffer } of [words, wide]) {
    begin();
    expect(() => atomics.load(new View(buffer as unknown as ArrayBuffer), 0)).toThrow(expect.objectContaining(ABORTED));
  }
});

test('each memory is refused to the elements of the other', () => {
  const { atomics, words, wide, begin } = makeThread(true);
  begin();
  const refused = expect.objectContaining(ABORTED);
  expect(() => atomics.load(new Int32Array(wide.buffer), 0)).toThrow(refused);
  expect(() => atomics.load(new BigInt64Array(words.buffer), 0)).toThrow(refused);
  expect(() => atomics.load(new BigUint64Array(wide.buffer), 0)).toThrow(refused);
});

test('nobody sleeps on 64-bit words', () => {
  const { atomics, memory, begin } = makeThread(true);
  begin();
  const refused = expect.objectContaining(ABORTED);
  expect(() => atomics.wait(memory.wideView, 0, 0n, 0)).toThrow(refused);
  expect(() => atomics.waitAsync(memory.wideView, 0, 0n, 0)).toThrow(refused);
  expect(() => atomics.notify(memory.wideView as unknown as Words, 0)).toThrow(refused);
});
