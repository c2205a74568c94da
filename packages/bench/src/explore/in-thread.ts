// What `@faultline/bench/explore` is inside a checked thread: the part that defines scenarios. The rest runs them, on the main thread,
// and would cost each thread its start.
export { balance } from './balance.ts';
export { linearizable } from './linearizable.ts';
export { designsOf, scenario } from './scenario.ts';

/** Stands in for what only the main thread can do: a file that defines a scenario and explores it at once would start threads of its
 * own in each of its threads. @throws Error saying so */
function onMainThread(): never {
  throw new Error('each thread loads the file of its scenario: explore it from another file');
}

export const exploreScenario: () => never = onMainThread;
export const replay: () => never = onMainThread;
