// Is there an order of the operations that respects real time and that a sequential model explains? The search is that of
// Wing and Gong (doi:10.1006/jpdc.1993.1015), with Lowe's memo (doi:10.1002/cpe.3928): what follows depends only on which
// operations are done and on the state that they left, so a pair that failed once fails again.
import type { Operation } from './scenario.ts';

/** What the operations do when nothing runs beside them. */
export interface SequentialSpec<State> {
  initial(): State;
  /** Must leave `state` as it is. @returns the state after the operation, and what the operation answers. A model that allows
   * several answers returns the operation's own `result` if it is one of them. */
  apply(state: State, operation: Operation): { state: State; result: number };
  /** Equal for states that behave alike. */
  key(state: State): string;
  /** What the operations are called in messages, by number. */
  readonly names?: readonly string[];
}

/** Makes a check for `history` of a scenario. Verdicts are kept by history, as many schedules leave the same one.
 * @returns a function that throws an Error showing the history when no order explains it. */
export function linearizable<State>(spec: SequentialSpec<State>): (operations: readonly Operation[]) => void {
  const verdicts = new Map<string, boolean>();
  return (operations) => {
    const history = operations.toSorted((a, b) => a.thread - b.thread || a.start - b.start);
    const key = historyKey(history);
    let explained = verdicts.get(key);
    if (explained === undefined) {
      explained = canExplain(spec, history);
      verdicts.set(key, explained);
    }
    if (!explained) throw new Error(`no order of these operations explains their results:\n${show(spec, history)}`);
  };
}

/** The same for two histories that differ only in when, not in what came before what: an order in which each operation is known
 * by how many came before it and how many after is known whole, as those before any two are one within the other. */
function historyKey(history: readonly Operation[]): string {
  let key = '';
  for (const { thread, operation, argument, result, start, end } of history) {
    let before = 0;
    let after = 0;
    for (const other of history) {
      if (other.end < start) before++;
      if (end < other.start) after++;
    }
    key += `${thread},${operation},${argument},${result},${before},${after};`;
  }
  return key;
}

function canExplain<State>(spec: SequentialSpec<State>, history: readonly Operation[]): boolean {
  const failed = new Set<string>();
  const done = history.map(() => false);

  function search(state: State, left: number): boolean {
    if (left === 0) return true;
    const memo = `${done.map(Number).join('')} ${spec.key(state)}`;
    if (failed.has(memo)) return false;
    let firstEnd = Number.POSITIVE_INFINITY;
    for (let i = 0; i < history.length; i++) if (!done[i]) firstEnd = Math.min(firstEnd, history[i].end);
    for (let i = 0; i < history.length; i++) {
      if (done[i] || history[i].start > firstEnd) continue; // done, or something else ended before it started
      const next = spec.apply(state, history[i]);
      if (next.result !== history[i].result) continue;
      done[i] = true;
      if (search(next.state, left - 1)) return true;
      done[i] = false;
    }
    failed.add(memo);
    return false;
  }

  return search(spec.initial(), history.length);
}

function show<State>(spec: SequentialSpec<State>, history: readonly Operation[]): string {
  const rows = history
    .toSorted((a, b) => a.start - b.start)
    .map(({ thread, operation, argument, result, start, end }) => [
      `thread ${thread}`,
      `${spec.names?.[operation] ?? `operation ${operation}`}(${argument}) → ${result}`,
      `[${start}, ${end}]`,
    ]);
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => row[column].length)));
  return rows.map(([who, what, when]) => `  ${who.padEnd(widths[0])}  ${what.padEnd(widths[1])}  ${when}`).join('\n');
}
