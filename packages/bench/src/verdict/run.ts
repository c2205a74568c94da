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
  /** What has been finished by the end of a section: what follows may take long. */
  onPartial(result: VerdictResult): void;
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
    let result: VerdictResult = {
      schemaVersion: VERDICT_VERSION,
      command: 'verdict',
      environment: readEnvironment(),
      plan,
      preset: presetOf(preset),
      partial: true,
      table: [],
      removals: [],
      sensitivity: [],
      metastability: { spikes: [], hysteresis: [] },
      candidates: [],
      effort: { simulations: 0, events: 0, seconds: 0, tableSeconds: 0, processors },
    };
    const section = async (name: string, make: () => Promise<Partial<VerdictResult>>): Promise<void> => {
      if (!signal.aborted) hooks.onSection(name);
      const part = await make();
      const seconds = secondsSince();
      const effort = { ...result.effort, simulations: pool.simulations, events: pool.events, seconds };
      result = { ...result, effort: name === 'table' ? { ...effort, tableSeconds: seconds } : effort, ...part };
      hooks.onPartial(result);
    };
    await section('table', async () => ({ table: await makeTable(pool, preset, plan) }));
    await section('suspects', async () => ({ removals: await tryRemovals(pool, preset, plan) }));
    await section('adaptive', async () => ({ candidates: await tryCandidates(pool, preset, plan) }));
    const { removals } = result;
    await section('load up and down', async () => ({ metastability: await shakeLoad(pool, preset, plan, removals) }));
    await section('guesses', async () => ({ sensitivity: await sweepGuesses(pool, preset, plan) }));
    const { real, validate } = request;
    if (real !== undefined)
      await section('real run', async () => {
        const found = await unlessInterrupted(signal, real);
        return found === undefined ? {} : { real: found };
      });
    if (validate !== undefined)
      await section('validation', async () => {
        const validation = await unlessInterrupted(signal, validate);
        return validation === undefined ? {} : { validation };
      });
    return { ...result, partial: signal.aborted };
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
