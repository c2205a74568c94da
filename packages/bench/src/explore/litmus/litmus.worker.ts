// A thread of a litmus run: the scenario's own thread, on the real Atomics, over and over.
import { parentPort, workerData } from 'node:worker_threads';
import { contentsOf, copyContents, regionFinder } from '../engine/placement.ts';
import type { Context, Operation, Scenario, ThreadContext, ThreadSpec } from '../scenario.ts';
import { Barrier } from './barrier.ts';
import {
  ITERATIONS,
  MAX_OPERATIONS,
  MOMENT,
  OPERATION_STRIDE,
  OPERATIONS,
  OPERATIONS_STRIDE,
  OUTCOMES,
  RESULTS,
  STOP,
  VIOLATIONS,
} from './layout.ts';
import type { LitmusTask, LitmusThreadEnd } from './protocol.ts';

const task = workerData as LitmusTask;
const { control, me, memories } = task;
const LINE = 32;
/** Up to this many turns of an empty loop, so that the threads do not always meet in the same way. */
const MOST_DELAY = 64;

const module = (await import(task.url)) as Record<string, Partial<Scenario> | undefined>;
const spec = Object.values(module).find((exported) => exported?.spec?.name === task.scenario)?.spec;
if (spec === undefined) throw new Error(`${task.url} exports no scenario named '${task.scenario}'`);
const contents = contentsOf(memories);
const context: Context = {
  ...contents,
  shared: memories.shared,
  design: task.design,
  at: regionFinder(task.scenario, memories),
};

const operations = OPERATIONS + me * OPERATIONS_STRIDE;
let chance = Math.imul(task.seed ^ (me + 1), 0x9e3779b1) | 1;
function draw(): number {
  chance ^= chance << 13;
  chance ^= chance >>> 17;
  chance ^= chance << 5;
  return chance >>> 0;
}

const names = Object.keys(spec.threads);
const [name, thread] = Object.entries(spec.threads)[me] as [string, ThreadSpec<unknown>];
const own: ThreadContext = {
  ...context,
  name,
  self: { id: me + 1, spins: 0 },
  random: () => draw() / 2 ** 32,
  now: () => 0,
  call: (operation, argument) => {
    const index = control[operations]++;
    if (index >= MAX_OPERATIONS) throw new RangeError(`more than ${MAX_OPERATIONS} operations in one history`);
    const at = operations + (index + 1) * OPERATION_STRIDE;
    control[at] = operation;
    control[at + 1] = argument;
    control[at + 3] = Atomics.add(control, MOMENT, 1);
    return at;
  },
  done: (at, result) => {
    control[at + 2] = result;
    control[at + 4] = Atomics.add(control, MOMENT, 1);
  },
};

function history(): Operation[] {
  return names.flatMap((_, who) => {
    const base = OPERATIONS + who * OPERATIONS_STRIDE;
    return Array.from({ length: control[base] }, (__, i) => {
      const [operation, argument, result, start, end] = control.subarray(base + (i + 1) * OPERATION_STRIDE);
      return { thread: who, operation, argument, result, start, end };
    });
  });
}

let sample = '';
function violation(message: string): void {
  control[VIOLATIONS]++;
  if (sample === '') sample = message;
}

const outcomes = Object.keys(spec.outcomes ?? {});
/** Counts the outcome. One thread, while the others wait. */
function judge(): void {
  const results = Object.fromEntries(names.map((each, who) => [each, control[RESULTS + who * LINE]]));
  try {
    const outcome = spec?.check?.({ ...context, results });
    if (typeof outcome === 'string') {
      const index = outcomes.indexOf(outcome);
      if (index >= 0) control[OUTCOMES + index]++;
      if (index < 0 || spec?.outcomes?.[outcome] === 'forbidden') violation(outcome);
    }
    spec?.history?.(history());
  } catch (error) {
    violation(error instanceof Error ? error.message : String(error));
  }
}

function setBack(): void {
  copyContents(task.snapshot, contents);
  control[MOMENT] = 0;
  for (let who = 0; who < names.length; who++) control[OPERATIONS + who * OPERATIONS_STRIDE] = 0;
}

if (me === 0) {
  spec.setup?.(context);
  copyContents(contents, task.snapshot);
}

// A thread that awaits Atomics.waitAsync alone would end: that keeps no event loop alive.
const alive = setInterval(() => undefined, 2 ** 30);
const barrier = new Barrier(control, names.length);
const until = performance.now() + task.seconds * 1000;
for (let iteration = 0; ; iteration++) {
  if (me === 0) {
    if (iteration > 0) setBack();
    if (iteration >= task.iterations || ((iteration & 63) === 0 && performance.now() >= until)) control[STOP] = 1;
  }
  barrier.pass();
  if (control[STOP] === 1) break;
  let result = 0;
  let thrown = '';
  const local = thread.open?.(own);
  barrier.pass();
  for (let delay = draw() % MOST_DELAY; delay > 0; delay--) chance |= 1;
  try {
    const returned: unknown = thread.run(own, local as never);
    result = Number((returned instanceof Promise ? await returned : returned) ?? 0);
  } catch (error) {
    thrown = `${name}: ${error instanceof Error ? error.message : String(error)}`;
  }
  control[RESULTS + me * LINE] = result;
  if (thrown !== '') Atomics.add(control, VIOLATIONS, 1);
  if (thrown !== '' && sample === '') sample = thrown;
  barrier.pass();
  if (me === 0) {
    judge();
    Atomics.add(control, ITERATIONS, 1);
  }
}
clearInterval(alive);
parentPort?.postMessage({ sample } satisfies LitmusThreadEnd);
