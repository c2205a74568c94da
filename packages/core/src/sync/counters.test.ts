import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CounterMode,
  counterBankLayout,
  counterBankWords,
  initCounterBank,
  LINE,
  openCounterBank,
  SharedCounters,
  SplitCounters,
} from './index.ts';
import { thread, wordsFor } from './testing.test-help.ts';

const THREADS = 3;
const OBJECTS = 5;

function openAll(mode: CounterMode) {
  const words = wordsFor(counterBankWords(OBJECTS, THREADS, mode));
  initCounterBank(words, LINE, OBJECTS, THREADS, mode);
  return Array.from({ length: THREADS }, (_, i) => openCounterBank(words, LINE, thread(i + 1)));
}

test('the table fits the bank', () => {
  expect(counterBankLayout(OBJECTS, THREADS).words).toBeLessThanOrEqual(counterBankWords(OBJECTS, THREADS, 'split'));
});

describe.each(['shared', 'split'] as const)('%s', (mode) => {
  test('opens as what it was laid out as', () => {
    expect(openAll(mode)[0]).toBeInstanceOf(mode === 'split' ? SplitCounters : SharedCounters);
  });

  test('counts as numbers do, whichever thread takes what another gave', () => {
    const step = fc.record({
      thread: fc.nat(THREADS - 1),
      object: fc.nat(OBJECTS),
      n: fc.integer({ min: 1, max: 100 }),
      up: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const banks = openAll(mode);
        const model = new Array<number>(OBJECTS + 1).fill(0);
        for (const { thread: by, object, n, up } of steps) {
          if (up) {
            banks[by].add(object, n);
            model[object] += n;
          } else if (model[object] >= n) {
            banks[by].sub(object, n);
            model[object] -= n;
          }
          for (const bank of banks) expect(bank.read(object)).toBe(model[object]);
        }
      }),
    );
  });

  test('waiting gives up when told to, and says so', () => {
    const [bank] = openAll(mode);
    expect(bank.waitZero(1, thread(1), 0)).toBe(true);
    bank.add(1, 2);
    expect(bank.waitZero(1, thread(1, 10), 5)).toBe(false);
    bank.sub(1, 2);
    expect(bank.waitZero(1, thread(1), 5)).toBe(true);
  });

  test('an event loop is told by the last sub, not by an earlier one', async () => {
    const [one, two] = openAll(mode);
    one.add(2, 1);
    one.add(2, 1);
    let zero = false;
    const waiting = one.waitZeroAsync(2).then(() => {
      zero = true;
    });
    two.sub(2, 1);
    await new Promise(setImmediate);
    expect(zero).toBe(false);
    two.sub(2, 1);
    await waiting;
    await one.waitZeroAsync(2);
  });

  test('a wrong object, thread or time-out is refused', () => {
    const words = wordsFor(counterBankWords(OBJECTS, THREADS, mode));
    initCounterBank(words, LINE, OBJECTS, THREADS, mode);
    for (const id of [0, THREADS + 1])
      expect(() => openCounterBank(words, LINE, thread(id))).toThrow(/self\.id = .*EINVAL/);
    const bank = openCounterBank(words, LINE, thread(1));
    for (const object of [-1, OBJECTS + 1]) {
      for (const call of [() => bank.add(object, 1), () => bank.sub(object, 1), () => bank.read(object)])
        expect(call).toThrow(/object = .*from 0 to 5.*EINVAL/);
      expect(() => bank.waitZero(object, thread(1), 1)).toThrow(/object = /);
    }
    for (const ms of [-1, Number.NaN]) expect(() => bank.waitZero(1, thread(1), ms)).toThrow(/timeoutMs = .*EINVAL/);
  });
});

test('a shared counter refuses to go below zero, and stays as it was', () => {
  const [bank] = openAll('shared');
  bank.add(1, 1);
  expect(() => bank.sub(1, 2)).toThrow(/n = 2: object 1 counts only 1 \(EINVAL\)/);
  expect(bank.read(1)).toBe(1);
});

test.each([
  [() => counterBankWords(0, 1, 'split'), /objects = 0/],
  [() => counterBankWords(1, 0, 'split'), /threads = 0/],
  [() => counterBankWords(1, 1, 'both' as CounterMode), /mode = "both"/],
  [() => initCounterBank(wordsFor(32), LINE, 9, 9, 'split'), /base = 32/],
  [() => openCounterBank(wordsFor(32), LINE, thread(1)), /no counter bank was laid out here/],
])('parameter %#', (call, message) => {
  expect(call).toThrow(message);
});
