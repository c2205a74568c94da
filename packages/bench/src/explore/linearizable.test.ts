import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { linearizable, type SequentialSpec } from './linearizable.ts';
import type { Operation } from './scenario.ts';

const PUSH = 0;
const POP = 1;
const ROOM = 2;

/** A queue of at most two values: push answers 1, or 0 when full; pop the oldest, or 0 when empty. */
const queue: SequentialSpec<readonly number[]> = {
  initial: () => [],
  apply(values, { operation, argument }) {
    if (operation === PUSH)
      return values.length < ROOM ? { state: [...values, argument], result: 1 } : { state: values, result: 0 };
    return { state: values.slice(1), result: values[0] ?? 0 };
  },
  key: (values) => values.join(),
  names: ['push', 'pop'],
};

function op(
  thread: number,
  operation: number,
  argument: number,
  result: number,
  start: number,
  end: number,
): Operation {
  return { thread, operation, argument, result, start, end };
}

/** Tries all orders, one by one. */
function bruteForce(history: readonly Operation[]): boolean {
  return permutations(history).some((order) => {
    let state = queue.initial();
    return order.every((operation, at) => {
      if (order.slice(at + 1).some((later) => later.end < operation.start)) return false;
      const next = queue.apply(state, operation);
      state = next.state;
      return next.result === operation.result;
    });
  });
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}

function verdict(check: (operations: readonly Operation[]) => void, history: readonly Operation[]): boolean {
  try {
    check(history);
    return true;
  } catch (error) {
    expect(String(error)).toContain('no order of these operations');
    return false;
  }
}

const operation = fc.record({
  thread: fc.nat(2),
  operation: fc.constantFrom(PUSH, POP),
  argument: fc.integer({ min: 1, max: 2 }),
  result: fc.nat(2),
  length: fc.nat(6),
  gap: fc.nat(4),
});

/** Histories in which each thread does one thing after another, and that are explained about as often as not. */
const history = fc.array(operation, { maxLength: 6 }).map((parts) => {
  const free = [0, 0, 0];
  return parts.map(({ thread, operation, argument, result, length, gap }) => {
    const start = free[thread] + gap;
    free[thread] = start + length + 1;
    return op(thread, operation, argument, operation === PUSH ? Math.min(result, 1) : result, start, start + length);
  });
});

test('says what trying all orders says', () => {
  const check = linearizable(queue); // one for all, so that verdicts that are kept are put to the test too
  const said = { true: 0, false: 0 };
  fc.assert(
    fc.property(history, (operations) => {
      const explained = bruteForce(operations);
      said[`${explained}`]++;
      expect(verdict(check, operations)).toBe(explained);
    }),
    { numRuns: 2_000 },
  );
  expect(Math.min(said.true, said.false)).toBeGreaterThan(100);
});

test('real time is respected', () => {
  const check = linearizable(queue);
  const pop = op(1, POP, 0, 0, 5, 6);
  check([op(0, PUSH, 7, 1, 0, 9), pop]); // they overlap: the pop may have come first
  expect(() => check([op(0, PUSH, 7, 1, 0, 4), pop])).toThrow('no order');
  check([op(0, PUSH, 7, 1, 0, 5), pop]); // at the same moment is not before
});

test('shows the history, as it came about', () => {
  expect(() => linearizable(queue)([op(1, POP, 0, 0, 12, 20), op(0, PUSH, 7, 1, 3, 4)])).toThrow(
    'no order of these operations explains their results:\n' +
      '  thread 0  push(7) → 1  [3, 4]\n' +
      '  thread 1  pop(0) → 0   [12, 20]',
  );
});

test('an operation without a name is shown by its number', () => {
  const { names: _, ...nameless } = queue;
  expect(() => linearizable(nameless)([op(0, POP, 0, 3, 0, 1)])).toThrow('operation 1(0) → 3');
});

test('a model may allow several answers', () => {
  const anyOf = { ...queue, apply: (state: readonly number[], { result }: Operation) => ({ state, result }) };
  linearizable(anyOf)([op(0, POP, 0, 3, 0, 1)]);
});

test('a history that differs only in its moments is searched once', () => {
  const apply = vi.fn(queue.apply);
  const check = linearizable({ ...queue, apply });
  check([op(0, PUSH, 7, 1, 0, 4), op(1, POP, 0, 7, 2, 6)]);
  const calls = apply.mock.calls.length;
  check([op(1, POP, 0, 7, 30, 80), op(0, PUSH, 7, 1, 10, 70)]);
  expect(apply).toHaveBeenCalledTimes(calls);
  check([op(0, PUSH, 7, 1, 0, 1), op(1, POP, 0, 7, 2, 6)]);
  expect(apply.mock.calls.length).toBeGreaterThan(calls);
});

test('which operation came before counts, not only how many', () => {
  const check = linearizable(queue);
  // Whatever the pop that found nothing follows, it follows one.
  check([op(0, PUSH, 7, 1, 0, 9), op(1, POP, 0, 0, 0, 1), op(2, POP, 0, 0, 3, 9)]);
  expect(() => check([op(0, PUSH, 7, 1, 0, 1), op(1, POP, 0, 0, 0, 9), op(2, POP, 0, 0, 3, 9)])).toThrow('no order');
  // Whatever the first push precedes, it precedes one.
  check([op(0, PUSH, 7, 1, 0, 1), op(1, POP, 0, 0, 0, 9), op(2, PUSH, 8, 1, 3, 9)]);
  expect(() => check([op(0, PUSH, 7, 1, 0, 1), op(1, POP, 0, 0, 3, 9), op(2, PUSH, 8, 1, 0, 9)])).toThrow('no order');
});

test('a long history does not take long', () => {
  const operations: Operation[] = [];
  for (let i = 0; i < 60; i++) operations.push(op(i % 3, i % 2, 1, 1, i, i + 3));
  operations.push(op(0, POP, 0, 2, 100, 101)); // nobody pushed it: the whole space is searched
  expect(() => linearizable(queue)(operations)).toThrow('no order');
});
