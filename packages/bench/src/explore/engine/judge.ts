// Judges a schedule that ran to its end.

import { UNBALANCED } from '../balance.ts';
import type { CheckContext, Operation, Scenario } from '../scenario.ts';
import { withoutMarks } from './boot.ts';
import {
  FAIL_BOOKS,
  FAIL_CHECK,
  FAIL_OUTCOME,
  HISTORY,
  MAX_OUTCOMES,
  OPERATION_STRIDE,
  OPERATIONS,
  OUTCOMES,
  RESULTS,
} from './control.layout.ts';

type Fail = (kind: number, message: string, stack: string) => void;

/** @returns a function that checks memory, outcome and history, and reports what is broken. */
export function makeJudge(
  spec: Scenario['spec'],
  control: Int32Array,
  context: Omit<CheckContext, 'results'>,
  fail: Fail,
): () => void {
  const names = Object.keys(spec.threads);
  const outcomes = Object.keys(spec.outcomes ?? {});
  if (outcomes.length > MAX_OUTCOMES) throw new RangeError(`${spec.name}: more than ${MAX_OUTCOMES} outcomes`);
  const results: Record<string, number> = {};
  const { check, history } = spec;
  return () => {
    for (let thread = 0; thread < names.length; thread++) results[names[thread]] = control[RESULTS + thread];
    try {
      const outcome = check?.({ ...context, results });
      if (typeof outcome === 'string') {
        const index = outcomes.indexOf(outcome);
        if (index >= 0) control[OUTCOMES + index]++;
        if (index < 0) fail(FAIL_OUTCOME, `${outcome} (an outcome that the scenario does not name)`, '');
        else if (spec.outcomes?.[outcome] === 'forbidden') fail(FAIL_OUTCOME, outcome, '');
      }
      if (history !== undefined) history(operationsOf(control, names));
    } catch (error) {
      fail(
        error instanceof Error && error.name === UNBALANCED ? FAIL_BOOKS : FAIL_CHECK,
        messageOf(error),
        stackOf(error),
      );
    }
  };
}

function operationsOf(control: Int32Array, names: readonly string[]): Operation[] {
  const operations: Operation[] = [];
  for (let i = 0; i < control[HISTORY]; i++) {
    const at = OPERATIONS + i * OPERATION_STRIDE;
    const [thread, operation, argument, result, start, end] = control.subarray(at, at + 6);
    if (end === 0) throw new Error(`${names[thread]} called operation ${operation} and never marked its end`);
    operations.push({ thread, operation, argument, result, start, end });
  }
  return operations;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : `threw ${String(error)}`;
}

export function stackOf(error: unknown): string {
  return error instanceof Error ? withoutMarks(error.stack ?? '') : '';
}
