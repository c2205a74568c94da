// What a ring is when nothing runs beside an operation: the sequential models that histories are held against.
import type { Operation, SequentialSpec, ThreadContext } from '@faultline/bench/explore';

/** Adds the argument. Answers 1, or 0 when full. */
export const PUSH = 0;
/** Answers the oldest value, or 0 when there is none. */
export const POP = 1;
/** First half of a push: takes a place in the line for the argument. Answers 1, or 0 when full. */
export const CLAIM = 2;
/** Second half: from now on the argument may be popped. */
export const PUBLISH = 3;

const names: readonly string[] = ['push', 'pop', 'claim', 'publish'];

/** Does something as an operation of the history. */
export function recorded(context: ThreadContext, operation: number, argument: number, act: () => number): number {
  const call = context.call(operation, argument);
  const result = act();
  context.done(call, result);
  return result;
}

/** A queue of up to `capacity` values that holds `values` at first. */
export function boundedQueue(capacity: number, ...values: readonly number[]): SequentialSpec<readonly number[]> {
  return {
    initial: () => values,
    apply(queue, { operation, argument }) {
      if (operation === POP) return { state: queue.slice(1), result: queue[0] ?? 0 };
      if (queue.length === capacity) return { state: queue, result: 0 };
      return { state: [...queue, argument], result: 1 };
    },
    key: (queue) => queue.join(),
    names,
  };
}

/** A queue that is pushed to in two halves: a value that is claimed and not published holds up those behind it. Published ones
 * are above 0, others are as negative numbers. */
export function claimQueue(capacity: number, ...values: readonly number[]): SequentialSpec<readonly number[]> {
  return {
    initial: () => values,
    apply(queue, { operation, argument }) {
      if (operation === PUBLISH)
        return { state: queue.map((value) => (Math.abs(value) === argument ? argument : value)), result: 1 };
      if (operation === CLAIM) {
        if (queue.length === capacity) return { state: queue, result: 0 };
        return { state: [...queue, -argument], result: 1 };
      }
      if (queue.length === 0 || queue[0] < 0) return { state: queue, result: 0 };
      return { state: queue.slice(1), result: queue[0] };
    },
    key: (queue) => queue.join(),
    names,
  };
}

interface TurnState {
  readonly queue: readonly Operation[];
  /** The pops so far, newest first. */
  readonly popped: readonly Operation[];
}

/** A queue whose slots change hands by turns: it may answer 0 also while another's operation on the very slot that is due
 * is under way, and is a queue otherwise. */
export function turnQueue(capacity: number): SequentialSpec<TurnState> {
  return {
    initial: () => ({ queue: [], popped: [] }),
    apply(state, operation) {
      const { queue, popped } = state;
      const refused = operation.result === 0;
      const meets = (other: Operation | undefined): boolean => other !== undefined && other.end >= operation.start;
      if (operation.operation === PUSH) {
        const due = popped[capacity - 1 - queue.length]; // who emptied, or is emptying, the slot
        if (queue.length === capacity || (refused && meets(due))) return { state, result: 0 };
        return { state: { queue: [...queue, operation], popped }, result: 1 };
      }
      if (queue.length === 0 || (refused && meets(queue[0]))) return { state, result: 0 };
      return { state: { queue: queue.slice(1), popped: [operation, ...popped] }, result: queue[0].argument };
    },
    key: ({ queue, popped }) => `${queue.map(({ argument }) => argument)} ${popped.map(({ result }) => result)}`,
    names,
  };
}
