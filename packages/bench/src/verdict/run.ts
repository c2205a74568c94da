// The verdict from a preset to a result: section by section, each over all processors.
import { availableParallelism } from 'node:os';
import type { Preset } from '../model/index.ts';
import { readEnvironment } from '../result/environment.ts';
import { tryCandidates } from './adaptive.ts';
import { shakeLoad } from './metastability.ts';
import type { Plan } from './plan.ts';
import { Interrupted, SimulationPool } from './pool.ts';
import type { RealRun } from './real.ts';
import { presetOf, VERDICT_VERSION, type VerdictResult } from './result.ts';
import { sweepGuesses } from './sensitivity.ts';
import { tryRemovals } from './suspects.ts';
import { makeTable } from './table.ts';
import type { Validation } from './validation-view.ts';

export interface VerdictHooks {
  /** A section begins. */
  onSection(name: string): void;
  /** Simulations made, and those that have been asked for up to now. */
  onProgress(done: number, asked: number): void;
  readonly signal: AbortSignal;
}

export interface VerdictRequest {
  readonly preset: Preset;
  readonly plan: Plan;
  /** Threads of the pool; the result is the same. */
  readonly processors?: number;
  readonly real?: () => Promise<RealRun>;
  readonly validate?: () => Promise<Validation>;
}

export async function runVerdict(request: VerdictRequest, hooks: VerdictHooks): Promise<VerdictResult> {
  const { preset, plan, processors = availableParallelism() } = request;
  const { signal } = hooks;
  let asked = 0;
  let done = 0;
  const pool = new SimulationPool(processors, {
    onAsked: () => hooks.onProgress(done, ++asked),
    onDone: () => hooks.onProgress(++done, asked),
    signal,
  });
  const began = performance.now();
  const secondsSince = (): number => (performance.now() - began) / 1000;
  try {
    const section = <T>(name: string, make: () => Promise<T>): Promise<T> => {
      if (!signal.aborted) hooks.onSection(name);
      return make();
    };
    const table = await section('table', () => makeTable(pool, preset, plan));
    const tableSeconds = secondsSince();
    const removals = await section('suspects', () => tryRemovals(pool, preset, plan));
    const candidates = await section('adaptive', () => tryCandidates(pool, preset, plan));
    const metastability = await section('load up and down', () => shakeLoad(pool, preset, plan, removals));
    const sensitivity = await section('guesses', () => sweepGuesses(pool, preset, plan));
    const { real, validate } = request;
    const realRun = real && (await unlessInterrupted(signal, () => section('real run', real)));
    const validation = validate && (await unlessInterrupted(signal, () => section('validation', validate)));
    return {
      schemaVersion: VERDICT_VERSION,
      command: 'verdict',
      environment: readEnvironment(),
      plan,
      preset: presetOf(preset),
      partial: signal.aborted,
      table,
      removals,
      sensitivity,
      metastability,
      candidates,
      ...(realRun === undefined ? {} : { real: realRun }),
      ...(validation === undefined ? {} : { validation }),
      effort: {
        simulations: pool.simulations,
        events: pool.events,
        seconds: secondsSince(),
        tableSeconds,
        processors,
      },
    };
  } finally {
    await pool.destroy();
  }
}

async function unlessInterrupted<T>(signal: AbortSignal, make: () => Promise<T>): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  try {
    return await make();
  } catch (error) {
    if (error instanceof Interrupted || signal.aborted) return undefined;
    throw error;
  }
}
