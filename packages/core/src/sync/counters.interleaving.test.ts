import { afterEach, expect, test, vi } from 'vitest';
import { counterBankWords, initCounterBank, LINE, openCounterBank } from './index.ts';
import { thread, wordsFor } from './testing.test-help.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

function openTwo(mode: 'shared' | 'split') {
  const words = wordsFor(counterBankWords(1, 2, mode));
  initCounterBank(words, LINE, 1, 2, mode);
  const [waiter, other] = [1, 2].map((id) => openCounterBank(words, LINE, thread(id)));
  waiter.add(1, 1);
  return { waiter, other };
}

test.each(['shared', 'split'] as const)('%s: a sub between the sum and the sleep is not slept through', (mode) => {
  const { waiter, other } = openTwo(mode);
  const original = Atomics.wait;
  const results: string[] = [];
  vi.spyOn(Atomics, 'wait').mockImplementationOnce(((words: Int32Array, at: number, seen: number) => {
    other.sub(1, 1);
    results.push(original(words, at, seen, 20));
    return 'ok';
  }) as typeof Atomics.wait);
  expect(waiter.waitZero(1, thread(1), 1000)).toBe(true);
  expect(results).toEqual(['not-equal']);
});

test('split: a waiter that announces itself just before the last sub is woken by it', async () => {
  const { waiter, other } = openTwo('split');
  const original = Atomics.store;
  let told: Promise<string> | undefined;
  vi.spyOn(Atomics, 'store').mockImplementationOnce(((words: Int32Array, at: number, value: number) => {
    told = waiter.waitZeroAsync(1).then(() => 'told');
    return original(words, at, value);
  }) as typeof Atomics.store);
  other.sub(1, 1);
  const forgotten = new Promise<string>((resolve) => setTimeout(resolve, 500, 'forgotten'));
  expect(await Promise.race([told, forgotten])).toBe('told');
});
