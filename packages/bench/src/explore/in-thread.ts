// What `@faultline/bench/explore` is inside a checked thread: the part that defines scenarios. The rest runs them, on the main thread,
// and would cost each thread its start.
export { balance } from './balance.ts';
export { linearizable } from './linearizable.ts';
export { designsOf, scenario } from './scenario.ts';
