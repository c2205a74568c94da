// A scenario without the scheduler: its threads on real processors, in a tight loop, and what came of it counted. Exploration says
// what can happen; this says what does, here. A forbidden outcome is a failure in both.
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { allocContents, allocMemories, ScenarioError } from '../engine/placement.ts';
import { designsOf, type Expectation, type Grade, memoryOf, type Scenario } from '../scenario.ts';
import { CONTROL_WORDS, ITERATIONS, MAX_OUTCOMES, MAX_THREADS, OUTCOMES, VIOLATIONS } from './layout.ts';
import type { LitmusTask, LitmusThreadEnd } from './protocol.ts';

export interface LitmusOptions {
  readonly design?: string;
  /** Default 1. */
  readonly seconds?: number;
  /** Most iterations. */
  readonly iterations?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

export interface LitmusResult {
  readonly scenario: string;
  readonly seed: string;
  readonly design: string;
  readonly expected: Expectation;
  readonly iterations: number;
  readonly seconds: number;
  readonly outcomes: readonly { readonly name: string; readonly grade: Grade; readonly count: number }[];
  /** Iterations in which something broke: a forbidden outcome, a check or a thread that threw. */
  readonly violations: number;
  /** What broke first; '' for nothing. */
  readonly sample: string;
  /** The last iteration never ended: a thread is asleep, or goes round, for ever. */
  readonly hung: boolean;
}

/** A design that should hold must not break. One that should fail may: what can happen need not happen here. */
export function litmusVerdict({ expected, violations, hung }: LitmusResult): 'as expected' | 'unexpected' | 'not seen' {
  const broke = violations > 0 || hung;
  if (expected === 'holds') return broke ? 'unexpected' : 'as expected';
  return broke ? 'as expected' : 'not seen';
}

const SILENCE_MS = 3_000;
const LOOK_MS = 50;

/** @throws ScenarioError when the scenario cannot be run. */
export async function litmus(scenario: Scenario, options: LitmusOptions = {}): Promise<LitmusResult> {
  const { spec, url } = scenario;
  const designs = designsOf(spec);
  const design = options.design ?? Object.keys(designs)[0];
  if (designs[design] === undefined) throw new ScenarioError(`${spec.name} has no design '${design}'`);
  const names = Object.keys(spec.threads);
  const outcomes = Object.entries(spec.outcomes ?? {});
  if (names.length > MAX_THREADS || outcomes.length > MAX_OUTCOMES)
    throw new ScenarioError(`${spec.name}: at most ${MAX_THREADS} threads and ${MAX_OUTCOMES} outcomes`);
  const memories = allocMemories(spec.name, memoryOf(spec, design));
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
  const snapshot = allocContents(memories);
  const task = (me: number): LitmusTask => ({
    url,
    scenario: spec.name,
    design,
    me,
    memories,
    control,
    snapshot,
    iterations: options.iterations ?? 2 ** 30,
    seconds: options.seconds ?? 1,
    seed: options.seed ?? 1,
  });
  const start = performance.now();
  const workers = names.map((name, me) => new Worker(workerUrl(), { workerData: task(me), name }));
  try {
    const { ends, hung } = await finish(workers, control, options.signal);
    return {
      scenario: spec.name,
      seed: spec.seed ?? '',
      design,
      expected: designs[design],
      iterations: Atomics.load(control, ITERATIONS),
      seconds: (performance.now() - start) / 1000,
      outcomes: outcomes.map(([name, grade], i) => ({ name, grade, count: control[OUTCOMES + i] })),
      violations: Atomics.load(control, VIOLATIONS),
      sample: ends.map((end) => end.sample).find((sample) => sample !== '') ?? '',
      hung,
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** Waits until all have ended, or nothing has moved for long, or the caller asks for an end. */
function finish(
  workers: readonly Worker[],
  control: Int32Array<SharedArrayBuffer>,
  signal: AbortSignal | undefined,
): Promise<{ ends: LitmusThreadEnd[]; hung: boolean }> {
  return new Promise((resolve, reject) => {
    const ends: LitmusThreadEnd[] = [];
    let seen = -1;
    let since = performance.now();
    const ticker = setInterval(() => {
      const now = Atomics.load(control, ITERATIONS);
      if (now !== seen) {
        seen = now;
        since = performance.now();
      }
      const hung = performance.now() - since > SILENCE_MS;
      if (hung || signal?.aborted === true) settle(() => resolve({ ends, hung }));
    }, LOOK_MS);
    const settle = (how: () => void): void => {
      clearInterval(ticker);
      how();
    };
    for (const worker of workers) {
      worker.on('error', (error) => settle(() => reject(error as Error)));
      worker.on('message', (end: LitmusThreadEnd) => {
        ends.push(end);
        if (ends.length === workers.length) settle(() => resolve({ ends, hung: false }));
      });
    }
  });
}

function workerUrl(): URL {
  const source = new URL('./litmus.worker.ts', import.meta.url);
  return existsSync(source) ? source : new URL('./litmus.worker.js', import.meta.url);
}
